"""A stored backtest as data: for JSON, and for tables."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from etf_backtest.database.models import Backtest, PerformanceMetrics


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


def metrics_of(m: PerformanceMetrics) -> tuple[Metric, ...]:
    """The metrics in the order people read them."""
    return (
        Metric(RETURN, "total_return", "total return", m.totalReturn, True),
        Metric(RETURN, "annualized_return", "annualized return (CAGR)", m.annualizedReturn, True),
        Metric(
            RETURN,
            "money_weighted_return",
            "money-weighted return a year",
            m.moneyWeightedReturn,
            True,
        ),
        Metric(RETURN, "win_rate", "win rate, months", m.winRate, True),
        Metric(RISK, "volatility", "volatility", m.volatility, True),
        Metric(RISK, "max_drawdown", "max drawdown", m.maxDrawdown, True),
        Metric(RISK, "ulcer_index", "ulcer index", m.ulcerIndex, True),
        Metric(RISK, "value_at_risk_95", "value at risk 95 %, one session", m.valueAtRisk95, True),
        Metric(
            RISK,
            "conditional_value_at_risk_95",
            "conditional value at risk 95 %",
            m.conditionalValueAtRisk95,
            True,
        ),
        Metric(RISK, "skewness", "skewness", m.skewness, False),
        Metric(RISK, "kurtosis", "excess kurtosis", m.kurtosis, False),
        Metric(RATIOS, "sharpe_ratio", "Sharpe ratio", m.sharpeRatio, False),
        Metric(RATIOS, "sortino_ratio", "Sortino ratio", m.sortinoRatio, False),
        Metric(RATIOS, "calmar_ratio", "Calmar ratio", m.calmarRatio, False),
        Metric(
            RATIOS,
            "ulcer_performance_index",
            "ulcer performance index",
            m.ulcerPerformanceIndex,
            False,
        ),
        Metric(RATIOS, "omega_ratio", "omega ratio", m.omegaRatio, False),
        Metric(RATIOS, "tail_ratio", "tail ratio", m.tailRatio, False),
        Metric(AGAINST, "alpha", "alpha, annual", m.alpha, True),
        Metric(AGAINST, "beta", "beta", m.beta, False),
        Metric(AGAINST, "r_squared", "R squared", m.rSquared, False),
        Metric(AGAINST, "correlation", "correlation", m.correlation, False),
        Metric(AGAINST, "tracking_error", "tracking error", m.trackingError, True),
        Metric(AGAINST, "information_ratio", "information ratio", m.informationRatio, False),
        Metric(AGAINST, "up_capture", "up capture, months", m.upCapture, True),
        Metric(AGAINST, "down_capture", "down capture, months", m.downCapture, True),
        Metric(TRADING, "turnover", "turnover a year", m.turnover, True),
    )


def names(row: Backtest) -> tuple[str, str]:
    """Portfolio and strategy by name, where they are known."""
    return (
        row.portfolio.name if row.portfolio else row.portfolioId,
        row.strategy.name if row.strategy else row.strategyId,
    )


def as_data(row: Backtest, *, results: bool = True) -> dict[str, object]:
    """A backtest for JSON: decimals as strings, so that no digit is lost."""
    portfolio, strategy = names(row)
    data: dict[str, object] = {
        "id": row.id,
        "name": row.name,
        "portfolio": portfolio,
        "strategy": strategy,
        "status": str(row.status),
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
        "metrics": row.metrics and _metrics_as_data(row.metrics),
    }
    if results:
        data["results"] = row.results
    return data


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
