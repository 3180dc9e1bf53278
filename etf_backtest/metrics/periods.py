"""Returns of calendar months and years."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.metrics.checks import checked_dates, checked_returns
from etf_backtest.typing import BoolArray, DateArray, FloatArray, IndexArray

if TYPE_CHECKING:
    import pandas as pd

Period = Literal["M", "Y"]

FLAT = 1e-12
"""A return of a session, a month or a year that is nearer to 0 than this is rounding: it is 0."""


def growth_by_period(growth: FloatArray, dates: DateArray, period: Period) -> FloatArray:
    """Product of `growth`, shape (n,), in each calendar period that has a session after the first.

    `dates` has shape (n + 1,). A return belongs to the period in which it ends.
    """
    of = _periods(dates, period)
    starts = np.flatnonzero(np.concatenate(([True], of[1:] != of[:-1])))
    product: FloatArray = np.multiply.reduceat(growth, starts)
    return product


def returns_by_period(growth: FloatArray, dates: DateArray, period: Period) -> FloatArray:
    """Return of each calendar period, as `growth_by_period`; 0 where it is rounding."""
    returns: FloatArray = growth_by_period(growth, dates, period) - 1.0
    returns[np.abs(returns) <= FLAT] = 0.0
    return returns


def monthly_returns(returns: ArrayLike, dates: DateArray) -> FloatArray:
    """Return of each calendar month that has a return, first and last months as far as they go."""
    return _period_returns(returns, dates, "M")


def annual_returns(returns: ArrayLike, dates: DateArray) -> FloatArray:
    """Return of each calendar year that has a return, first and last years as far as they go."""
    return _period_returns(returns, dates, "Y")


@dataclass(frozen=True, slots=True, eq=False)
class ReturnTable:
    """Returns by year and month, with the years' totals.

    A period is partial if the window may have cut it: the first, where the initial value stands
    inside it, and the last, where a weekday of it is left after the last session. There is no
    exchange calendar: a period whose last weekday was a holiday counts as partial, too.

    Attributes
    ----------
    years : ndarray of shape (Y,), int
    months : ndarray of shape (Y, 12)
        Fractions; NaN where the window has no session.
    totals : ndarray of shape (Y,)
        Return of each year, as far as it is in the window.
    partial_months : ndarray of shape (Y, 12), bool
    partial_years : ndarray of shape (Y,), bool
    """

    years: IndexArray
    months: FloatArray
    totals: FloatArray
    partial_months: BoolArray
    partial_years: BoolArray

    def to_frame(self) -> pd.DataFrame:
        """Years x months 1 to 12, then `total` and `partial` (the year's)."""
        import pandas as pd  # late: importing it costs more than the table

        frame = pd.DataFrame(
            self.months.copy(),
            index=pd.Index(self.years, name="year"),
            columns=pd.Index(range(1, 13), name="month", dtype=object),
        )
        frame["total"] = self.totals
        frame["partial"] = self.partial_years
        return frame


def return_table(returns: ArrayLike, dates: DateArray) -> ReturnTable:
    """Table of monthly and annual returns.

    Parameters
    ----------
    returns : array of shape (n,)
    dates : array of shape (n + 1,)
        The session of the initial value first.

    Raises
    ------
    ReturnsError, PriceDataError
        Returns or dates that are none.
    """
    growth = checked_returns("returns", returns) + 1.0
    days = checked_dates(dates, growth.size)
    month_numbers = np.unique(_periods(days, "M").astype(np.int64))  # months since 1970-01
    first_year = 1970 + int(month_numbers[0]) // 12
    years = np.arange(first_year, 1970 + int(month_numbers[-1]) // 12 + 1)
    cells = month_numbers - 12 * (first_year - 1970)
    months, partial_months = np.full(years.size * 12, np.nan), np.zeros(years.size * 12, dtype=bool)
    totals, partial_years = np.full(years.size, np.nan), np.zeros(years.size, dtype=bool)
    with np.errstate(all="ignore"):
        months[cells] = returns_by_period(growth, days, "M")
        totals[np.unique(cells // 12)] = returns_by_period(growth, days, "Y")
    partial_months[cells[0]], partial_years[0] = _cut_at_start(days, "M"), _cut_at_start(days, "Y")
    partial_months[cells[-1]] |= _cut_at_end(days[-1], "M")
    partial_years[-1] |= _cut_at_end(days[-1], "Y")
    table = ReturnTable(
        years,
        months.reshape(-1, 12),
        totals,
        partial_months.reshape(-1, 12),
        partial_years,
    )
    for array in (table.years, table.months, table.totals):
        array.setflags(write=False)
    for flags in (table.partial_months, table.partial_years):
        flags.setflags(write=False)
    return table


def _period_returns(returns: ArrayLike, dates: DateArray, period: Period) -> FloatArray:
    growth = checked_returns("returns", returns) + 1.0
    with np.errstate(all="ignore"):
        return returns_by_period(growth, checked_dates(dates, growth.size), period)


def _periods(dates: DateArray, period: Period) -> DateArray:
    periods: DateArray = dates[1:].astype(f"datetime64[{period}]")
    return periods


def _cut_at_start(days: DateArray, period: Period) -> bool:
    unit = f"datetime64[{period}]"
    return bool(days[0].astype(unit) == days[1].astype(unit))


def _cut_at_end(last: np.datetime64, period: Period) -> bool:
    following = (last.astype(f"datetime64[{period}]") + 1).astype("datetime64[D]")
    return bool(np.busday_count(last + 1, following) > 0)
