"""Return per unit of risk."""

from __future__ import annotations

import numpy as np

from etf_backtest.errors import UndefinedMetricError
from etf_backtest.metrics.drawdown import max_drawdown
from etf_backtest.metrics.returns import (
    NEGLIGIBLE,
    SESSIONS_PER_YEAR,
    annualized_return,
    scatter,
)
from etf_backtest.typing import DateArray, FloatArray


def session_rate(annual: float) -> float:
    """Rate of one session that compounds to `annual` in 252."""
    return float((1.0 + annual) ** (1.0 / SESSIONS_PER_YEAR) - 1.0)


def sharpe_ratio(returns: FloatArray, risk_free: float = 0.0) -> float:
    """mean(r - rf) / std(r - rf, ddof=1) * sqrt(252); `risk_free` is annual.

    W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994), 49-58.

    Raises
    ------
    UndefinedMetricError
        The returns are constant, or there is one only.
    """
    excess = returns - session_rate(risk_free)
    deviation = scatter(excess)
    if deviation <= NEGLIGIBLE:
        raise UndefinedMetricError("returns do not vary")
    return float(excess.mean() / deviation * np.sqrt(SESSIONS_PER_YEAR))


def sortino_ratio(returns: FloatArray, risk_free: float = 0.0) -> float:
    """252 * mean(r - rf) / (sqrt(252) * sqrt(mean(min(r - rf, 0)^2))), over all sessions.

    F. A. Sortino and L. N. Price, "Performance Measurement in a Downside Risk Framework", Journal
    of Investing 3 (1994), 59-64.

    Raises
    ------
    UndefinedMetricError
        No return is below the risk-free rate.
    """
    excess = returns - session_rate(risk_free)
    downside = float(np.sqrt(np.mean(np.minimum(excess, 0.0) ** 2)))
    if downside <= NEGLIGIBLE:
        raise UndefinedMetricError("no return is below the risk-free rate")
    return float(excess.mean() * np.sqrt(SESSIONS_PER_YEAR) / downside)


def calmar_ratio(returns: FloatArray, dates: DateArray) -> float:
    """Annualised return / abs(max drawdown), both of the whole window.

    Raises
    ------
    UndefinedMetricError
        There is no drawdown, or the window is shorter than a year.
    """
    growth = annualized_return(returns, dates)
    depth = -max_drawdown(returns)
    if depth <= NEGLIGIBLE:
        raise UndefinedMetricError("there is no drawdown")
    return growth / depth
