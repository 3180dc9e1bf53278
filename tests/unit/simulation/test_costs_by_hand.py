"""Costs of orders in runs that are short enough to compute by hand."""

import datetime as dt

import numpy as np
import pytest

from etf_backtest.errors import CostsError
from etf_backtest.market import PricePanel
from etf_backtest.simulation import Costs, Rules, simulate
from etf_backtest.strategies import BuyAndHold, FixedWeights
from etf_backtest.typing import FloatArray
from tests.unit.simulation.by_hand import TURN, near, prices

FLAT = prices(A=[100.0] * 4, B=[50.0] * 4)
# A doubles until the end of January, on row 1
DOUBLED = prices(start=TURN, A=[100.0, 200.0, 200.0, 200.0], B=[100.0] * 4)
HALF = FixedWeights({"A": 0.5, "B": 0.5})
ALL = BuyAndHold({"A": 1.0})
PERCENT = Costs(commission_bps=100)


def test_the_first_purchase_pays_its_costs_out_of_the_capital() -> None:
    result = simulate(FLAT, ALL, Rules(initial_capital=1010, costs=PERCENT))
    # V' + 1 % of V' = 1010: 10 A for 1000, and 10 of costs
    near(result.shares["A"], [10.0] * 4)
    near(result.costs, [10.0, 0.0, 0.0, 0.0])
    # before its costs on the first session, when they are still in the cash, after them later
    near(result.equity, [1010.0, 1000.0, 1000.0, 1000.0])
    near(result.cash, [10.0, 0.0, 0.0, 0.0])
    trade = result.trades.iloc[0]
    near(trade[["shares", "price", "notional", "commission", "slippage"]], [10, 100, 1000, 10, 0])
    # they are part of the change to the second session
    near(result.change_of_value.costs, [10.0, 0.0, 0.0])
    near(result.change_of_value.change, [-10.0, 0.0, 0.0])
    assert result.change_of_value.unexplained() == 0.0


def test_a_rest_in_cash_costs_nothing() -> None:
    result = simulate(FLAT, BuyAndHold({"A": 0.5}), Rules(initial_capital=1005, costs=PERCENT))
    # half of V' is bought: V' + 0.01 * 0.5 V' = 1005
    near(result.shares["A"], [5.0] * 4)
    near(result.cash, [505.0, 500.0, 500.0, 500.0])


def test_costs_of_the_first_session_earn_no_interest() -> None:
    rules = Rules(initial_capital=1005, costs=PERCENT, cash_rate=0.0365)  # 0.01 % a day
    result = simulate(FLAT, BuyAndHold({"A": 0.5}), rules)
    near(result.cash, [505.0, 500 * 1.0001, 500 * 1.0001**2, 500 * 1.0001**3])
    near(result.change_of_value.interest[0], 0.05)


def test_a_monthly_rebalance_meets_its_targets_after_costs() -> None:
    rules = Rules(initial_capital=1010, costs=Costs(commission_bps=60, slippage_bps=40))
    result = simulate(DOUBLED, HALF, rules)
    # 500 and 500 are bought, 10 of costs; on row 1 they are 1000 and 500. A is sold and B bought
    # down, or up, to V' / 2: V' + 1 % of ((1000 - V'/2) + (V'/2 - 500)) = 1500, so V' = 1495
    near(result.equity, [1010.0, 1495.0, 1495.0, 1495.0])
    near(result.shares.iloc[1], [747.5 / 200, 7.475])
    near(result.weights.iloc[1], [0.5, 0.5])
    near(result.cash, [10.0, 0.0, 0.0, 0.0])
    near(result.costs, [10.0, 5.0, 0.0, 0.0])
    sold, bought = result.trades.iloc[2], result.trades.iloc[3]
    columns = ["notional", "commission", "slippage"]
    near(sold[columns], [-252.5, 0.0060 * 252.5, 0.0040 * 252.5])
    near(bought[columns], [247.5, 0.0060 * 247.5, 0.0040 * 247.5])


def test_a_fixed_commission_for_each_order() -> None:
    result = simulate(DOUBLED, HALF, Rules(initial_capital=1010, costs=Costs(commission_fixed=5)))
    # 5 for each of two orders, then again
    near(result.equity, [1010.0, 1490.0, 1490.0, 1490.0])
    near(result.shares.iloc[1], [745.0 / 200, 7.45])
    near(result.trades["commission"], [5.0] * 4)


def test_a_lowest_commission() -> None:
    costs = Costs(commission_bps=100, commission_min=5)
    result = simulate(
        DOUBLED, FixedWeights({"A": 0.9, "B": 0.1}), Rules(initial_capital=1014, costs=costs)
    )
    # 900 of A cost 9, 100 of B the 5 at least; then 1800 and 100 become 0.9 and 0.1 of V': V' is
    # 1900 less 5 for 1890 of B, which is bought for less than 500, and 5 for A
    near(result.equity, [1014.0, 1890.0, 1890.0, 1890.0])
    near(result.trades["commission"], [9.0, 5.0, 5.0, 5.0])
    near(result.weights.iloc[1], [0.9, 0.1])


def test_a_commission_for_each_share() -> None:
    sixty = BuyAndHold({"A": 0.6, "B": 0.4})
    costs = Costs(commission_per_share=0.1)
    result = simulate(FLAT, sixty, Rules(initial_capital=1001.4, costs=costs))
    # 6 A and 8 B are 14 shares
    near(result.shares.iloc[0], [6.0, 8.0])
    near(result.trades["commission"], [0.6, 0.8])
    near(result.equity, [1001.4, 1000.0, 1000.0, 1000.0])


def test_slippage_is_a_worse_price_than_the_close() -> None:
    result = simulate(FLAT, ALL, Rules(initial_capital=1020, costs=Costs(slippage_bps=200)))
    # 10 shares at 102 each; the trade shows the close, and the 20 apart
    near(result.shares["A"], [10.0] * 4)
    trade = result.trades.iloc[0]
    near(trade[["price", "notional", "commission", "slippage"]], [100.0, 1000.0, 0.0, 20.0])
    near(result.equity.iloc[1:], [1000.0] * 3)


def test_what_is_on_its_weight_is_no_order() -> None:
    rules = Rules(initial_capital=1010, rebalance="daily", costs=Costs(commission_fixed=5))
    result = simulate(FLAT, HALF, rules)
    assert len(result.trades) == 2
    near(result.costs, [10.0, 0.0, 0.0, 0.0])


def test_a_lag_pays_later() -> None:
    result = simulate(FLAT, ALL, Rules(initial_capital=1010, costs=PERCENT, lag=1))
    near(result.equity, [1010.0, 1000.0, 1000.0, 1000.0])
    near(result.cash, [1010.0, 0.0, 0.0, 0.0])
    near(result.costs, [0.0, 10.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("capital", "fixed", "date", "money"),
    [
        # two orders of 600 each, with 1000
        (1000, 600, dt.date(2024, 1, 30), 1000.0),
        (1000, 500, dt.date(2024, 1, 30), 1000.0),
        # the first ones leave 400 of 1000, which become 600; two more cost as much
        (1000, 300, dt.date(2024, 1, 31), 600.0),
    ],
)
def test_costs_above_the_capital(capital: float, fixed: float, date: dt.date, money: float) -> None:
    rules = Rules(initial_capital=capital, costs=Costs(commission_fixed=fixed))
    with pytest.raises(CostsError, match=f"on {date} the orders would cost more than") as caught:
        simulate(DOUBLED, HALF, rules)
    assert caught.value.date == date
    assert caught.value.money == pytest.approx(money, rel=1e-13)
    assert caught.value.remedy is not None


def test_a_sale_that_costs_more_than_it_brings_is_not_made_on_credit() -> None:
    # 1 of A is sold for a commission of 2, and there is no cash for the rest of it
    class Out(FixedWeights):
        def target_weights(self, history: PricePanel) -> FloatArray:
            early = history.dates[-1] < np.datetime64("2024-01-03")
            return np.array([0.01, 0.99] if early else [0.0, 0.99])

    rules = Rules(initial_capital=104, rebalance="daily", costs=Costs(commission_fixed=2))
    with pytest.raises(CostsError, match=r"on 2024-01-03 the orders would cost more than the 100"):
        simulate(prices(A=[1.0] * 5, B=[1.0] * 5), Out({"A": 0.01, "B": 0.99}), rules)
