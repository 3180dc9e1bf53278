"""One run: from a panel, a strategy and rules to a result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etf_backtest.errors import InvalidParametersError, SimulationError, WindowError
from etf_backtest.market import PricePanel
from etf_backtest.market.missing import CompletePrices, complete_prices
from etf_backtest.market.sessions import as_date
from etf_backtest.metrics import summary
from etf_backtest.simulation.kernel import cash_growth, hold
from etf_backtest.simulation.notes import notes_on
from etf_backtest.simulation.result import SimulationResult, Window
from etf_backtest.simulation.rules import Rules
from etf_backtest.simulation.schedule import decision_rows, fill_rows
from etf_backtest.strategies import Rebalance, Strategy
from etf_backtest.strategies.weights import check_weights
from etf_backtest.typing import DateLike, FloatArray, IndexArray


def simulate(
    panel: PricePanel,
    strategy: Strategy,
    rules: Rules | None = None,
    *,
    benchmark: str | None = None,
    risk_free: float = 0.0,
    start: DateLike | None = None,
    end: DateLike | None = None,
) -> SimulationResult:
    """Run a strategy over the sessions from `start` to `end`.

    The initial capital is there at the close of the first session; the first targets are bought
    then, or `lag` sessions later. Targets are decided on the last session of each period and filled
    `lag` sessions later, at the close. In between weights drift; the last session never trades.

    Parameters
    ----------
    panel : PricePanel
        Total-return prices. Sessions before `start` are history for the strategy and are never
        traded; symbols that are neither traded nor the benchmark are ignored.
    strategy : Strategy
        Its `symbols` are what is traded.
    rules : Rules, optional
        Defaults to `Rules()`.
    benchmark : str, optional
        A symbol of the panel, held all the time, to compare with.
    risk_free : float
        Annual rate for the metrics, a fraction.
    start, end : date, optional
        The window, as in `PricePanel.window`; defaults to all of the panel.

    Raises
    ------
    UnknownSymbolError, WindowError, MissingPricesError
        The panel does not have what the run needs.
    AllocationError
        The strategy returns weights that no portfolio can have.
    InvalidParametersError
        `risk_free` is no rate.
    SimulationError
        The value is not a positive number on some session: the prices are absurd.
    """
    rules = Rules() if rules is None else rules
    _check_kinds(panel, strategy)
    check_risk_free(risk_free)
    prepared = _prepare(panel, strategy, rules, benchmark, start, end)
    window = prepared.window
    traded = window.select(strategy.symbols)
    rebalance = strategy.rebalance if rules.rebalance is None else rules.rebalance.period
    lag = strategy.default_lag if rules.lag is None else rules.lag
    plan = _targets(prepared, strategy, rebalance, lag)
    growth = cash_growth(window.dates, rules.cash_rate)
    against = None
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        book = hold(traded.prices, growth, plan.fills, plan.targets, rules.initial_capital)
        if benchmark is not None:
            level = window.prices[:, window.symbols.index(benchmark)]
            against = rules.initial_capital * (level / level[0])
    for values in (book.equity, against):
        _check_values(window, values)
    metrics = summary(
        _returns(book.equity),
        None if against is None else _returns(against),
        risk_free=risk_free,
        dates=window.dates,
    )
    return SimulationResult(
        panel=traded,
        book=book,
        benchmark=benchmark,
        benchmark_values=against,
        strategy=strategy.to_dict(),
        rules=rules,
        rebalance=rebalance,
        lag=lag,
        risk_free=risk_free,
        basis=dict(zip(window.symbols, window.basis, strict=True)),
        window=Window(as_date(window.dates[0]), as_date(window.dates[-1]), window.dates.size),
        metrics=metrics,
        warnings=(
            *prepared.notes,
            *notes_on(window, strategy, rebalance=rebalance, lag=lag, rules=rules),
            *plan.notes,
            *metrics.notes(),
        ),
    )


def check_risk_free(annual: float) -> None:
    """Raise InvalidParametersError unless `annual` is a rate, a fraction."""
    if not -1 < annual <= 1:
        raise InvalidParametersError(
            "simulate", [f"risk_free: expected an annual rate from -1 to 1, received {annual}"]
        )


def _check_kinds(panel: object, strategy: object) -> None:
    """Tell somebody in a notebook what was exchanged for what."""
    for name, value, kind, hint in (
        ("panel", panel, PricePanel, "PricePanel.from_frame(frame) makes one"),
        ("strategy", strategy, Strategy, "BuyAndHold({'SPY': 1.0}), for example"),
    ):
        if not isinstance(value, kind):
            raise InvalidParametersError(
                "simulate",
                [f"{name}: expected a {kind.__name__}, received {type(value).__name__}: {hint}"],
            )


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Complete prices, of the symbols that each part of a run needs."""

    window: PricePanel
    """The traded symbols and the benchmark on the sessions of the run."""
    history: PricePanel
    """The traded symbols alone, up to the end of the window: what the strategy may look at."""
    notes: tuple[str, ...]


def _prepare(
    panel: PricePanel,
    strategy: Strategy,
    rules: Rules,
    benchmark: str | None,
    start: DateLike | None,
    end: DateLike | None,
) -> _Prepared:
    """Cut the panel to the symbols and sessions of the run, and close its gaps.

    Before the window the benchmark plays no part: what the strategy sees, and so what it does, is
    the same with every benchmark.
    """
    extra = () if benchmark is None or benchmark in strategy.symbols else (benchmark,)
    used = panel.select((*strategy.symbols, *extra)).priced_sessions()
    first, stop = used.locate(start, end)
    window = complete_prices(used.rows(0, stop), rules.missing, first=first)
    if window.panel.dates.size < 2:  # `common` has cut into the window itself
        raise WindowError(
            f"{', '.join(used.symbols)} share fewer than 2 sessions of the window",
            start=as_date(used.dates[first]),
            end=as_date(used.dates[stop - 1]),
            remedy="choose another window, or leave out the symbol that ends early",
        )
    row = int(np.searchsorted(used.dates, window.panel.dates[0]))
    before = _before(used.select(strategy.symbols).rows(0, row), strategy, rules)
    return _Prepared(
        window.panel,
        before.panel.followed_by(window.panel.select(strategy.symbols)),
        (*window.notes, *(f"before the window, {note}" for note in before.notes)),
    )


def _before(panel: PricePanel, strategy: Strategy, rules: Rules) -> CompletePrices:
    """What the strategy looks at before the window: rows since all its symbols have prices."""
    known = ~np.isnan(panel.prices)
    panel, known = panel.priced_sessions(), known[known.any(axis=1)]
    begun = np.logical_or.accumulate(known, axis=0).all(axis=1)
    since = int(begun.argmax()) if begun.any() else begun.size
    if strategy.history_sessions is not None:
        since = max(since, begun.size - strategy.history_sessions + 1)
    # the ends of series are no matter here: `common` has nothing to clip
    policy = "error" if rules.missing == "common" else rules.missing
    return complete_prices(panel, policy, first=since)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """Targets (K, N) and the rows of the window on which they are filled (K,)."""

    fills: IndexArray
    targets: FloatArray
    notes: tuple[str, ...]


def _targets(prepared: _Prepared, strategy: Strategy, rebalance: Rebalance, lag: int) -> _Plan:
    """Ask the strategy on each decision's session, with what it can know then."""
    window, history = prepared.window, prepared.history
    decisions = decision_rows(window.dates, rebalance)
    fills = fill_rows(decisions, lag=lag, sessions=window.dates.size)
    ends = decisions[: fills.size] + history.dates.size - window.dates.size + 1
    span = strategy.history_sessions
    ready = ends >= (1 if span is None else span)
    targets = np.zeros((fills.size, len(strategy.symbols)))
    for k in np.flatnonzero(ready):
        stop = int(ends[k])
        known = history.rows(0 if span is None else stop - span, stop)
        targets[k] = check_weights(
            strategy.target_weights(known),
            strategy.symbols,
            when=f" that {strategy.name} decided on {as_date(known.dates[-1])}",
        )
    notes = []
    waiting = int(np.count_nonzero(~ready))
    if waiting:
        until = (
            f"until {as_date(window.dates[fills[waiting]])}"
            if waiting < fills.size
            else "for the whole window"
        )
        notes.append(
            f"{strategy.name} looks at {span} sessions; the prices begin on "
            f"{as_date(history.dates[0])}, too late for {waiting} of {fills.size} decisions, "
            f"and the money stays in cash {until}"
        )
    if not fills.size:
        notes.append(
            f"the window is too short to fill a target {lag} session(s) after its decision: "
            "the money stays in cash"
        )
    return _Plan(fills, targets, tuple(notes))


def _check_values(window: PricePanel, values: FloatArray | None) -> None:
    if values is None:
        return
    bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if bad.size:
        raise SimulationError(date=as_date(window.dates[bad[0]]), value=float(values[bad[0]]))


def _returns(values: FloatArray) -> FloatArray:
    returns: FloatArray = values[1:] / values[:-1] - 1.0
    return returns
