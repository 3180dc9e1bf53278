"""Annual rates: constant, or a dated series of them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias, TypeGuard, cast

import numpy as np
from pydantic import BeforeValidator, PlainSerializer

from etf_backtest.errors import RateError, WindowError
from etf_backtest.errors.wording import quoted
from etf_backtest.market.sessions import as_date, as_session
from etf_backtest.typing import DateArray, FloatArray

if TYPE_CHECKING:
    import pandas as pd

LOWEST, HIGHEST = -1.0, 1.0
"""A rate is above the first and at most the second: 0.02 is 2 % a year."""


@dataclass(frozen=True, slots=True)
class DatedRates:
    """Annual rates, each in force from its date until the next one's.

    Attributes
    ----------
    dates : tuple of date
        Strictly ascending.
    rates : tuple of float
        Fractions a year, above -1 and at most 1.

    Raises
    ------
    RateError
        Naming the date and the value that cannot be used.
    """

    dates: tuple[dt.date, ...]
    rates: tuple[float, ...]

    def __post_init__(self) -> None:
        dates, rates = _row("dates", self.dates), _row("rates", self.rates)
        if len(dates) != len(rates) or not dates:
            raise RateError(
                f"{len(dates)} dates and {len(rates)} rates are no series of rates",
                remedy="give one rate for each date",
            )
        days = tuple(_date(date) for date in dates)
        object.__setattr__(self, "dates", days)
        object.__setattr__(self, "rates", tuple(map(_number, days, rates)))
        for before, date in zip(self.dates, self.dates[1:], strict=False):
            if before >= date:
                raise RateError(
                    f"the dates of the rates are not ascending: {date} follows {before}",
                    remedy="sort them, and keep one rate a date",
                )
        for date, rate in zip(self.dates, self.rates, strict=True):
            if not LOWEST < rate <= HIGHEST:
                raise RateError(
                    f"the rate on {date} is {rate}, expected a fraction above -1 and at most 1",
                    remedy="0.02 is 2 % a year",
                )

    @classmethod
    def of(cls, series: Mapping[Any, float] | pd.Series[float]) -> Self:
        """Take a mapping of dates to annual rates, or a pandas Series indexed by dates.

        Sorted by date; two rates for one date are refused.

        Raises
        ------
        RateError
            A key is not a date, a rate is no number, or one of the rules of DatedRates is broken.
        """
        if not hasattr(series, "items"):
            raise RateError(
                f"expected annual rates by date, received {quoted(series)}",
                remedy='give a mapping, {"2024-01-31": 0.02} for one, or a pandas Series',
            )
        rates: Iterable[tuple[Any, object]] = series.items()
        pairs = sorted((_date(date), _number(date, rate)) for date, rate in rates)
        return cls(tuple(date for date, _ in pairs), tuple(rate for _, rate in pairs))

    def to_dict(self) -> dict[str, float]:
        """ISO dates and rates, ready for JSON; `DatedRates.of` takes it back."""
        return {date.isoformat(): rate for date, rate in zip(self.dates, self.rates, strict=True)}


def _number(date: object, rate: object) -> float:
    if _is_number(rate):
        return float(rate)
    raise RateError(
        f"the rate on {date} is {quoted(rate)}, expected a number", remedy="0.02 is 2 % a year"
    )


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _date(value: Any) -> dt.date:
    try:
        return as_date(as_session(value))
    except WindowError as error:
        raise RateError(error.message, remedy=error.remedy) from None


def _row(what: str, values: object) -> tuple[Any, ...]:
    if isinstance(values, Iterable) and not isinstance(values, str):
        return tuple(values)
    raise RateError(
        f"expected the {what} in a row, received {quoted(values)}",
        remedy="give one rate for each date",
    )


def rates_in_force(rate: float | DatedRates, dates: DateArray) -> FloatArray:
    """The annual rate that holds for each step from one session to the next.

    Parameters
    ----------
    rate : float or DatedRates
    dates : ndarray of shape (T,), datetime64[D]

    Returns
    -------
    ndarray of shape (T - 1,)
        For the step from row t - 1 to t the rate of the last date up to row t - 1: nobody knows
        the next one yet.

    Raises
    ------
    RateError
        The series begins after the first session.
    """
    if not isinstance(rate, DatedRates):
        return np.full(dates.size - 1, rate)
    known = np.array(rate.dates, dtype="datetime64[D]")
    rows = np.searchsorted(known, dates[:-1], side="right") - 1
    if rows.size and rows[0] < 0:
        raise RateError(
            f"the rates begin on {rate.dates[0]}, after the first session {as_date(dates[0])}",
            remedy="add the rate that was in force then",
        )
    in_force: FloatArray = np.array(rate.rates)[rows]
    return in_force


def year_fractions(dates: DateArray) -> FloatArray:
    """Days from each session to the next over 365 (act/365), shape (T - 1,)."""
    days = dates.astype("datetime64[D]").astype(np.int64)
    return np.diff(days).astype(np.float64) / 365.0


def as_rate(value: object) -> object:
    """A rate from what people write: a number, a mapping of dates to rates, a pandas Series.

    Raises
    ------
    ValueError
        It is none of these, or not between -1 and 1.
    """
    if isinstance(value, DatedRates):
        return value
    if _is_number(value):
        if not (math.isfinite(value) and LOWEST < value <= HIGHEST):
            raise ValueError("expected a fraction a year above -1 and at most 1 (0.02 is 2 %)")
        return float(value)
    if hasattr(value, "items"):
        return DatedRates.of(cast("Mapping[Any, float]", value))
    raise ValueError("expected a number, or a mapping of dates to annual rates")


def _rate_to_json(value: float | DatedRates) -> float | dict[str, float]:
    return value.to_dict() if isinstance(value, DatedRates) else value


Rate: TypeAlias = Annotated[
    float | DatedRates, BeforeValidator(as_rate), PlainSerializer(_rate_to_json)
]
"""A constant annual rate, a fraction, or a dated series; for fields of parameter models."""
