"""Returns beside those of a benchmark on the same sessions, shape (n,) both.

The regression is that of r - rf on b - rf with an intercept, by least squares. `risk_free` is
annual: a constant, or a dated series (with `dates`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import UndefinedMetricError
from etf_backtest.metrics.checks import RiskFree
from etf_backtest.metrics.sample import (
    SESSIONS_PER_YEAR,
    Sample,
    centred,
    evaluate,
    scatter,
    varies,
)
from etf_backtest.typing import DateArray, FloatArray


def beta(
    returns: ArrayLike,
    benchmark: ArrayLike,
    risk_free: RiskFree = 0.0,
    dates: DateArray | None = None,
) -> float:
    """Slope of the regression; a constant rf cancels.

    Raises
    ------
    UndefinedMetricError
        The benchmark's returns are constant, or there is one only.
    """
    sample = Sample(returns, benchmark=benchmark, risk_free=risk_free, dates=dates)
    return evaluate(beta_of, sample)


def alpha(
    returns: ArrayLike,
    benchmark: ArrayLike,
    risk_free: RiskFree = 0.0,
    dates: DateArray | None = None,
) -> float:
    """Intercept of the regression times 252 (Jensen's alpha, not compounded).

    M. C. Jensen, "The Performance of Mutual Funds in the Period 1945-1964", Journal of Finance 23
    (1968), 389-416.

    Raises
    ------
    UndefinedMetricError
        As for `beta`.
    """
    sample = Sample(returns, benchmark=benchmark, risk_free=risk_free, dates=dates)
    return evaluate(alpha_of, sample)


def r_squared(
    returns: ArrayLike,
    benchmark: ArrayLike,
    risk_free: RiskFree = 0.0,
    dates: DateArray | None = None,
) -> float:
    """Part of the variance of r - rf that the regression explains, from 0 to 1.

    Raises
    ------
    UndefinedMetricError
        Either's returns are constant, or there is one only.
    """
    sample = Sample(returns, benchmark=benchmark, risk_free=risk_free, dates=dates)
    return evaluate(r_squared_of, sample)


def correlation(returns: ArrayLike, benchmark: ArrayLike) -> float:
    """Pearson's correlation of r and b, from -1 to 1.

    Raises
    ------
    UndefinedMetricError
        Either's returns are constant, or there is one only.
    """
    return evaluate(correlation_of, Sample(returns, benchmark=benchmark))


def tracking_error(returns: ArrayLike, benchmark: ArrayLike) -> float:
    """Standard deviation of r - b (ddof = 1), annualised by sqrt(252).

    Raises
    ------
    UndefinedMetricError
        There is one return only.
    """
    return evaluate(tracking_error_of, Sample(returns, benchmark=benchmark))


def information_ratio(returns: ArrayLike, benchmark: ArrayLike) -> float:
    """252 * mean(r - b) / tracking error.

    Raises
    ------
    UndefinedMetricError
        Returns and the benchmark's differ by a constant, or there is one return only.
    """
    return evaluate(information_ratio_of, Sample(returns, benchmark=benchmark))


def beta_of(sample: Sample) -> float:
    """`beta` of a sample."""
    _demand_variation(sample.market, "the benchmark's returns")
    deviation = centred(sample.market)
    return float(deviation @ sample.excess / (deviation @ deviation))


def alpha_of(sample: Sample) -> float:
    """`alpha` of a sample."""
    slope = beta_of(sample)
    intercept = float(sample.excess.mean()) - slope * float(sample.market.mean())
    return intercept * SESSIONS_PER_YEAR


def r_squared_of(sample: Sample) -> float:
    """`r_squared` of a sample."""
    return _pearson(sample.excess, sample.market) ** 2


def correlation_of(sample: Sample) -> float:
    """`correlation` of a sample."""
    return _pearson(sample.returns, sample.benchmark)


def tracking_error_of(sample: Sample) -> float:
    """`tracking_error` of a sample."""
    return scatter(sample.active) * math.sqrt(SESSIONS_PER_YEAR)


def information_ratio_of(sample: Sample) -> float:
    """`information_ratio` of a sample."""
    deviation = scatter(sample.active)
    if not varies(sample.active, deviation):
        raise UndefinedMetricError("returns do not deviate from the benchmark's")
    return float(sample.active.mean()) / deviation * math.sqrt(SESSIONS_PER_YEAR)


def _pearson(own: FloatArray, other: FloatArray) -> float:
    _demand_variation(other, "the benchmark's returns")
    _demand_variation(own, "returns")
    mine, theirs = centred(own), centred(other)
    cosine = float(mine @ theirs) / math.sqrt(mine @ mine) / math.sqrt(theirs @ theirs)
    return float(np.clip(cosine, -1.0, 1.0))  # a rounding may step over


def _demand_variation(values: FloatArray, whose: str) -> None:
    if not varies(values, scatter(values)):
        raise UndefinedMetricError(f"{whose} do not vary")
