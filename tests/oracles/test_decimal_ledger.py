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


@settings(deadline=None, max_examples=400)
@given(runs())
def test_all_rules_at_once(run: Run) -> None:
    refusal = refused(ledger, run)
    assert refused(kernel, run) == refusal
    if refusal is not None:
        return
    result, books = kernel(run), ledger(run)
    assert result.ruin_date == books.ruin_date
    assert books.difference(result) < AGREEMENT
    # what is earned does not depend on what is paid in: the returns agree, too
    growth = float(np.prod(result.returns + 1))
    assert growth - 1 == pytest.approx(float(books.total_return), rel=1e-9, abs=1e-9)
    books.check_identity()
