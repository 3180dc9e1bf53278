"""How a stored backtest looks in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from etf_backtest.cli import console
from etf_backtest.cli.backtest_data import metrics_of, names, with_results
from etf_backtest.cli.chart import braille_chart, plain
from etf_backtest.cli.metrics_table import MetricsTable
from etf_backtest.cli.progress_view import duration
from etf_backtest.cli.rules_view import money_moved, rules_in_words

if TYPE_CHECKING:
    from etf_backtest.database.models import Backtest, PerformanceMetrics
    from etf_backtest.database.summaries import BacktestSummary

CHART_HEIGHT = 8
LABEL_WIDTH = 12
MOMENT = "%Y-%m-%d %H:%M:%S %Z"
OF: Final[tuple[str, console.Justify]] = ("of", "left")

Data: TypeAlias = Mapping[str, object]


def show_list(
    rows: Sequence[BacktestSummary],
    ruins: Mapping[str, str],
    owners: Mapping[str, str | None] | None = None,
) -> None:
    """Backtests as a table, one a row, with their owners where those are given.

    `ruins` has the days on which nothing was left, by id.
    """
    console.show_table(
        None,
        [
            ("id", "left"),
            *([] if owners is None else [OF]),
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
                *(() if owners is None else (owners[row.userId] or "you",)),
                row.name,
                row.startDate.date().isoformat(),
                row.endDate.date().isoformat(),
                _status(row, ruins),
                _metric(row, "annualized_return"),
                _metric(row, "sharpe_ratio"),
            )
            for row in rows
        ],
        fold="name",
    )


def _status(row: BacktestSummary, ruins: Mapping[str, str]) -> str:
    return f"ruined {ruins[row.id]}" if row.id in ruins else str(row.status)


def _metric(row: BacktestSummary, column: str) -> str:
    if row.metrics is None:
        return "-"
    return next(str(metric) for metric in metrics_of(row.metrics) if metric.column == column)


def show(row: Backtest, *, json: bool, trades: bool = False, owner: str | None = None) -> None:
    """One backtest: what was run, metrics, curve and id on stdout, its warnings on stderr.

    `owner` is whose it is, where it is not the user's own.
    """
    if json:
        console.show_json(with_results(row, owner=owner))
        return
    if owner is not None:
        console.narrate(f"shared by {owner}")
    console.show_text(row.name, style="bold")
    if row.metrics is None:
        _show_unfinished(row, is_own=owner is None)
    else:
        _show_completed(row, row.metrics)
        if trades:
            _show_trades(cast("Data", row.results))
    console.show_text(f"backtest {row.id}")


def _show_unfinished(row: Backtest, *, is_own: bool) -> None:
    """One without metrics: where it stands, and why it failed."""
    portfolio, strategy = names(row)
    start, end = row.startDate.date(), row.endDate.date()
    console.show_text(f"{portfolio} with {strategy}, {start} to {end}: {row.status}")
    if row.errorMessage:
        console.show_text(row.errorMessage)
    console.show_text("")
    console.show_facts("queue", [*_queued(row)])
    console.show_text("")
    short = row.id[:8]
    if is_own and row.status == "failed":
        console.narrate(f"try it again: etf-backtest backtest retry {short}")
    elif is_own and row.status == "pending":
        console.narrate(f"see where it stands: etf-backtest backtest watch {short}")


def _queued(row: Backtest) -> Iterator[tuple[str, str]]:
    """Yield how it got on, by the database's clock."""
    yield "queued", f"{row.queuedAt:{MOMENT}}"
    if row.startedAt is not None:
        yield "started", f"{row.startedAt:{MOMENT}}"
    if row.completedAt is not None:
        yield "ended", f"{row.completedAt:{MOMENT}}"
    if row.priority:
        yield "priority", str(row.priority)
    if row.attempts:
        yield "attempts", str(row.attempts)


def _when(row: Backtest) -> Iterator[tuple[str, str]]:
    """Yield when it was computed, how long that took, and how long it had waited."""
    if row.startedAt is None or row.completedAt is None:
        return
    waited = duration((row.startedAt - row.queuedAt).total_seconds())
    took = duration((row.completedAt - row.startedAt).total_seconds())
    again = f" at attempt {row.attempts}" if row.attempts > 1 else ""
    yield "computed", f"{row.startedAt:{MOMENT}}{again}, {waited} after it was queued, in {took}"


def _show_completed(row: Backtest, metrics: PerformanceMetrics) -> None:
    portfolio, strategy = names(row)
    results = cast("Data", row.results)
    equity = cast("list[float]", results["equity"])
    console.show_text(
        f"{portfolio} with {strategy}, {metrics.windowStart.date()} to {metrics.windowEnd.date()}, "
        f"{metrics.sessions:,} sessions: {equity[0]:,.2f} -> {equity[-1]:,.2f}"
    )
    if kind := _kind(strategy, results):
        console.show_text(f"{strategy} is a strategy of the type {kind}")
    table = MetricsTable.of(metrics, results)
    console.show_table(
        f"benchmark {row.benchmarkSymbol}" if row.benchmarkSymbol else None,
        table.columns,
        list(table.rows()),
    )
    console.show_text("")
    console.show_facts("rules", [*rules_in_words(cast("Data", row.options), results)])
    console.show_text("")
    console.show_facts("money", [*money_moved(results)])
    console.show_text("")
    if origin := [*_when(row), *_origin(results)]:
        console.show_facts("origin", origin)
        console.show_text("")
    _show_curve(equity, metrics)
    console.show_text("")
    for warning in table.warnings:
        console.warn(warning)


def _kind(name: str, results: Data) -> str:
    """The type of a strategy, where its name does not say it."""
    kind = str(cast("Data", results.get("strategy") or {}).get("name", "")).replace("_", "-")
    return "" if kind == name.replace("_", "-") else kind


def _origin(results: Data) -> Iterator[tuple[str, str]]:
    """Yield what tells a run from any other; the first release did not store it."""
    if "fingerprint" in results:
        yield "fingerprint", str(results["fingerprint"])
    if isinstance(prices := results.get("prices"), Mapping):
        yield "prices", f"as stored in state {prices['revision']}"
    versions = cast("Mapping[str, str]", results.get("versions") or {})
    if versions:
        yield "computed with", ", ".join(f"{name} {versions[name]}" for name in sorted(versions))


def _show_trades(results: Data) -> None:
    trades = cast("Sequence[Mapping[str, object]]", results.get("trades") or ())
    console.show_table(
        "trades",
        [
            ("date", "left"),
            ("symbol", "left"),
            ("shares", "right"),
            ("price", "right"),
            ("notional", "right"),
            ("costs", "right"),
        ],
        [
            (
                str(trade["date"]),
                str(trade["symbol"]),
                f"{trade['shares']:,.4f}",
                f"{trade['price']:,.4f}",
                f"{trade['notional']:,.2f}",
                f"{_cost(trade):,.2f}",
            )
            for trade in trades
        ],
    )


def _cost(trade: Mapping[str, object]) -> float:
    parts = (trade.get("commission", 0.0), trade.get("slippage", 0.0))
    return sum(float(cast("float", part)) for part in parts)


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
