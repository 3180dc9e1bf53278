"""The float64 kernel against a book-keeper who goes day by day in Decimal, with all the rules.

They share only the inputs. Both must agree to 1e-9 relative on every day: equity, cash, holdings,
flows and costs.
"""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from etf_backtest.errors import EtfBacktestError
from etf_backtest.simulation import SimulationResult, simulate
from etf_backtest.simulation.ledger import LedgerResult, simulate_ledger
from tests.oracles.random_runs import Run, runs

AGREEMENT = 1e-9


def kernel(run: Run) -> SimulationResult:
    return simulate(
        run.panel,
        run.strategy,
        run.rules,
        benchmark=run.benchmark,
        start=run.start,
        end=run.end,
    )


def ledger(run: Run) -> LedgerResult:
    return simulate_ledger(
        run.panel,
        run.strategy,
        run.rules,
        benchmark=run.benchmark,
        start=run.start,
        end=run.end,
    )


def refused(simulator: Callable[[Run], object], run: Run) -> str | None:
    """The error that a run ends in; None where it has a result."""
    try:
        simulator(run)
    except EtfBacktestError as error:
        return str(error)
    return None


def agreement(books: LedgerResult) -> float:
    """1e-9; more where money is but a sliver of what is withdrawn, paid in or owed.

    A float64 knows a sum to its sixteenth digit, and the sliver to fewer.
    """
    slivers = [1.0]
    for day, prices in zip(books.days, books.prices, strict=True):
        held = sum(n * price for n, price in zip(day.shares, prices, strict=True))
        money = abs(day.value_before_flow) + abs(day.flow) + held
        lefts = (abs(day.equity), abs(day.value_before_flow))
        slivers.extend(float(left / money) for left in lefts if left)
    return max(AGREEMENT, 1e-12 / min(slivers))


@settings(deadline=None, max_examples=400)
@given(runs())
def test_all_rules_at_once(run: Run) -> None:
    refusal = refused(ledger, run)
    assert refused(kernel, run) == refusal
    if refusal is not None:
        return
    result, books = kernel(run), ledger(run)
    assert result.ruin_date == books.ruin_date
    allowed = agreement(books)
    assert books.difference(result) < allowed
    growth = float(np.prod(result.returns + 1))
    assert growth == pytest.approx(float(books.total_return + 1), rel=allowed, abs=allowed)
    trades = result.trades
    assert trades["symbol"].tolist() == [trade.symbol for trade in books.trades]
    assert trades["date"].dt.date.tolist() == [trade.date for trade in books.trades]
    books.check_identity()
