"""Returns over a window and how much they scatter.

Here and in the modules beside this one, `returns` are simple session returns, fractions, shape
(n,), finite and -1 or more; `dates` are the n + 1 sessions from the initial value's to the last
return's. What is not like that is a ReturnsError (dates: PriceDataError). Where a metric has no
finite value, its function raises UndefinedMetricError, whose message is the reason; none of them
returns NaN.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import UndefinedMetricError
from etf_backtest.metrics.sample import (
    DAYS_PER_YEAR,
    SESSIONS_PER_YEAR,
    SHORTEST_YEAR,
    Sample,
    evaluate,
    scatter,
)
from etf_backtest.typing import DateArray


def total_return(returns: ArrayLike) -> float:
    """Product of (1 + return) minus 1; -1 after a session that lost everything."""
    return evaluate(total_return_of, Sample(returns))


def cagr(returns: ArrayLike, dates: DateArray) -> float:
    """Compound annual growth rate: (1 + total return)^(365.25 / days) - 1.

    Raises
    ------
    UndefinedMetricError
        The window is shorter than a year of 365 days.
    """
    return evaluate(cagr_of, Sample(returns, dates=dates))


annualized_return = cagr
"""Another name for `cagr`."""


def volatility(returns: ArrayLike) -> float:
    """Standard deviation of returns (ddof = 1), annualised by sqrt(252).

    Raises
    ------
    UndefinedMetricError
        There is one return only.
    """
    return evaluate(volatility_of, Sample(returns))


def win_rate(returns: ArrayLike, dates: DateArray) -> float:
    """Fraction of calendar months whose return is above 0, the first and last as far as they go.

    A return within 1e-12 of 0 is the rounding of a month without one, and not above 0.
    """
    return evaluate(win_rate_of, Sample(returns, dates=dates))


def total_return_of(sample: Sample) -> float:
    """`total_return` of a sample."""
    return float(sample.values[-1]) - 1.0


def cagr_of(sample: Sample) -> float:
    """`cagr` of a sample."""
    if sample.days < SHORTEST_YEAR:
        raise UndefinedMetricError(f"the window has {sample.days} days, less than a year")
    return math.pow(float(sample.values[-1]), DAYS_PER_YEAR / sample.days) - 1.0


def volatility_of(sample: Sample) -> float:
    """`volatility` of a sample."""
    return scatter(sample.returns) * math.sqrt(SESSIONS_PER_YEAR)


def win_rate_of(sample: Sample) -> float:
    """`win_rate` of a sample."""
    return float(np.mean(sample.months > 0.0))
