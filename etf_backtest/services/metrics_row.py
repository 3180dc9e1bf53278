"""Metrics as a row of performance_metrics: Decimal(10, 6), null where there is no number."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

from etf_backtest.database.decimals import to_column
from etf_backtest.metrics import METRIC_NAMES

if TYPE_CHECKING:
    from etf_backtest.database.models import PerformanceMetricsCreateInput
    from etf_backtest.simulation import SimulationResult

PRECISION, SCALE = 10, 6
LIMIT = Decimal(10) ** (PRECISION - SCALE)


def metrics_row(
    backtest_id: str, result: SimulationResult
) -> tuple[PerformanceMetricsCreateInput, tuple[str, ...]]:
    """The row of a result, and a warning for each metric that does not fit its column.

    Such a metric is null in the row and whole in the results: it is never clipped. `cagr` stands in
    the column annualized_return; every other metric has a column of its own name.
    """
    columns: dict[str, Decimal | None] = {}
    warnings: list[str] = []
    for name in METRIC_NAMES:
        value: float | None = getattr(result.metrics, name)
        columns[name] = None
        if value is not None:
            columns[name] = to_column(value, precision=PRECISION, scale=SCALE)
            if columns[name] is None:
                warnings.append(
                    f"{name} is {value!r}, which does not fit the table performance_metrics "
                    f"(below {LIMIT}): it is null there and whole in the results"
                )
    return (
        {
            "backtestId": backtest_id,
            "totalReturn": columns["total_return"],
            "annualizedReturn": columns["cagr"],
            "volatility": columns["volatility"],
            "sharpeRatio": columns["sharpe_ratio"],
            "sortinoRatio": columns["sortino_ratio"],
            "calmarRatio": columns["calmar_ratio"],
            "maxDrawdown": columns["max_drawdown"],
            "ulcerIndex": columns["ulcer_index"],
            "ulcerPerformanceIndex": columns["ulcer_performance_index"],
            "valueAtRisk95": columns["value_at_risk_95"],
            "conditionalValueAtRisk95": columns["conditional_value_at_risk_95"],
            "alpha": columns["alpha"],
            "beta": columns["beta"],
            "rSquared": columns["r_squared"],
            "correlation": columns["correlation"],
            "informationRatio": columns["information_ratio"],
            "trackingError": columns["tracking_error"],
            "upCapture": columns["up_capture"],
            "downCapture": columns["down_capture"],
            "omegaRatio": columns["omega_ratio"],
            "tailRatio": columns["tail_ratio"],
            "skewness": columns["skewness"],
            "kurtosis": columns["kurtosis"],
            "winRate": columns["win_rate"],
            "moneyWeightedReturn": columns["money_weighted_return"],
            "turnover": columns["turnover"],
            "windowStart": _midnight(result.window.start),
            "windowEnd": _midnight(result.window.end),
            "sessions": result.window.sessions,
        },
        tuple(warnings),
    )


def _midnight(date: dt.date) -> dt.datetime:
    return dt.datetime.combine(date, dt.time(tzinfo=dt.UTC))
