"""What metrics take: returns, dates and rates that can be computed with, or one clear error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, cast

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import ReturnsError
from etf_backtest.errors.wording import quoted
from etf_backtest.market.rates import DatedRates, rates_in_force
from etf_backtest.market.sessions import as_sessions, check_ascending
from etf_backtest.typing import DateArray, FloatArray

if TYPE_CHECKING:
    import pandas as pd

RiskFree: TypeAlias = "float | DatedRates | Mapping[Any, float] | pd.Series[float]"
"""Annual rate, a fraction: a constant, or a series of rates by the date since which they hold."""

SESSIONS = "give the date of the initial value, then one for each return"
NUMBERS = "give an array or a list of floats"


def as_numbers(name: str, values: ArrayLike) -> FloatArray:
    """Values as float64, whatever their shape.

    Raises
    ------
    ReturnsError
        They are not real numbers.
    """
    try:
        # np.asarray would bring what a mask hides to light
        array = np.ma.filled(values, np.nan) if np.ma.isMA(values) else np.asarray(values)
        if array.dtype.kind in "iufO":
            return array.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise ReturnsError(f"{name}: expected numbers: {error}", remedy=NUMBERS) from None
    raise ReturnsError(f"{name}: expected numbers, received the type {array.dtype}", remedy=NUMBERS)


def checked_returns(name: str, values: ArrayLike, size: int | None = None) -> FloatArray:
    """Simple session returns, shape (n,): finite fractions of -1 or more.

    Raises
    ------
    ReturnsError
        None at all, not as many as `size`, NaN, infinite or below -1.
    """
    array = as_numbers(name, values)
    if array.ndim != 1 or not array.size:
        said = str(array.shape) if array.ndim else quoted(values)
        raise ReturnsError(
            f"{name}: expected one or more in a row, received {said}",
            remedy="give an array of one dimension, one fraction a session",
        )
    if size is not None and array.size != size:
        raise ReturnsError(
            f"{name}: expected {size}, one for each return, received {array.size}",
            remedy="give both on the same sessions",
        )
    # one pass for the usual case: NaN fails the first comparison, too
    if not (array.min() >= -1.0 and array.max() < math.inf):
        bad = np.flatnonzero(~(np.isfinite(array) & (array >= -1.0)))[0]
        raise ReturnsError(
            f"{name}: number {bad} is {array[bad]}, expected a fraction of -1 or more",
            remedy="drop or mend it; returns are fractions, 0.01 is 1 %",
        )
    return array


def check_same_index(returns: object, benchmark: object) -> None:
    """Refuse two pandas Series of different dates: they are compared by position.

    Raises
    ------
    ReturnsError
        Both have an index, and these differ.
    """
    own, other = getattr(returns, "index", None), getattr(benchmark, "index", None)
    equals: Any = getattr(own, "equals", None)
    if equals is not None and hasattr(other, "equals") and not equals(other):
        raise ReturnsError(
            "benchmark: its index is not that of the returns",
            remedy="align them: returns, benchmark = returns.align(benchmark, join='inner')",
        )


def check_index_is_dates(name: str, values: object, dates: DateArray) -> None:
    """Refuse a pandas Series whose own dates are not those of the returns, shape (n + 1,).

    Raises
    ------
    ReturnsError
        It is indexed by dates, and these are others.
    """
    index = getattr(values, "index", None)
    if index is None or not hasattr(index, "equals"):
        return
    own = np.asarray(index)
    if own.dtype.kind != "M":  # numbers for one: they say nothing about dates
        return
    other = np.flatnonzero(own != dates[1:])
    if other.size:
        row = int(other[0])
        raise ReturnsError(
            f"{name}: its index has {str(own[row])[:10]} where the dates have {dates[row + 1]}",
            remedy=f"{SESSIONS}; or give {name}.to_numpy()",
        )


def checked_traded(traded: float) -> float:
    """Sum of absolute traded notionals, in currency.

    Raises
    ------
    ReturnsError
        No number, below 0, or not finite.
    """
    if _is_number(traded) and 0 <= traded < math.inf:
        return float(traded)
    raise ReturnsError(
        f"traded: expected an amount of 0 or more, received {quoted(traded)}",
        remedy="give the sum of the absolute notionals of all trades",
    )


def checked_dates(dates: DateArray, returns: int) -> DateArray:
    """Sessions of n returns, shape (n + 1,): that of the initial value, then each return's.

    Raises
    ------
    ReturnsError
        None at all, or not one more than there are returns.
    PriceDataError
        Not dates, or not ascending.
    """
    if dates is None:
        raise ReturnsError("dates: expected sessions, received None", remedy=SESSIONS)
    days = as_sessions(dates)
    if days.size != returns + 1:
        raise ReturnsError(
            f"dates: expected {returns + 1}, received {days.size}",
            remedy=SESSIONS,
        )
    check_ascending(days)
    return days


def checked_rate(risk_free: RiskFree, dates: DateArray | None) -> float | FloatArray:
    """Annual rate of all sessions, or that in force at each return, shape (n,).

    Raises
    ------
    ReturnsError
        A constant that is no rate, or a series of rates where the dates are not known.
    RateError
        A series whose rates are none, or that begins after the first session.
    """
    if _is_number(risk_free):
        if not -1.0 < risk_free <= 1.0:
            raise ReturnsError(
                f"the risk-free rate is {risk_free}, expected a fraction above -1 and at most 1",
                remedy="0.02 is 2 % a year",
            )
        return float(risk_free)
    if not isinstance(risk_free, DatedRates) and not hasattr(risk_free, "items"):
        raise ReturnsError(
            f"the risk-free rate is {quoted(risk_free)}, expected a number or a series",
            remedy="a mapping of dates to annual rates, for example",
        )
    if dates is None:
        raise ReturnsError(
            "the risk-free rate is a dated series, but the returns have no dates",
            remedy="give dates=..., the date of the initial value first",
        )
    if isinstance(risk_free, DatedRates):
        return rates_in_force(risk_free, dates)
    return rates_in_force(DatedRates.of(cast("Mapping[Any, float]", risk_free)), dates)


def checked_money(name: str, values: ArrayLike, rows: int) -> FloatArray:
    """Amounts in currency, one a session, shape (n + 1,), the session of the initial value first.

    Raises
    ------
    ReturnsError
        Not one for each session, or not finite.
    """
    array = as_numbers(name, values)
    if array.shape != (rows,):
        raise ReturnsError(
            f"{name}: expected {rows}, one for each session, received {array.shape}",
            remedy="the first is that of the initial value",
        )
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise ReturnsError(
            f"{name}: number {bad[0]} is {array[bad[0]]}, expected a finite amount",
            remedy="mend it; a session without one has 0",
        )
    return array


def checked_equity(values: ArrayLike, rows: int) -> FloatArray:
    """Values in currency, shape (n + 1,); the first, the initial capital, is above 0.

    Raises
    ------
    ReturnsError
        As `checked_money`, or the initial value is not above 0.
    """
    equity = checked_money("equity", values, rows)
    if not equity[0] > 0.0:
        raise ReturnsError(
            f"equity: it begins with {equity[0]}, expected more than 0",
            remedy="the first value is the initial capital",
        )
    return equity


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
