"""How a stored backtest looks in a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, cast

from etf_backtest.cli import console
from etf_backtest.cli.chart import braille_chart, plain

if TYPE_CHECKING:
    from etf_backtest.database.models import Backtest, PerformanceMetrics

CHART_HEIGHT = 8
LABEL_WIDTH = 12


class _Line(NamedTuple):
    label: str
    value: Decimal | None
    is_percent: bool


def _lines(metrics: PerformanceMetrics) -> list[_Line]:
    """The metrics in the order people read them."""
    return [
        _Line("total return", metrics.totalReturn, True),
        _Line("annualized return (CAGR)", metrics.annualizedReturn, True),
        _Line("volatility", metrics.volatility, True),
        _Line("max drawdown", metrics.maxDrawdown, True),
        _Line("Sharpe ratio", metrics.sharpeRatio, False),
        _Line("Sortino ratio", metrics.sortinoRatio, False),
        _Line("Calmar ratio", metrics.calmarRatio, False),
        _Line("value at risk 95 %, one session", metrics.valueAtRisk95, True),
        _Line("conditional value at risk 95 %", metrics.conditionalValueAtRisk95, True),
        _Line("win rate, months", metrics.winRate, True),
        _Line("alpha, annual", metrics.alpha, True),
        _Line("beta", metrics.beta, False),
        _Line("tracking error", metrics.trackingError, True),
        _Line("information ratio", metrics.informationRatio, False),
    ]


def _number(value: Decimal | None, *, is_percent: bool) -> str:
    if value is None:
        return "undefined"
    return f"{value:.2%}" if is_percent else f"{value:.4f}"


def _names(row: Backtest) -> tuple[str, str]:
    return (
        row.portfolio.name if row.portfolio else row.portfolioId,
        row.strategy.name if row.strategy else row.strategyId,
    )


def as_data(row: Backtest, *, results: bool = True) -> dict[str, object]:
    """A backtest for JSON: decimals as strings, so that no digit is lost."""
    portfolio, strategy = _names(row)
    metrics = row.metrics
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
        "metrics": metrics
        and {
            "window_start": metrics.windowStart.date().isoformat(),
            "window_end": metrics.windowEnd.date().isoformat(),
            "sessions": metrics.sessions,
            "total_return": _text(metrics.totalReturn),
            "annualized_return": _text(metrics.annualizedReturn),
            "volatility": _text(metrics.volatility),
            "sharpe_ratio": _text(metrics.sharpeRatio),
            "sortino_ratio": _text(metrics.sortinoRatio),
            "calmar_ratio": _text(metrics.calmarRatio),
            "max_drawdown": _text(metrics.maxDrawdown),
            "value_at_risk_95": _text(metrics.valueAtRisk95),
            "conditional_value_at_risk_95": _text(metrics.conditionalValueAtRisk95),
            "alpha": _text(metrics.alpha),
            "beta": _text(metrics.beta),
            "information_ratio": _text(metrics.informationRatio),
            "tracking_error": _text(metrics.trackingError),
            "win_rate": _text(metrics.winRate),
        },
    }
    if results:
        data["results"] = row.results
    return data


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def show_list(rows: Sequence[Backtest]) -> None:
    """Backtests as a table, one a row."""
    console.show_table(
        None,
        [
            ("id", "left"),
            ("name", "left"),
            ("from", "left"),
            ("to", "left"),
            ("status", "left"),
            ("CAGR", "right"),
            ("Sharpe", "right"),
        ],
        [
            (
                row.id[:8],
                row.name,
                row.startDate.date().isoformat(),
                row.endDate.date().isoformat(),
                str(row.status),
                _number(row.metrics.annualizedReturn, is_percent=True) if row.metrics else "-",
                _number(row.metrics.sharpeRatio, is_percent=False) if row.metrics else "-",
            )
            for row in rows
        ],
        fold="name",
    )


def show(row: Backtest, *, json: bool) -> None:
    """One backtest: what was run, metrics, curve and id on stdout, its warnings on stderr."""
    if json:
        console.show_json(as_data(row))
        return
    portfolio, strategy = _names(row)
    console.show_text(row.name, style="bold")
    if row.metrics is None:
        start, end = row.startDate.date(), row.endDate.date()
        console.show_text(f"{portfolio} with {strategy}, {start} to {end}: {row.status}")
        if row.errorMessage:
            console.show_text(row.errorMessage)
    else:
        _show_completed(row, row.metrics, portfolio, strategy)
    console.show_text(f"backtest {row.id}")


def _show_completed(
    row: Backtest, metrics: PerformanceMetrics, portfolio: str, strategy: str
) -> None:
    results = cast("Mapping[str, list[float]]", row.results)
    equity = results["equity"]
    console.show_text(
        f"{portfolio} with {strategy}, {metrics.windowStart.date()} to {metrics.windowEnd.date()}, "
        f"{metrics.sessions:,} sessions: {equity[0]:,.2f} -> {equity[-1]:,.2f}"
    )
    shown = [
        line
        for line in _lines(metrics)
        if row.benchmarkSymbol or line.label not in _AGAINST_BENCHMARK
    ]
    title = f"benchmark {row.benchmarkSymbol}" if row.benchmarkSymbol else None
    console.show_table(
        title,
        [("metric", "left"), ("value", "right")],
        [(line.label, _number(line.value, is_percent=line.is_percent)) for line in shown],
    )
    console.show_text("")
    _show_curve(equity, metrics)
    console.show_text("")
    for warning in results.get("warnings", []):
        console.warn(str(warning))


_AGAINST_BENCHMARK = {"alpha, annual", "beta", "tracking error", "information ratio"}


def _show_curve(equity: Sequence[float], metrics: PerformanceMetrics) -> None:
    width = max(20, min(100, console.terminal_width()) - LABEL_WIDTH - 2)
    lines = braille_chart(equity, width=width, height=CHART_HEIGHT)
    if not console.shows_braille():
        lines = plain(lines)
    labels = [f"{max(equity):,.0f}", *[""] * (CHART_HEIGHT - 2), f"{min(equity):,.0f}"]
    for label, line in zip(labels, lines, strict=True):
        console.show_text(f"{label:>{LABEL_WIDTH}} {line}")
    first, last = metrics.windowStart.date().isoformat(), metrics.windowEnd.date().isoformat()
    console.show_text(f"{'':>{LABEL_WIDTH}} {first}{last:>{width - len(first)}}")
