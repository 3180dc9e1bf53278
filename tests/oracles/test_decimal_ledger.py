"""The float64 kernel against a book-keeper who goes day by day in Decimal, with all the rules.

They share only the inputs. Both must agree to 1e-9 relative on every day: equity, cash, holdings,
flows and costs.
"""

import datetime as dt
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from etf_backtest.errors import EtfBacktestError
from etf_backtest.market import PricePanel, PriceSeries
from etf_backtest.simulation import Rules, SimulationResult, simulate
from etf_backtest.simulation.ledger import LedgerResult, simulate_ledger
from etf_backtest.strategies import MovingAverage
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


def agree(run: Run) -> None:
    """Both have the same result, or end in the same error."""
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


@settings(deadline=None, max_examples=400)
@given(runs())
def test_all_rules_at_once(run: Run) -> None:
    agree(run)


def test_debt_without_costs_leaves_no_orders_of_rounding() -> None:
    """On 2003-02-13 D is bought again; G has its weight already, and no order.

    The test above found it: the ledger sold 2e-36 shares of G there.
    """
    days = ["02-03", "02-04", "02-05", "02-06", "02-07", "02-11", "02-13", "02-14"]
    d = [13.461943874495388, 13.38859206968514, 13.727827128689512, 13.763623980534167]
    d += [13.568705399830163, 13.636677627087042, 13.499490414985765, 13.402652345724876]
    g = [177.00252504481048, 176.74720030632758, 176.9466354330423, 177.08040031930852]
    g += [178.6563323164927, 185.6702296950639, 184.9282904192024, 184.4017629317463]
    dates = np.array([f"2003-{day}" for day in days], dtype="datetime64[D]")
    panel = PricePanel.from_series(
        PriceSeries.from_adjusted_closes(symbol, dates, numbers)
        for symbol, numbers in {"D": d, "G": g}.items()
    )
    strategy = MovingAverage({"D": 1.0, "G": 1.0}, window=2)
    rules = Rules(initial_capital=1, rebalance="daily", max_leverage=3, borrow_rate=0)
    run = Run(panel, strategy, rules)
    agree(run)
    last = [(t.date.day, t.symbol) for t in ledger(run).trades if t.date >= dt.date(2003, 2, 11)]
    assert last == [(11, "D"), (11, "G"), (13, "D")]
