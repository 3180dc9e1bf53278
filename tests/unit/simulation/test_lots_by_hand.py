"""Whole lots, in runs that are short enough to compute by hand."""

import pytest

from etf_backtest.market import PricePanel
from etf_backtest.simulation import Costs, Rules, simulate
from etf_backtest.strategies import BuyAndHold, FixedWeights
from tests.unit.simulation.by_hand import TURN, near, prices, shares

ALL = BuyAndHold({"A": 1.0})
THIRTY = PricePanel.from_series([shares([30.0] * 4)])


@pytest.mark.parametrize(("lot", "held", "cash"), [(1, 33, 10), (10, 30, 100), (50, 0, 1000)])
def test_lots_are_rounded_down_and_the_rest_stays_in_cash(
    lot: float, held: float, cash: float
) -> None:
    result = simulate(THIRTY, ALL, Rules(initial_capital=1000, lot_size=lot))
    assert result.shares["A"].tolist() == [held] * 4
    near(result.cash, [cash] * 4)
    near(result.equity, [1000.0] * 4)
    assert len(result.trades) == (1 if held else 0)


@pytest.mark.parametrize("price", [0.1, 0.3, 0.7, 1.1, 3.3, 9.99, 123.45])
@pytest.mark.parametrize("lot", [0.1, 1.0, 7.0])
def test_an_exact_multiple_does_not_lose_a_lot_by_rounding(price: float, lot: float) -> None:
    panel = PricePanel.from_series([shares([price] * 3)])
    for lots in range(1, 60):
        capital = lots * lot * price  # rounded, perhaps down
        result = simulate(panel, ALL, Rules(initial_capital=capital, lot_size=lot))
        near(result.shares["A"], [lots * lot] * 3)
        assert 0 <= result.book.cash[0] < 1e-9 * capital


def test_costs_of_the_rounded_order() -> None:
    rules = Rules(initial_capital=1000, lot_size=1, costs=Costs(commission_bps=100))
    result = simulate(THIRTY, ALL, rules)
    # V' = 1000 / 1.01 = 990.1 are 33.003 shares; 33 cost 990 and 9.90
    assert result.shares["A"].tolist() == [33.0] * 4
    near(result.costs, [9.9, 0.0, 0.0, 0.0])
    near(result.cash, [10.0, 0.1, 0.1, 0.1])


def test_a_fixed_commission_leaves_less_for_lots() -> None:
    rules = Rules(initial_capital=1000, lot_size=1, costs=Costs(commission_fixed=20))
    result = simulate(THIRTY, ALL, rules)
    # 980 buy 32.67 shares; 32 cost 960, and 20 are left
    assert result.shares["A"].tolist() == [32.0] * 4
    near(result.cash, [40.0, 20.0, 20.0, 20.0])


def test_an_order_that_rounds_to_nothing_is_no_order() -> None:
    panel = PricePanel.from_series(
        [
            shares([100.0, 101.0, 101.0, 101.0], start=TURN),
            shares([100.0] * 4, start=TURN, symbol="B"),
        ]
    )
    rules = Rules(initial_capital=1002, lot_size=1, costs=Costs(commission_fixed=1))
    result = simulate(panel, FixedWeights({"A": 0.5, "B": 0.5}), rules)
    # 5 and 5 shares, 505 and 500 on row 1; V' = 1005 - 2, 501.5 each: 4.97 A, so one is sold, and
    # 5.015 B, which is what there is: only A pays
    assert result.shares.iloc[1].tolist() == [4.0, 5.0]
    near(result.costs, [2.0, 1.0, 0.0, 0.0])
    near(result.cash, [2.0, 100.0, 100.0, 100.0])
    assert result.trades["symbol"].tolist() == ["A", "B", "A"]


def test_a_reverse_split_leaves_odd_shares_until_the_next_order() -> None:
    # 15 shares become 1.5 on row 1; on row 2, the end of the month, they are taken to 90 %
    panel = PricePanel.from_series(
        [shares([10.0, 100.0, 100.0, 100.0], splits={1: 0.1}, start="2024-01-29")]
    )
    rules = Rules(initial_capital=150, lot_size=1, rebalance="never")
    kept = simulate(panel, ALL, rules)
    near(kept.shares["A"], [15.0, 1.5, 1.5, 1.5])
    near(kept.equity, [150.0] * 4)
    monthly = Rules(initial_capital=160, lot_size=1, rebalance="monthly")
    sold = simulate(panel, FixedWeights({"A": 0.9375}), monthly)
    # on weight again (150 of 160): no order
    near(sold.shares["A"], [15.0, 1.5, 1.5, 1.5])
    # 155 of capital buy 15 shares, 5 are left; all of 155 are 1.55 shares, of which one is whole
    whole = simulate(panel, ALL, monthly.model_copy(update={"initial_capital": 155.0}))
    near(whole.shares["A"], [15.0, 1.5, 1.0, 1.0])
    near(whole.cash, [5.0, 5.0, 55.0, 55.0])


def test_a_split_multiplies_lots() -> None:
    panel = PricePanel.from_series([shares([30.0, 10.0, 10.0], splits={1: 3.0})])
    result = simulate(panel, ALL, Rules(initial_capital=100, lot_size=1))
    assert result.shares["A"].tolist() == [3.0, 9.0, 9.0]
    near(result.equity, [100.0] * 3)


def test_where_closes_are_not_known_lots_count_units() -> None:
    result = simulate(prices(A=[30.0] * 3), ALL, Rules(initial_capital=1000, lot_size=1))
    assert result.shares["A"].tolist() == [33.0] * 3
    assert result.warnings[0] == (
        "A: closes are not known, so lots count units of the total-return prices, not shares"
    )
