"""Metrics: arrays in, numbers out; the definitions are those of docs/conventions.md."""

from etf_backtest.metrics.benchmark import (
    alpha,
    beta,
    information_ratio,
    tracking_error,
)
from etf_backtest.metrics.drawdown import drawdowns, max_drawdown
from etf_backtest.metrics.performance import METRIC_NAMES, Metrics, summary
from etf_backtest.metrics.ratios import calmar_ratio, sharpe_ratio, sortino_ratio
from etf_backtest.metrics.returns import (
    SESSIONS_PER_YEAR,
    annualized_return,
    monthly_returns,
    total_return,
    volatility,
    win_rate,
)
from etf_backtest.metrics.tail import conditional_value_at_risk, value_at_risk

__all__ = [
    "METRIC_NAMES",
    "SESSIONS_PER_YEAR",
    "Metrics",
    "alpha",
    "annualized_return",
    "beta",
    "calmar_ratio",
    "conditional_value_at_risk",
    "drawdowns",
    "information_ratio",
    "max_drawdown",
    "monthly_returns",
    "sharpe_ratio",
    "sortino_ratio",
    "summary",
    "total_return",
    "tracking_error",
    "value_at_risk",
    "volatility",
    "win_rate",
]
