"""Books as a broker keeps them: by hand, and what must hold for any run."""

from decimal import Decimal

import pytest
from hypothesis import given, settings

from etf_backtest.errors import EtfBacktestError
from etf_backtest.simulation import Costs, Rules
from etf_backtest.simulation.ledger import simulate_ledger
from etf_backtest.strategies import BuyAndHold
from tests.oracles.random_runs import Run, runs
from tests.unit.simulation.ledger.books import quoted, total_returns

CENT, MILLIONTH = Decimal("0.01"), Decimal("0.000001")


def test_by_hand() -> None:
    rules = Rules(
        initial_capital=100, costs=Costs(commission_bps=10), dividends="cash", cash_rate=0.5
    )
    panel = quoted([30, 30, 30], dividends={1: 0.0222})
    books = simulate_ledger(panel, BuyAndHold({"A": 0.5}), rules, round_to_cents=True)
    first, second, last = books.days
    # 0.5 V + 0.5 V + 0.0005 V = 100: V = 99.950025, 1.665833749... shares
    assert first.shares == (Decimal("1.665834"),)
    # 49.97502 for the shares, paid with 49.98, and 0.04998 of commission
    assert (first.cash, first.commission) == (Decimal("50.02"), Decimal("0.05"))
    assert first.rounding == Decimal("-0.00498")
    # 49.97 * 50 % / 365 is 0.0684...; 1.665834 * 0.0222 is 0.0369...
    assert (second.interest, second.dividends) == (Decimal("0.07"), Decimal("0.04"))
    assert second.cash == Decimal("50.08")
    assert last.equity == Decimal("50.15") + Decimal("49.97502")
    difference = books.rounding_difference
    assert difference is not None
    exact = simulate_ledger(panel, BuyAndHold({"A": 0.5}), rules)
    assert difference.amounts[-1] == last.equity - exact.days[-1].equity
    assert difference.series.tolist() == [float(amount) for amount in difference.amounts]
    assert abs(difference.worst) == max(abs(amount) for amount in difference.amounts)
    assert exact.rounding_difference is None


def test_a_cent_that_is_not_there_is_not_spent() -> None:
    # 33.335 each are 33.34 (half to even), a cent too much; 33.325 of one of them are 33.32
    panel = total_returns(A=[1, 1], B=[1, 1])
    rules = Rules(initial_capital=66.67)
    books = simulate_ledger(panel, BuyAndHold({"A": 0.5, "B": 0.5}), rules, round_to_cents=True)
    assert {trade.notional for trade in books.trades} == {Decimal("33.34"), Decimal("33.32")}
    assert books.days[0].cash == CENT


@settings(deadline=None, max_examples=100)
@given(runs(most_sessions=120))
def test_any_run(run: Run) -> None:
    try:
        books = simulate_ledger(
            run.panel, run.strategy, run.rules, start=run.start, end=run.end, round_to_cents=True
        )
    except EtfBacktestError:
        return
    books.check_identity()
    for day in books.days:
        for amount in (
            day.cash,
            day.flow,
            day.commission,
            day.slippage,
            day.dividends,
            day.interest,
        ):
            assert amount == amount.quantize(CENT)
        if run.rules.lot_size is None:
            assert all(count == count.quantize(MILLIONTH) for count in day.shares)
        assert day.cash >= 0 or run.rules.max_leverage > 1 or day.interest < 0


def test_a_large_account_hardly_notices() -> None:
    panel = total_returns(A=[100, 101.5, 99.3, 104.1], B=[50, 50.4, 51.7, 50.9])
    rules = Rules(
        initial_capital=1e6, rebalance="daily", costs=Costs(commission_bps=5), cash_rate=0.03
    )
    books = simulate_ledger(panel, BuyAndHold({"A": 0.5, "B": 0.4}), rules, round_to_cents=True)
    assert books.rounding_difference is not None
    # at most half a cent for each of the amounts of three days: orders, commissions, interest
    assert abs(books.rounding_difference.worst) <= Decimal("0.005") * 15
    assert abs(books.rounding_difference.worst_fraction) < Decimal("1e-7")
    with pytest.raises(AttributeError):
        books.ruin_date = None  # type: ignore[misc]
