"""The table of metrics: each name, and what computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from etf_backtest.metrics import benchmark, capture, drawdown, moments, money, ratios, returns, tail
from etf_backtest.metrics.sample import Sample

DEFINITIONS: Mapping[str, Callable[[Sample], float]] = MappingProxyType(
    {
        "total_return": returns.total_return_of,
        "cagr": returns.cagr_of,
        "volatility": returns.volatility_of,
        "sharpe_ratio": ratios.sharpe_ratio_of,
        "sortino_ratio": ratios.sortino_ratio_of,
        "calmar_ratio": ratios.calmar_ratio_of,
        "max_drawdown": drawdown.max_drawdown_of,
        "ulcer_index": drawdown.ulcer_index_of,
        "ulcer_performance_index": ratios.ulcer_performance_index_of,
        "value_at_risk_95": tail.value_at_risk_of,
        "conditional_value_at_risk_95": tail.conditional_value_at_risk_of,
        "alpha": benchmark.alpha_of,
        "beta": benchmark.beta_of,
        "r_squared": benchmark.r_squared_of,
        "correlation": benchmark.correlation_of,
        "information_ratio": benchmark.information_ratio_of,
        "tracking_error": benchmark.tracking_error_of,
        "up_capture": capture.up_capture_of,
        "down_capture": capture.down_capture_of,
        "omega_ratio": ratios.omega_ratio_of,
        "tail_ratio": tail.tail_ratio_of,
        "skewness": moments.skewness_of,
        "kurtosis": moments.kurtosis_of,
        "win_rate": returns.win_rate_of,
        "money_weighted_return": money.money_weighted_return_of,
        "turnover": money.turnover_of,
    }
)
METRIC_NAMES = tuple(DEFINITIONS)
"""The metrics, in the order in which people read them; attributes of Metrics."""
