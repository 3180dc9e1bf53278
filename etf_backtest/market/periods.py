"""Calendar periods of sessions."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from etf_backtest.typing import DateArray, IndexArray

Period: TypeAlias = Literal[
    "never", "daily", "weekly", "monthly", "quarterly", "semiannual", "annual"
]
"""How often something happens by the calendar. Weeks end on Sunday, half-years in June."""

_MONTHS = {"monthly": 1, "quarterly": 3, "semiannual": 6, "annual": 12}
_MONDAY = 3
"""Days from a Monday to 1970-01-01, where datetime64 counts from."""


def period_ends(dates: DateArray, period: Period) -> IndexArray:
    """Rows of the last session of each period, ascending, without the period that `dates` end in.

    Parameters
    ----------
    dates : ndarray of shape (T,), datetime64[D]
        Sessions, ascending.
    period : Period
    """
    if period == "never":
        return np.zeros(0, dtype=np.intp)
    periods = _periods(dates, period)
    return np.flatnonzero(periods[1:] != periods[:-1])


def _periods(dates: DateArray, period: Period) -> IndexArray:
    """A number for each row, equal within one period."""
    days = dates.astype("datetime64[D]").astype(np.int64)
    if period == "daily":
        return days
    if period == "weekly":
        return (days + _MONDAY) // 7
    return dates.astype("datetime64[M]").astype(np.int64) // _MONTHS[period]
