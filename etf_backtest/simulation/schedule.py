"""When targets are decided and when they are filled."""

from __future__ import annotations

import numpy as np

from etf_backtest.strategies import Rebalance
from etf_backtest.typing import DateArray, IndexArray

_MONTHS = {"monthly": 1, "quarterly": 3, "semiannual": 6, "annual": 12}
_MONDAY = 3
"""Days from a Monday to 1970-01-01, where datetime64 counts from."""


def decision_rows(dates: DateArray, rebalance: Rebalance) -> IndexArray:
    """Rows on which targets are decided, ascending.

    The first row, and the last session of each calendar period (weeks end on Sunday). The last row
    of the window is never one: nothing can follow from it.

    Parameters
    ----------
    dates : ndarray of shape (T,), datetime64[D]
    rebalance : Rebalance
    """
    if rebalance == "never":
        return np.zeros(1, dtype=np.intp)
    periods = _periods(dates, rebalance)
    ends = np.flatnonzero(periods[1:] != periods[:-1])
    return np.union1d(np.zeros(1, dtype=np.intp), ends)


def fill_rows(decisions: IndexArray, *, lag: int, sessions: int) -> IndexArray:
    """Rows at whose close each decision is filled; those on the last row or later never are.

    The decisions that are filled are the first ones, as many as rows are returned.
    """
    rows = decisions + lag
    return rows[rows < sessions - 1]


def _periods(dates: DateArray, rebalance: Rebalance) -> IndexArray:
    """A number for each row, equal within one period."""
    days = dates.astype("datetime64[D]").astype(np.int64)
    if rebalance == "daily":
        return days
    if rebalance == "weekly":
        return (days + _MONDAY) // 7
    return dates.astype("datetime64[M]").astype(np.int64) // _MONTHS[rebalance]
