"""What is decided when: schedule and targets of a run, before anything is known of the money."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from etf_backtest.market import PricePanel
from etf_backtest.market.sessions import as_date
from etf_backtest.simulation.book import Plan
from etf_backtest.simulation.preparation import Prepared
from etf_backtest.simulation.rebalancing import Rebalancing
from etf_backtest.simulation.rules import Rules
from etf_backtest.simulation.schedule import decision_rows, fill_rows, flow_schedule
from etf_backtest.strategies import Strategy
from etf_backtest.strategies.strategy import is_own
from etf_backtest.strategies.weights import check_targets
from etf_backtest.typing import FloatArray, IndexArray


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A plan, and what has to be known about it."""

    plan: Plan
    rebalancing: Rebalancing
    lag: int
    notes: tuple[str, ...]

    def digest(self) -> str:
        """SHA-256 of rows and weights of every decision of the calendar, in hexadecimal."""
        parts = (self.plan.decisions.astype("<i8"), self.plan.targets.astype("<f8"))
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def plan_run(prepared: Prepared, strategy: Strategy, rules: Rules) -> Planned:
    """Ask the strategy for every decision of the calendar, and put flows and bands beside them."""
    dates = prepared.window.dates
    rebalancing = rules.rebalance or Rebalancing(period=strategy.rebalance)
    lag = strategy.default_lag if rules.lag is None else rules.lag
    decisions = decision_rows(dates, rebalancing)
    fills = fill_rows(decisions, lag=lag, sessions=dates.size)
    decisions = decisions[: fills.size]
    before = prepared.history.dates.size - dates.size
    flows = flow_schedule(dates, rules.cash_flows)

    def decide(row: int) -> FloatArray:
        ends = np.array([before + row + 1], dtype=np.intp)
        asked: FloatArray = decided_targets(strategy, prepared.history, ends, rules.max_leverage)[0]
        return asked

    plan = Plan(
        fills=fills,
        targets=decided_targets(
            strategy, prepared.history, decisions + before + 1, rules.max_leverage
        ),
        decisions=decisions,
        flows=flows,
        bands=rebalancing.bands,
        decide=decide,
        lag=lag,
        cashflow=rebalancing.cashflow,
        reinvest_lots=rules.lot_size is not None and rules.dividends == "reinvest",
    )
    notes = (*flows.notes, *_waiting(prepared, strategy, decisions + before + 1, fills))
    if not fills.size:
        notes = (*notes, never_filled(lag))
    return Planned(plan, rebalancing, lag, notes)


def never_filled(lag: int) -> str:
    """A word about a window in which no target is filled."""
    return (
        f"the window is too short to fill a target {lag} session{'s'[: lag != 1]} after its "
        "decision: the money stays in cash"
    )


def decided_targets(
    strategy: Strategy, history: PricePanel, ends: IndexArray, max_leverage: float
) -> FloatArray:
    """Checked target weights, shape (K, N); decision k knows the rows before `ends[k]`.

    Only strategies of this package are asked for many decisions at once. A class of somebody else
    is given the history of each decision and nothing more, whatever else it may define: it cannot
    look ahead.

    Raises
    ------
    AllocationError
        Weights that no portfolio can have, with the date of their decision.
    """
    if not ends.size:
        return np.zeros((0, len(strategy.symbols)))
    known, dates = history.rows(0, int(ends.max())), history.dates[ends - 1]
    if asked_once(strategy, ends):
        once = Strategy.targets(strategy, known, ends[:1])
        checked = check_targets(
            once, strategy.symbols, dates[:1], name=strategy.name, max_leverage=max_leverage
        )
        return np.repeat(checked, ends.size, axis=0)
    trusted = is_own(strategy)
    asked = strategy.targets(known, ends) if trusted else Strategy.targets(strategy, known, ends)
    return check_targets(
        asked, strategy.symbols, dates, name=strategy.name, max_leverage=max_leverage
    )


def asked_once(strategy: Strategy, ends: IndexArray) -> bool:
    """Whether the first answer is the answer on all dates.

    So it is for the fixed targets of this package. A class of somebody else that does not look at
    prices may still look at dates.
    """
    fixed = is_own(strategy) and not strategy.looks_at_prices
    return fixed and bool(strategy.is_ready(ends[:1]).all())


def _waiting(
    prepared: Prepared, strategy: Strategy, ends: IndexArray, fills: IndexArray
) -> tuple[str, ...]:
    """A word about decisions for which there is not enough history yet."""
    waiting = int(np.count_nonzero(~strategy.is_ready(ends)))
    if not waiting:
        return ()
    until = (
        f"until {as_date(prepared.window.dates[fills[waiting]])}"
        if waiting < fills.size
        else "for the whole window"
    )
    return (
        f"{strategy.name} looks at {strategy.needed_sessions} sessions; the prices begin on "
        f"{as_date(prepared.history.dates[0])}, too late for {waiting} of {fills.size} decisions, "
        f"and the money stays in cash {until}",
    )
