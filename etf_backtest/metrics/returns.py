"""Returns over a window, a year, a month, and how much they scatter.

Returns are simple session returns, fractions, without NaN, of shape (n,). Dates are the n + 1
sessions from the initial value's to the last return's. Functions raise UndefinedMetricError, whose
message is the reason, where a metric has no finite value; none of them returns NaN.
"""

from __future__ import annotations

import numpy as np

from etf_backtest.errors import UndefinedMetricError
from etf_backtest.typing import DateArray, FloatArray

SESSIONS_PER_YEAR = 252
"""For annualising statistics of single sessions."""
DAYS_PER_YEAR = 365.25
"""For counting calendar years."""
SHORTEST_YEAR = 365
"""Days that a window must have to be annualised: any calendar year will do."""
NEGLIGIBLE = 1e-14
"""A scatter of returns below this is rounding: the returns are constant."""


def total_return(returns: FloatArray) -> float:
    """Product of (1 + return) minus 1."""
    return float(np.prod(1.0 + returns) - 1.0)


def annualized_return(returns: FloatArray, dates: DateArray) -> float:
    """Compound annual growth rate: (1 + total return)^(365.25 / days) - 1.

    Raises
    ------
    UndefinedMetricError
        The window is shorter than a year of 365 days.
    """
    days = int((dates[-1] - dates[0]) / np.timedelta64(1, "D"))
    if days < SHORTEST_YEAR:
        raise UndefinedMetricError(f"the window has {days} days, less than a year")
    return float((1.0 + total_return(returns)) ** (DAYS_PER_YEAR / days) - 1.0)


def scatter(values: FloatArray) -> float:
    """Standard deviation of a sample (ddof = 1), one session.

    Raises
    ------
    UndefinedMetricError
        Fewer than two returns.
    """
    if values.size < 2:
        raise UndefinedMetricError("one return has no standard deviation")
    return float(np.std(values, ddof=1))


def volatility(returns: FloatArray) -> float:
    """Standard deviation of returns (ddof = 1), annualised by sqrt(252)."""
    return float(scatter(returns) * np.sqrt(SESSIONS_PER_YEAR))


def monthly_returns(returns: FloatArray, dates: DateArray) -> FloatArray:
    """Return of each calendar month that has a return, first and last months as far as they go."""
    months = dates[1:].astype("datetime64[M]")
    starts = np.flatnonzero(np.concatenate(([True], months[1:] != months[:-1])))
    growth: FloatArray = np.multiply.reduceat(1.0 + returns, starts)
    return growth - 1.0


def win_rate(returns: FloatArray, dates: DateArray) -> float:
    """Fraction of calendar months whose return is above 0."""
    return float(np.mean(monthly_returns(returns, dates) > 0.0))
