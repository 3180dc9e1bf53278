"""Return per unit of risk. `risk_free` is annual: a constant, or a dated series (with `dates`)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import UndefinedMetricError
from etf_backtest.metrics.checks import RiskFree
from etf_backtest.metrics.drawdown import max_drawdown_of, ulcer_index_of
from etf_backtest.metrics.periods import FLAT
from etf_backtest.metrics.returns import cagr_of
from etf_backtest.metrics.sample import (
    NEGLIGIBLE,
    SESSIONS_PER_YEAR,
    Sample,
    evaluate,
    scatter,
    varies,
)
from etf_backtest.typing import DateArray


def sharpe_ratio(
    returns: ArrayLike, risk_free: RiskFree = 0.0, dates: DateArray | None = None
) -> float:
    """mean(r - rf) / std(r - rf, ddof=1) * sqrt(252).

    W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994), 49-58.

    Raises
    ------
    UndefinedMetricError
        The returns are constant, or there is one only.
    """
    return evaluate(sharpe_ratio_of, Sample(returns, risk_free=risk_free, dates=dates))


def sortino_ratio(
    returns: ArrayLike, risk_free: RiskFree = 0.0, dates: DateArray | None = None
) -> float:
    """252 * mean(r - rf) / (sqrt(252) * sqrt(mean(min(r - rf, 0)^2))), over all sessions.

    F. A. Sortino and L. N. Price, "Performance Measurement in a Downside Risk Framework", Journal
    of Investing 3 (1994), 59-64.

    Raises
    ------
    UndefinedMetricError
        No return is below the risk-free rate.
    """
    return evaluate(sortino_ratio_of, Sample(returns, risk_free=risk_free, dates=dates))


def calmar_ratio(returns: ArrayLike, dates: DateArray) -> float:
    """CAGR / abs(max drawdown), both of the whole window.

    Raises
    ------
    UndefinedMetricError
        There is no drawdown, or the window is shorter than a year.
    """
    return evaluate(calmar_ratio_of, Sample(returns, dates=dates))


def ulcer_performance_index(
    returns: ArrayLike, dates: DateArray, risk_free: RiskFree = 0.0
) -> float:
    """(CAGR - rf) / ulcer index, of the whole window.

    Of a dated risk-free rate the mean is taken, compounded: prod(1 + rf a session)^(252 / n) - 1.
    P. G. Martin and B. McCann, "The Investor's Guide to Fidelity Funds" (1989).

    Raises
    ------
    UndefinedMetricError
        There is no drawdown, or the window is shorter than a year.
    """
    sample = Sample(returns, risk_free=risk_free, dates=dates)
    return evaluate(ulcer_performance_index_of, sample)


def omega_ratio(returns: ArrayLike) -> float:
    """Sum of the gains / sum of the losses, both counted from 0: sum(max(r, 0)) / sum(max(-r, 0)).

    C. Keating and W. F. Shadwick, "A Universal Performance Measure", Journal of Performance
    Measurement 6 (2002), 59-84.

    Raises
    ------
    UndefinedMetricError
        No return is below 0.
    """
    return evaluate(omega_ratio_of, Sample(returns))


def sharpe_ratio_of(sample: Sample) -> float:
    """`sharpe_ratio` of a sample."""
    deviation = scatter(sample.excess)
    if not varies(sample.excess, deviation):
        raise UndefinedMetricError("returns do not vary")
    return float(sample.excess.mean()) / deviation * math.sqrt(SESSIONS_PER_YEAR)


def sortino_ratio_of(sample: Sample) -> float:
    """`sortino_ratio` of a sample."""
    losses = np.minimum(sample.excess, 0.0)
    if losses.min() >= -FLAT:
        raise UndefinedMetricError("no return is below the risk-free rate")
    downside = math.sqrt(losses @ losses / sample.size)
    return float(sample.excess.mean()) * math.sqrt(SESSIONS_PER_YEAR) / downside


def calmar_ratio_of(sample: Sample) -> float:
    """`calmar_ratio` of a sample."""
    growth = cagr_of(sample)
    depth = -max_drawdown_of(sample)
    if depth <= NEGLIGIBLE:
        raise UndefinedMetricError("there is no drawdown")
    return growth / depth


def ulcer_performance_index_of(sample: Sample) -> float:
    """`ulcer_performance_index` of a sample."""
    growth = cagr_of(sample)
    ulcer = ulcer_index_of(sample)
    if ulcer <= NEGLIGIBLE:
        raise UndefinedMetricError("there is no drawdown")
    return (growth - sample.annual_rate) / ulcer


def omega_ratio_of(sample: Sample) -> float:
    """`omega_ratio` of a sample."""
    if sample.returns.min() >= -FLAT:
        raise UndefinedMetricError("no return is below 0")
    losses = -float(np.minimum(sample.returns, 0.0).sum())
    return float(np.maximum(sample.returns, 0.0).sum()) / losses
