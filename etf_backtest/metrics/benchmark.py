"""Returns beside those of a benchmark, session by session."""

from __future__ import annotations

import numpy as np

from etf_backtest.errors import UndefinedMetricError
from etf_backtest.metrics.ratios import session_rate
from etf_backtest.metrics.returns import NEGLIGIBLE, SESSIONS_PER_YEAR, scatter
from etf_backtest.typing import FloatArray


def beta(returns: FloatArray, benchmark: FloatArray, risk_free: float = 0.0) -> float:
    """Least-squares slope of r - rf on b - rf (the constant rf cancels).

    Raises
    ------
    UndefinedMetricError
        The benchmark's returns are constant, or there is one only.
    """
    rate = session_rate(risk_free)
    market = benchmark - rate
    if scatter(market) <= NEGLIGIBLE:
        raise UndefinedMetricError("the benchmark's returns do not vary")
    deviation = market - market.mean()
    return float(deviation @ (returns - rate) / (deviation @ deviation))


def alpha(returns: FloatArray, benchmark: FloatArray, risk_free: float = 0.0) -> float:
    """Least-squares intercept of r - rf on b - rf, times 252 (Jensen's alpha, not compounded).

    M. C. Jensen, "The Performance of Mutual Funds in the Period 1945-1964", Journal of Finance 23
    (1968), 389-416.
    """
    rate = session_rate(risk_free)
    slope = beta(returns, benchmark, risk_free)
    intercept = (returns - rate).mean() - slope * (benchmark - rate).mean()
    return float(intercept * SESSIONS_PER_YEAR)


def tracking_error(returns: FloatArray, benchmark: FloatArray) -> float:
    """Standard deviation of r - b (ddof = 1), annualised by sqrt(252)."""
    return float(scatter(returns - benchmark) * np.sqrt(SESSIONS_PER_YEAR))


def information_ratio(returns: FloatArray, benchmark: FloatArray) -> float:
    """252 * mean(r - b) / tracking error.

    Raises
    ------
    UndefinedMetricError
        Returns and the benchmark's differ by a constant, or there is one return only.
    """
    active = returns - benchmark
    if scatter(active) <= NEGLIGIBLE:
        raise UndefinedMetricError("returns do not deviate from the benchmark's")
    return float(SESSIONS_PER_YEAR * active.mean() / tracking_error(returns, benchmark))
