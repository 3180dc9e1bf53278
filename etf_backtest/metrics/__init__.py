"""Metrics: arrays in, numbers out; the definitions are those of docs/conventions.md."""

from etf_backtest.metrics.benchmark import (
    alpha,
    beta,
    correlation,
    information_ratio,
    r_squared,
    tracking_error,
)
from etf_backtest.metrics.capture import down_capture, up_capture
from etf_backtest.metrics.contribution import (
    Contribution,
    contribution_to_return,
    contribution_to_risk,
)
from etf_backtest.metrics.definitions import METRIC_NAMES
from etf_backtest.metrics.drawdown import drawdowns, max_drawdown, ulcer_index
from etf_backtest.metrics.drawdown_table import Drawdown, drawdown_frame, drawdown_table
from etf_backtest.metrics.moments import kurtosis, skewness
from etf_backtest.metrics.money import money_weighted_return, turnover
from etf_backtest.metrics.performance import Metrics, summary
from etf_backtest.metrics.periods import ReturnTable, annual_returns, monthly_returns, return_table
from etf_backtest.metrics.ratios import (
    calmar_ratio,
    omega_ratio,
    sharpe_ratio,
    sortino_ratio,
    ulcer_performance_index,
)
from etf_backtest.metrics.returns import (
    annualized_return,
    cagr,
    total_return,
    volatility,
    win_rate,
)
from etf_backtest.metrics.rolling import ROLLING_METRICS, RollingMetrics, rolling
from etf_backtest.metrics.sample import SESSIONS_PER_YEAR
from etf_backtest.metrics.tail import conditional_value_at_risk, tail_ratio, value_at_risk

__all__ = [
    "METRIC_NAMES",
    "ROLLING_METRICS",
    "SESSIONS_PER_YEAR",
    "Contribution",
    "Drawdown",
    "Metrics",
    "ReturnTable",
    "RollingMetrics",
    "alpha",
    "annual_returns",
    "annualized_return",
    "beta",
    "cagr",
    "calmar_ratio",
    "conditional_value_at_risk",
    "contribution_to_return",
    "contribution_to_risk",
    "correlation",
    "down_capture",
    "drawdown_frame",
    "drawdown_table",
    "drawdowns",
    "information_ratio",
    "kurtosis",
    "max_drawdown",
    "money_weighted_return",
    "monthly_returns",
    "omega_ratio",
    "r_squared",
    "return_table",
    "rolling",
    "sharpe_ratio",
    "skewness",
    "sortino_ratio",
    "summary",
    "tail_ratio",
    "total_return",
    "tracking_error",
    "turnover",
    "ulcer_index",
    "ulcer_performance_index",
    "up_capture",
    "value_at_risk",
    "volatility",
    "win_rate",
]
