"""Borrowed money, in runs that are short enough to compute by hand."""

import datetime as dt
from typing import Any

import numpy as np
import pytest

from etf_backtest.errors import AllocationError, RateError
from etf_backtest.errors.simulation import LeverageError
from etf_backtest.market import PricePanel
from etf_backtest.simulation import Bands, CashFlow, Costs, Rules, simulate
from etf_backtest.simulation.ledger import simulate_ledger
from etf_backtest.strategies import BuyAndHold, FixedWeights
from etf_backtest.typing import FloatArray
from tests.unit.simulation.by_hand import near, prices

HALF_MORE = BuyAndHold({"A": 1.5})
TWICE = BuyAndHold({"A": 2.0})
CENT_A_DAY = 0.0365
"""0.01 % a calendar day."""


def borrowing(rate: Any = 0.0, **others: Any) -> Rules:
    return Rules(**{"initial_capital": 1000, "max_leverage": 2, "borrow_rate": rate, **others})


def test_what_is_borrowed_pays_the_borrow_rate() -> None:
    panel = prices(A=[100.0, 110.0, 90.0])
    result = simulate(panel, HALF_MORE, borrowing(CENT_A_DAY, cash_rate=0.5))
    # 15 shares; 500 borrowed
    debt = [-500.0, -500.05, -500.05 * 1.0001]
    near(result.cash, debt)
    near(result.equity, [1000.0, 1650 + debt[1], 1350 + debt[2]])
    near(result.change_of_value.interest, [-0.05, -500.05 * 0.0001])
    near(result.weights["A"].iloc[0], 1.5)


def test_a_weekend_costs_three_days() -> None:
    panel = prices(start="2024-01-05", A=[100.0] * 3)
    result = simulate(panel, HALF_MORE, borrowing(CENT_A_DAY))
    near(result.cash, [-500.0, -500.15, -500.15 * 1.0001])


def test_dated_borrow_rates() -> None:
    panel = prices(A=[100.0] * 4)
    rate = {"2024-01-01": CENT_A_DAY, "2024-01-02": 2 * CENT_A_DAY}
    result = simulate(panel, HALF_MORE, borrowing(rate))
    # the rate of the session before holds
    near(result.cash.iloc[:3], [-500.0, -500.05, -500.05 * 1.0002])
    with pytest.raises(RateError, match="the rates begin on 2024-01-02, after the first session"):
        simulate(panel, HALF_MORE, borrowing({"2024-01-02": 0.05}))


def test_costs_of_a_purchase_with_borrowed_money() -> None:
    panel = prices(A=[100.0] * 3)
    rules = borrowing(initial_capital=1015, costs=Costs(commission_bps=100))
    result = simulate(panel, HALF_MORE, rules)
    # V' + 1 % of 1.5 V' = 1015
    near(result.equity, [1015.0, 1000.0, 1000.0])
    near(result.cash, [-485.0, -500.0, -500.0])
    near(result.shares["A"], [15.0] * 3)


def test_rebalancing_keeps_the_leverage() -> None:
    panel = prices(A=[100.0, 110.0, 110.0])
    result = simulate(panel, FixedWeights({"A": 1.5}, rebalance="daily"), borrowing())
    # 1650 - 500 = 1150: 1725 of A, 575 borrowed
    near(result.cash, [-500.0, -575.0, -575.0])
    near(result.shares["A"], [15.0, 1725 / 110, 1725 / 110])


def test_without_costs_a_symbol_on_its_weight_has_no_order() -> None:
    panel = prices(A=[3.0, 3.0, 3.0], B=[7.0, 7.7, 7.7])
    both = FixedWeights({"A": 1.0, "B": 1.0}, rebalance="daily")
    result = simulate(panel, both, borrowing())
    # B is worth 1100, and so is 1000 + 1100 - 1000: A alone is bought, for 100
    near(result.equity, [1000.0, 1100.0, 1100.0])
    near(result.cash, [-1000.0, -1100.0, -1100.0])
    assert result.trades["symbol"].tolist() == ["A", "B", "A"]
    near(result.trades["notional"], [1000.0, 1000.0, 100.0])
    books = simulate_ledger(panel, both, borrowing())
    assert [trade.symbol for trade in books.trades] == ["A", "B", "A"]
    books.check_identity()


def test_with_costs_and_debt_it_shares_them() -> None:
    panel = prices(A=[3.0, 3.0, 3.0], B=[7.0, 7.7, 7.7])
    both = FixedWeights({"A": 1.0, "B": 1.0}, rebalance="daily")
    result = simulate(panel, both, borrowing(1e-9, costs=Costs(slippage_bps=1)))
    assert result.trades["symbol"].tolist() == ["A", "B", "A", "B"]


def test_bands_see_weights_of_the_value_not_of_the_holdings() -> None:
    panel = prices(A=[100.0, 110.0, 80.0, 80.0])
    # 1650 / 1150 = 1.43; 1200 / 700 = 1.71
    result = simulate(panel, HALF_MORE, borrowing(rebalance=Bands(absolute=0.2)))
    near(result.shares["A"], [15.0, 15.0, 1050 / 80, 1050 / 80])


def test_a_flow_keeps_the_leverage() -> None:
    panel = prices(A=[100.0, 110.0, 110.0])
    flow = CashFlow(amount=115, on="2024-01-02")
    result = simulate(panel, HALF_MORE, borrowing(cash_flows=[flow]))
    # 1150 become 1265, 1.1 times
    near(result.shares["A"], [15.0, 16.5, 16.5])
    near(result.cash, [-500.0, -550.0, -550.0])


def test_new_money_pays_off_debt_above_its_target() -> None:
    # 1200 of A and 500 of debt: the value 700 has 1.71 of A; with 100 more the target is 1.5 * 800,
    # which is what there is: all of it pays off debt
    panel = prices(A=[100.0, 80.0, 80.0])
    rules = borrowing(rebalance="cashflow", cash_flows=[CashFlow(amount=100, on="2024-01-02")])
    result = simulate(panel, HALF_MORE, rules)
    near(result.shares["A"], [15.0] * 3)
    near(result.cash, [-500.0, -400.0, -400.0])


@pytest.mark.parametrize(("low", "value"), [(50.0, 0.0), (40.0, -200.0)])
def test_a_value_of_zero_or_less_ends_the_run(low: float, value: float) -> None:
    panel = prices(A=[100.0, 75.0, low, 100.0, 100.0])
    result = simulate(panel, TWICE, borrowing())
    # 20 shares, 1000 borrowed
    assert result.ruin_date == dt.date(2024, 1, 3)
    near(result.equity, [1000.0, 500.0, value])
    near(result.shares["A"], [20.0] * 3)
    near(result.returns, [-0.5, -1.0])
    assert result.metrics.total_return == -1.0
    assert result.warnings[0] == (
        f"the run ends on 2024-01-03: the value fell to {value:,.2f}, the borrowed money could not "
        "be paid back; that session counts as a loss of everything"
    )
    stored: dict[str, Any] = result.to_dict()
    assert stored["ruin"] == {"date": "2024-01-03", "by": "borrowing"}
    assert result.change_of_value.unexplained() < 1e-15


def test_ruin_comes_before_that_days_flow_and_rebalance() -> None:
    panel = prices(A=[100.0, 75.0, 40.0, 100.0, 100.0])
    rules = borrowing(cash_flows=[CashFlow(amount=5000, on="2024-01-03")], rebalance="daily")
    result = simulate(panel, TWICE, rules)
    # daily: 500 on row 1, 1000 of A; 13.33 shares at 40 are 533.33, and 500 are borrowed
    near(result.equity.iloc[:2], [1000.0, 500.0])
    near(result.equity.iloc[2], 40 * 1000 / 75 - 500 + 5000)
    never = simulate(panel, TWICE, borrowing(cash_flows=[CashFlow(amount=5000, on="2024-01-03")]))
    near(never.equity, [1000.0, 500.0, -200.0])
    near(never.flows, [0.0, 0.0, 0.0])


def test_ruin_on_the_last_session() -> None:
    result = simulate(prices(A=[100.0, 100.0, 40.0]), TWICE, borrowing())
    near(result.equity, [1000.0, 1000.0, -200.0])
    assert result.ruin_date == dt.date(2024, 1, 3)


def test_without_ruin_the_end_is_no_ruin() -> None:
    result = simulate(prices(A=[100.0, 100.0, 51.0]), TWICE, borrowing())
    near(result.equity, [1000.0, 1000.0, 20.0])
    assert result.ruin_date is None


def test_a_withdrawal_of_more_than_the_value_repays_the_debt_first() -> None:
    panel = prices(A=[100.0, 80.0, 80.0])
    rules = borrowing(cash_flows=[CashFlow(amount=-5000, on="2024-01-02")])
    result = simulate(panel, HALF_MORE, rules)
    # 1200 are sold, 500 owed
    near(result.flows, [0.0, -700.0])
    near(result.equity, [1000.0, 0.0])


def test_leverage_that_the_rules_do_not_allow() -> None:
    panel = prices(A=[100.0] * 3)
    with pytest.raises(LeverageError, match=r"sum to 1\.5, above 1: leverage is off") as caught:
        simulate(panel, HALF_MORE)
    assert isinstance(caught.value, AllocationError)
    assert "Rules(max_leverage=1.5, borrow_rate" in str(caught.value)
    rules = Rules(max_leverage=1.2, borrow_rate=0.05)
    with pytest.raises(LeverageError, match=r"sum to 1\.5, above max_leverage = 1\.2"):
        simulate(panel, HALF_MORE, rules)


def test_a_symbol_on_its_weight_beside_one_that_is_not() -> None:
    """A has grown as the whole: 1.5 * 1.1 of 1.1."""
    panel = prices(A=[100.0, 110.0, 110.0], B=[100.0, 90.0, 90.0])
    weights = FixedWeights({"A": 1.5, "B": 0.5}, rebalance="daily")
    rules = borrowing(costs=Costs(commission_bps=100), initial_capital=1020)
    result = simulate(panel, weights, rules)
    # 1500 and 500, 1000 of debt, become 1650, 450 and 1000: 1100. B alone would be ordered, but
    # its costs make A too heavy, too: V' + 1 % of ((1650 - 1.5 V') + (0.5 V' - 450)) = 1100, so
    # 0.99 V' = 1088
    value = 1088 / 0.99
    near(result.equity, [1020.0, value, value])
    near(result.weights.iloc[1], [1.5, 0.5])
    near(result.costs, [20.0, 1100 - value, 0.0])


def test_a_sale_beside_a_debt_that_is_on_its_weight() -> None:
    # 15 of A, 10 of B, 1000 borrowed; B is sold: 500 less a commission of 1, and nothing else moves
    class Less(FixedWeights):
        def target_weights(self, history: PricePanel) -> FloatArray:
            return np.array([1.5, 0.5 if history.dates[-1] < np.datetime64("2024-01-02") else 0.0])

    panel = prices(A=[100.0] * 3, B=[50.0] * 3)
    rules = borrowing(rebalance="daily", costs=Costs(commission_fixed=1), initial_capital=1002)
    result = simulate(panel, Less({"A": 1.5, "B": 0.5}), rules)
    near(result.equity, [1002.0, 999.0, 999.0])
    near(result.cash, [-998.0, -501.0, -501.0])
    near(result.shares["A"], [15.0] * 3)
    near(result.shares["B"], [10.0, 0.0, 0.0])
