"""Batches in which everything is proportional to the value: many portfolios at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from etf_backtest.market import PricePanel
from etf_backtest.market.periods import Period
from etf_backtest.market.sessions import as_date
from etf_backtest.simulation.book import Interest
from etf_backtest.simulation.many.asking import Piece, pieces
from etf_backtest.simulation.many.course import Course, course_of
from etf_backtest.simulation.many.engine import EngineName, run_with
from etf_backtest.simulation.many.measures import Measures
from etf_backtest.simulation.many.portfolios import Portfolios
from etf_backtest.simulation.many.request import Request
from etf_backtest.simulation.many.singly import run_singly
from etf_backtest.simulation.many.table import Curves, Table
from etf_backtest.simulation.many.totals import Totals
from etf_backtest.simulation.notes import notes_on_inputs
from etf_backtest.simulation.planning import never_filled
from etf_backtest.simulation.preparation import Prepared, prepare
from etf_backtest.simulation.rebalancing import Rebalancing
from etf_backtest.simulation.rules import Rules
from etf_backtest.simulation.schedule import decision_rows, fill_rows
from etf_backtest.strategies import Strategy
from etf_backtest.typing import BoolArray, FloatArray, IndexArray

_CELLS = 4_000_000
"""Values of curves that are held in memory at a time: 32 MB."""


def is_proportional(rules: Rules) -> bool:
    """Whether what happens to one dollar happens to all of them, where nothing is borrowed."""
    return (
        rules.costs.proportional
        and not rules.cash_flows
        and rules.lot_size is None
        and rules.dividends == "reinvest"
        and (rules.rebalance is None or rules.rebalance.bands is None)
    )


def run_together(
    request: Request, portfolios: Portfolios, table: Table, engine: EngineName
) -> bool:
    """Run portfolios that trade the same symbols together, and alone those that borrow.

    Returns
    -------
    bool
        Whether any were run together.

    Raises
    ------
    EtfBacktestError
        As `simulate`.
    """
    together = False
    for numbers in _by_symbols(portfolios):
        strategies = [strategy for strategy, _ in portfolios.alike(numbers)]
        # the one that looks back furthest is given what all of them look at
        prepared = _prepared(request, max(strategies, key=_reach))
        longest = max(strategies, key=_need)
        if longest.needed_sessions > prepared.history.dates.size:
            _prepared(request, longest)  # which refuses it
        for note in prepared.notes:
            table.note(note, numbers)
        for timed in _by_dates(portfolios, numbers, request.rules):
            together |= _Group(request, prepared, portfolios, timed).run(table, engine)
    return together


@dataclass(frozen=True, slots=True)
class _Timed:
    """Portfolios that decide and trade on the same dates."""

    rebalancing: Rebalancing
    lag: int
    numbers: list[int]


class _Group:
    """Portfolios with the same symbols and dates."""

    def __init__(
        self, request: Request, prepared: Prepared, portfolios: Portfolios, timed: _Timed
    ) -> None:
        self.request, self.portfolios, self.timed = request, portfolios, timed
        self.prepared = prepared
        rules, window = request.rules, prepared.window
        dates = window.dates
        decisions = decision_rows(dates, timed.rebalancing)
        fills = fill_rows(decisions, lag=timed.lag, sessions=dates.size)
        self.ends = decisions[: fills.size] + prepared.history.dates.size - dates.size + 1
        self.course = course_of(
            window.select(prepared.history.symbols).prices,
            Interest.of(dates, rules.cash_rate, None).cash,
            fills,
            rate=rules.costs.rate,
        )
        self.measures = Measures(
            names=request.names,
            dates=dates,
            capital=rules.initial_capital,
            rate=rules.costs.rate,
            risk_free=request.risk_free,
            benchmark=_benchmark(window, request.benchmark),
        )

    def run(self, table: Table, engine: EngineName) -> bool:
        """Run all, piece by piece; whether any were run together."""
        with_curves = self.request.curves or self.measures.need_curves
        numbers, leverage = self.timed.numbers, self.request.rules.max_leverage
        most = max(32, _CELLS // self.course.sessions) if with_curves else len(numbers)
        together: list[int] = []
        alone: list[int] = []
        for asked in pieces(
            self.portfolios,
            numbers,
            self.prepared.history,
            self.ends,
            most=most,
            max_leverage=leverage,
        ):
            piece, borrowers = asked.without_borrowers() if leverage > 1 else (asked, [])
            alone += borrowers
            if not piece.numbers.size:
                continue
            together += piece.numbers.tolist()
            curves = None
            if with_curves:
                curves = np.empty((self.course.sessions, len(piece.numbers)))
            totals = run_with(engine, self.course, piece.targets, curves)
            self._measure(table, piece, totals, curves)
            # what left the range of numbers is run alone, and refused with its date
            alone += piece.numbers[~self._in_range(totals)].tolist()
        self._note(table, together)
        run_singly(self.request, self.portfolios, table, alone)
        return bool(together)

    def _measure(
        self, table: Table, piece: Piece, totals: Totals, curves: FloatArray | None
    ) -> None:
        left = self._in_range(totals)
        if not self.measures.need_curves:
            table.set(piece.numbers, self.measures.from_totals(totals))
            left &= ~totals.is_exact(self.course.sessions)
        for place, curve in _curves(self.course, piece, curves, np.flatnonzero(left)):
            values = self.measures.from_curve(curve, traded=float(totals.traded[place]))
            table.set(int(piece.numbers[place]), values)
        if self.request.curves and curves is not None:
            curves *= self.measures.capital
            table.curves.append(Curves(self.prepared.window.dates, piece.numbers, curves))

    def _in_range(self, totals: Totals) -> BoolArray:
        """Whether all values of a portfolio are positive numbers."""
        with np.errstate(over="ignore"):
            in_range: BoolArray = np.isfinite(totals.values * self.measures.capital)
        return in_range & (totals.final > 0)

    def _note(self, table: Table, about: list[int]) -> None:
        """What has to be known about the inputs, once for each kind of strategy."""
        if not about:
            return
        timed, window, history = self.timed, self.prepared.window, self.prepared.history
        kinds: dict[str, list[int]] = {}
        waiting: list[int] = []
        longest = 0
        for strategy, alike in self.portfolios.alike(about):
            kinds.setdefault(strategy.name, []).extend(alike)
            if self.ends.size and not strategy.is_ready(self.ends[:1])[0]:
                waiting.extend(alike)
                longest = max(longest, strategy.needed_sessions)
        for numbers in kinds.values():
            for note in notes_on_inputs(
                window,
                self.portfolios[numbers[0]],
                rebalancing=timed.rebalancing,
                lag=timed.lag,
                rules=self.request.rules,
            ):
                table.note(note, numbers)
        if waiting:
            table.note(
                f"the prices begin on {as_date(history.dates[0])}, too late for the first "
                f"decisions of strategies that look at up to {longest} sessions: their money stays "
                "in cash until then",
                waiting,
            )
        if not self.ends.size:
            table.note(never_filled(timed.lag), about)


def _curves(
    course: Course, piece: Piece, curves: FloatArray | None, places: IndexArray
) -> Iterator[tuple[int, FloatArray]]:
    """Curves of some portfolios of a piece, those that are not there yet run again."""
    step = 64
    for first in range(0, len(places), step):
        chosen = places[first : first + step]
        if curves is None:
            paths = np.empty((course.sessions, len(chosen)))
            run_with("numpy", course, piece.targets[chosen], paths)
        else:
            paths = curves[:, chosen]
        yield from zip(chosen.tolist(), np.ascontiguousarray(paths.T), strict=True)


def _benchmark(window: PricePanel, symbol: str | None) -> FloatArray | None:
    if symbol is None:
        return None
    level = window.prices[:, window.symbols.index(symbol)]
    returns: FloatArray = level[1:] / level[:-1] - 1.0
    return returns


def _prepared(request: Request, strategy: Strategy) -> Prepared:
    return prepare(
        request.panel, strategy, request.rules, request.benchmark, request.start, request.end
    )


def _reach(strategy: Strategy) -> float:
    """Sessions that it looks at."""
    return np.inf if strategy.history_sessions is None else strategy.history_sessions


def _need(strategy: Strategy) -> int:
    """Sessions without which it does not decide."""
    return strategy.needed_sessions


def _by_symbols(portfolios: Portfolios) -> Iterator[list[int]]:
    found: dict[tuple[str, ...], list[int]] = {}
    for strategy, numbers in portfolios.alike(range(len(portfolios))):
        found.setdefault(tuple(strategy.symbols), []).extend(numbers)
    yield from found.values()


def _by_dates(portfolios: Portfolios, numbers: list[int], rules: Rules) -> Iterator[_Timed]:
    """Portfolios by when they decide and trade."""
    found: dict[tuple[Period | None, int], list[int]] = {}
    for strategy, alike in portfolios.alike(numbers):
        period = strategy.rebalance if rules.rebalance is None else None
        lag = strategy.default_lag if rules.lag is None else rules.lag
        found.setdefault((period, lag), []).extend(alike)
    for (period, lag), timed in found.items():
        rebalancing = rules.rebalance or Rebalancing(period=period or "never")
        yield _Timed(rebalancing, lag, timed)
