"""A stored backtest as data: for JSON, and for tables."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from etf_backtest.database.models import Backtest, PerformanceMetrics
    from etf_backtest.database.summaries import BacktestSummary


class Metric(NamedTuple):
    """One number of a backtest, under the name of its column."""

    group: str
    column: str
    label: str
    value: Decimal | None
    is_percent: bool

    def __str__(self) -> str:
        if self.value is None:
            return "undefined"
        return f"{self.value:,.2%}" if self.is_percent else f"{self.value:,.4f}"


RETURN, RISK, RATIOS, AGAINST, TRADING = "return", "risk", "ratios", "benchmark", "trading"


METRICS: Final[tuple[tuple[str, str, str, str, bool], ...]] = (
    (RETURN, "total_return", "total return", "totalReturn", True),
    (RETURN, "annualized_return", "annualized return (CAGR)", "annualizedReturn", True),
    (RETURN, "money_weighted_return", "money-weighted return a year", "moneyWeightedReturn", True),
    (RETURN, "win_rate", "win rate, months", "winRate", True),
    (RISK, "volatility", "volatility", "volatility", True),
    (RISK, "max_drawdown", "max drawdown", "maxDrawdown", True),
    (RISK, "ulcer_index", "ulcer index", "ulcerIndex", True),
    (RISK, "value_at_risk_95", "value at risk 95 %, one session", "valueAtRisk95", True),
    (
        RISK,
        "conditional_value_at_risk_95",
        "conditional value at risk 95 %",
        "conditionalValueAtRisk95",
        True,
    ),
    (RISK, "skewness", "skewness", "skewness", False),
    (RISK, "kurtosis", "excess kurtosis", "kurtosis", False),
    (RATIOS, "sharpe_ratio", "Sharpe ratio", "sharpeRatio", False),
    (RATIOS, "sortino_ratio", "Sortino ratio", "sortinoRatio", False),
    (RATIOS, "calmar_ratio", "Calmar ratio", "calmarRatio", False),
    (RATIOS, "ulcer_performance_index", "ulcer performance index", "ulcerPerformanceIndex", False),
    (RATIOS, "omega_ratio", "omega ratio", "omegaRatio", False),
    (RATIOS, "tail_ratio", "tail ratio", "tailRatio", False),
    (AGAINST, "alpha", "alpha, annual", "alpha", True),
    (AGAINST, "beta", "beta", "beta", False),
    (AGAINST, "r_squared", "R squared", "rSquared", False),
    (AGAINST, "correlation", "correlation", "correlation", False),
    (AGAINST, "tracking_error", "tracking error", "trackingError", True),
    (AGAINST, "information_ratio", "information ratio", "informationRatio", False),
    (AGAINST, "up_capture", "up capture, months", "upCapture", True),
    (AGAINST, "down_capture", "down capture, months", "downCapture", True),
    (TRADING, "turnover", "turnover a year", "turnover", True),
)
"""Group, column, label, attribute of the row, and whether it is a percent, as people read them."""


def metrics_of(m: PerformanceMetrics) -> tuple[Metric, ...]:
    """The metrics in the order people read them."""
    return tuple(
        Metric(group, column, label, getattr(m, attribute), is_percent)
        for group, column, label, attribute, is_percent in METRICS
    )


def names(row: Backtest | BacktestSummary) -> tuple[str, str]:
    """Portfolio and strategy by name, where they are known."""
    return (
        row.portfolio.name if row.portfolio else row.portfolioId,
        row.strategy.name if row.strategy else row.strategyId,
    )


def as_data(row: Backtest | BacktestSummary, *, owner: str | None = None) -> dict[str, object]:
    """A backtest without its results for JSON: decimals as strings, so that no digit is lost.

    `owner` is null where it is the user's own.
    """
    portfolio, strategy = names(row)
    return {
        "id": row.id,
        "name": row.name,
        "owner": owner,
        "is_shared": row.isShared,
        "portfolio": portfolio,
        "strategy": strategy,
        "status": str(row.status),
        "priority": row.priority,
        "attempts": row.attempts,
        "start_date": row.startDate.date().isoformat(),
        "end_date": row.endDate.date().isoformat(),
        "initial_capital": str(row.initialCapital),
        "benchmark_symbol": row.benchmarkSymbol,
        "options": row.options,
        "error_message": row.errorMessage,
        "queued_at": row.queuedAt.isoformat(),
        "started_at": row.startedAt and row.startedAt.isoformat(),
        "completed_at": row.completedAt and row.completedAt.isoformat(),
        "engine_version": row.engineVersion,
        "conventions_version": row.conventionsVersion,
        "data_revision": row.dataRevision,
        "metrics": row.metrics and _metrics_as_data(row.metrics),
    }


def with_results(row: Backtest, *, owner: str | None = None) -> dict[str, object]:
    """As `as_data`, with the results as they are stored."""
    return {**as_data(row, owner=owner), "results": row.results}


def _metrics_as_data(metrics: PerformanceMetrics) -> dict[str, object]:
    return {
        "window_start": metrics.windowStart.date().isoformat(),
        "window_end": metrics.windowEnd.date().isoformat(),
        "sessions": metrics.sessions,
        **{
            metric.column: None if metric.value is None else str(metric.value)
            for metric in metrics_of(metrics)
        },
    }
