"""Money that comes in and goes out, in runs that are short enough to compute by hand."""

import datetime as dt
from typing import Any

import numpy as np
import pytest

from etf_backtest.market import PriceBasis, PricePanel
from etf_backtest.simulation import CashFlow, Costs, Rules, simulate
from etf_backtest.strategies import BuyAndHold, FixedWeights
from tests.unit.simulation.by_hand import TURN, near, prices

# Monday 2024-01-01 to Friday 2024-01-05
FLAT = prices(A=[100.0] * 5, B=[50.0] * 5)
RISING = prices(A=[100.0, 150.0, 150.0, 150.0, 150.0], B=[100.0] * 5)
SIXTY = BuyAndHold({"A": 0.6, "B": 0.4})
HALF = BuyAndHold({"A": 0.5, "B": 0.5})
TUESDAY, WEDNESDAY = "2024-01-02", "2024-01-03"


def thousand(*flows: CashFlow, **others: Any) -> Rules:
    return Rules(**{"initial_capital": 1000, "cash_flows": flows, **others})


# -- between rebalances: the size changes, not the mix ---------------------------------------------


def test_a_contribution_keeps_the_drifted_weights() -> None:
    result = simulate(RISING, HALF, thousand(CashFlow(amount=250, on=WEDNESDAY)))
    # 750 and 500 on Tuesday; 1250 become 1500 on Wednesday, 1.2 times as much of each
    near(result.shares["A"], [5.0, 5.0, 6.0, 6.0, 6.0])
    near(result.shares["B"], [5.0, 5.0, 6.0, 6.0, 6.0])
    near(result.flows, [0.0, 0.0, 250.0, 0.0, 0.0])
    near(result.equity, [1000.0, 1250.0, 1500.0, 1500.0, 1500.0])
    # time-weighted: 25 % on Tuesday, and nothing else
    near(result.returns, [0.25, 0.0, 0.0, 0.0])
    assert result.metrics.total_return == pytest.approx(0.25, rel=1e-13)


def test_a_withdrawal_keeps_them_too() -> None:
    result = simulate(RISING, HALF, thousand(CashFlow(amount=-250, on=WEDNESDAY)))
    near(result.shares.iloc[2], [4.0, 4.0])
    near(result.equity, [1000.0, 1250.0, 1000.0, 1000.0, 1000.0])
    near(result.returns, [0.25, 0.0, 0.0, 0.0])


def test_cash_has_its_part_of_a_flow() -> None:
    result = simulate(FLAT, BuyAndHold({"A": 0.5}), thousand(CashFlow(amount=200, on=TUESDAY)))
    near(result.shares["A"], [5.0, 6.0, 6.0, 6.0, 6.0])
    near(result.cash, [500.0, 600.0, 600.0, 600.0, 600.0])


def test_a_contribution_pays_for_its_orders() -> None:
    rules = thousand(
        CashFlow(amount=101, on=TUESDAY),
        initial_capital=1010,
        costs=Costs(commission_bps=100),
    )
    result = simulate(FLAT, SIXTY, rules)
    # 1000 are invested; V' + 1 % of (V' - 1000) = 1101, so V' = 1100
    near(result.equity, [1010.0, 1100.0, 1100.0, 1100.0, 1100.0])
    near(result.costs, [10.0, 1.0, 0.0, 0.0, 0.0])
    near(result.shares.iloc[1], [6.6, 8.8])


def test_a_withdrawal_is_paid_in_full_and_its_costs_beside() -> None:
    rules = thousand(
        CashFlow(amount=-99, on=TUESDAY),
        initial_capital=1010,
        costs=Costs(commission_bps=100),
    )
    result = simulate(FLAT, SIXTY, rules)
    # V' + 1 % of (1000 - V') = 901, so 0.99 V' = 891 and V' = 900: 100 are sold for 99
    near(result.equity.iloc[1:], [900.0] * 4)
    near(result.flows.iloc[1], -99.0)
    near(result.costs, [10.0, 1.0, 0.0, 0.0, 0.0])


def test_a_flow_on_a_rebalance_day_is_part_of_what_is_rebalanced() -> None:
    panel = prices(start=TURN, A=[100.0, 150.0, 150.0], B=[100.0] * 3)
    flow = CashFlow(amount=250, every="monthly")
    result = simulate(panel, FixedWeights({"A": 0.5, "B": 0.5}), thousand(flow))
    # 750 + 500 + 250 on the last of January: 750 each
    near(result.shares.iloc[1], [5.0, 7.5])
    assert result.trades["symbol"].tolist() == ["A", "B", "B"]


def test_before_the_first_purchase_a_flow_stays_in_cash() -> None:
    result = simulate(FLAT, SIXTY, thousand(CashFlow(amount=500, on=TUESDAY), lag=2))
    near(result.cash, [1000.0, 1500.0, 0.0, 0.0, 0.0])
    near(result.shares.iloc[2], [9.0, 12.0])


def test_flows_of_one_day_are_netted() -> None:
    flows = (CashFlow(amount=300, on=TUESDAY), CashFlow(amount=-300, on=TUESDAY))
    result = simulate(FLAT, SIXTY, thousand(*flows))
    near(result.flows, [0.0] * 5)
    assert len(result.trades) == 2


# -- how much --------------------------------------------------------------------------------------


def test_a_percent_is_one_of_the_value_before_the_days_flows() -> None:
    flows = (CashFlow(percent=-0.1, on=WEDNESDAY), CashFlow(percent=0.2, on=WEDNESDAY))
    result = simulate(RISING, HALF, thousand(*flows, CashFlow(amount=75, on=WEDNESDAY)))
    # -125 + 250 + 75
    near(result.flows, [0.0, 0.0, 200.0, 0.0, 0.0])


def test_inflation_counts_from_the_first_session() -> None:
    dates = np.array(
        ["2020-01-01", "2021-01-01", "2021-01-04", "2022-01-03", "2022-01-04"], "datetime64[D]"
    )
    panel = PricePanel(dates, ("A",), np.full((5, 1), 10.0), (PriceBasis.TOTAL_RETURN,))
    flow = CashFlow(amount=-100, every="annual", inflation=0.02)
    result = simulate(panel, BuyAndHold({"A": 1.0}), thousand(flow))
    # the last session of 2020 is 2020-01-01, the window's first: nothing flows there; that of 2021
    # is 2021-01-04, 369 days later
    near(result.flows, [0.0, 0.0, -100 * 1.02 ** (369 / 365.25), 0.0, 0.0])
    once = CashFlow(amount=-100, on="2021-01-01", inflation=0.02)
    near(
        simulate(panel, BuyAndHold({"A": 1.0}), thousand(once)).flows,
        [0.0, -100 * 1.02 ** (366 / 365.25), 0.0, 0.0, 0.0],
    )


# -- when ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flow", "rows"),
    [
        # the window is 2024-01-29 (Monday) to 2024-02-09; rows 2 and 4 end January and a week
        (CashFlow(amount=1, every="monthly"), [2]),
        (CashFlow(amount=1, every="monthly", offset=1), [3]),
        (CashFlow(amount=1, every="monthly", offset=6), [8]),
        (CashFlow(amount=1, every="weekly"), [4]),
        (CashFlow(amount=1, every="daily"), [1, 2, 3, 4, 5, 6, 7, 8]),
        (CashFlow(amount=1, every="daily", start="2024-02-05"), [5, 6, 7, 8]),
        (CashFlow(amount=1, every="daily", end="2024-01-31"), [1, 2]),
        (CashFlow(amount=1, every="daily", start="2024-01-31", end="2024-02-01"), [2, 3]),
        # bounds are those of the day it arrives on
        (CashFlow(amount=1, every="monthly", offset=1, start="2024-02-01"), [3]),
        (CashFlow(amount=1, on="2024-02-05"), [5]),
        (CashFlow(amount=1, on="2024-02-03"), [5]),  # a Saturday
        (CashFlow(amount=1, on="2024-01-30"), [1]),
        (CashFlow(amount=1, on="2024-02-08"), [8]),
    ],
)
def test_the_days_of_a_flow(flow: CashFlow, rows: list[int]) -> None:
    panel = prices(start="2024-01-29", A=[10.0] * 10)
    result = simulate(panel, BuyAndHold({"A": 1.0}), thousand(flow))
    expected = np.zeros(10)
    expected[rows] = 1.0
    near(result.flows, expected)
    assert not any("never arrives" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("flow", "what"),
    [
        (CashFlow(amount=-1500, on="2023-12-24"), "-1,500.00 on 2023-12-24"),
        (CashFlow(amount=1, on="2024-01-01"), "1.00 on 2024-01-01"),  # the first session
        (CashFlow(amount=1, on="2024-01-05"), "1.00 on 2024-01-05"),  # the last one
        (CashFlow(percent=-0.04, on="2024-03-01"), "-4.00% on 2024-03-01"),
        (CashFlow(amount=1, every="monthly"), "1.00 monthly"),
        (CashFlow(amount=1, every="daily", start="2025-01-01"), "1.00 daily"),
    ],
)
def test_a_flow_outside_the_window_never_arrives_and_a_warning_says_so(
    flow: CashFlow, what: str
) -> None:
    result = simulate(FLAT, SIXTY, thousand(flow))
    near(result.flows, [0.0] * 5)
    assert (
        f"the cash flow {what} never arrives: money flows after the first session 2024-01-01 and "
        "before the last one 2024-01-05"
    ) in result.warnings


# -- new money buys what is underweight ------------------------------------------------------------


def test_new_money_buys_what_is_underweight() -> None:
    rules = thousand(CashFlow(amount=250, on=WEDNESDAY), rebalance="cashflow")
    result = simulate(RISING, HALF, rules)
    # 750 and 500 with 250 more: 750 each, so all of it buys B
    near(result.shares.iloc[2], [5.0, 7.5])
    assert result.trades["symbol"].tolist() == ["A", "B", "B"]
    near(result.equity, [1000.0, 1250.0, 1500.0, 1500.0, 1500.0])


def test_too_little_new_money_is_shared_by_what_each_lacks() -> None:
    panel = prices(A=[100.0, 200.0, 200.0], B=[100.0] * 3, C=[100.0] * 3)
    weights = BuyAndHold({"A": 0.5, "B": 0.3, "C": 0.2})
    rules = thousand(CashFlow(amount=100, on=TUESDAY), rebalance="cashflow")
    result = simulate(panel, weights, rules)
    # 1000, 300 and 200 with 100: of 1600 B should have 480 and lacks 180, C 320 and lacks 120
    near(result.shares.iloc[1], [5.0, 3.6, 2.4])


def test_much_new_money_reaches_the_targets_without_a_sale() -> None:
    rules = thousand(CashFlow(amount=1000, on=WEDNESDAY), rebalance="cashflow")
    result = simulate(RISING, HALF, rules)
    near(result.shares.iloc[2], [7.5, 11.25])  # 1125 each


def test_new_money_pays_for_its_orders() -> None:
    panel = prices(A=[100.0, 200.0, 200.0], B=[100.0] * 3)
    rules = thousand(
        CashFlow(amount=101, on=TUESDAY),
        initial_capital=1010,
        rebalance="cashflow",
        costs=Costs(commission_bps=100),
    )
    result = simulate(panel, HALF, rules)
    # 1000 and 500: B lacks more than the 101, of which 1 is the commission of 100
    near(result.shares.iloc[1], [5.0, 6.0])
    near(result.costs, [10.0, 1.0, 0.0])
    near(result.cash.iloc[1:], [0.0, 0.0])


def test_new_money_that_only_pays_the_commission_stays_in_cash() -> None:
    rules = thousand(
        CashFlow(amount=4, on=WEDNESDAY),
        initial_capital=1010,
        rebalance="cashflow",
        costs=Costs(commission_fixed=5),
    )
    result = simulate(RISING, HALF, rules)
    near(result.cash, [10.0, 0.0, 4.0, 4.0, 4.0])
    assert len(result.trades) == 2


def test_new_money_in_lots() -> None:
    rules = thousand(CashFlow(amount=250, on=WEDNESDAY), rebalance="cashflow", lot_size=1)
    result = simulate(RISING, HALF, rules)
    near(result.shares.iloc[2], [5.0, 7.0])
    near(result.cash, [0.0, 0.0, 50.0, 50.0, 50.0])


def test_new_money_that_cash_lacks_stays_in_cash() -> None:
    panel = prices(A=[100.0, 200.0, 200.0], B=[100.0] * 3)
    rules = thousand(CashFlow(amount=100, on=TUESDAY), rebalance="cashflow")
    result = simulate(panel, BuyAndHold({"A": 0.5}), rules)
    # 1000 of A, 500 and 100 of cash: half of 1600 would be 800
    near(result.cash, [500.0, 600.0, 600.0])
    assert len(result.trades) == 1


def test_a_withdrawal_sells_what_is_overweight() -> None:
    rules = thousand(CashFlow(amount=-250, on=WEDNESDAY), rebalance="cashflow")
    result = simulate(RISING, HALF, rules)
    # 750 and 500; of 1000 each should have 500
    near(result.shares.iloc[2], [500 / 150, 5.0])
    assert result.trades["symbol"].tolist() == ["A", "B", "A"]


def test_a_withdrawal_sells_enough_for_its_commission() -> None:
    rules = thousand(
        CashFlow(amount=-247.5, on=WEDNESDAY),
        initial_capital=1010,
        rebalance="cashflow",
        costs=Costs(commission_bps=100),
    )
    result = simulate(RISING, HALF, rules)
    # A alone is above its half of 1002.50: 250 of it are sold for 247.50
    near(result.shares.iloc[2], [500 / 150, 5.0])
    near(result.cash.iloc[1:], [0.0] * 4)
    near(result.costs, [10.0, 0.0, 2.5, 0.0, 0.0])


def test_a_withdrawal_in_lots_sells_a_lot_too_much_rather_than_too_little() -> None:
    rules = thousand(CashFlow(amount=-250, on=WEDNESDAY), rebalance="cashflow", lot_size=1)
    result = simulate(RISING, HALF, rules)
    # 1.67 A are wanted, 2 are sold for 300
    near(result.shares.iloc[2], [3.0, 5.0])
    near(result.cash, [0.0, 0.0, 50.0, 50.0, 50.0])


def test_a_withdrawal_that_cash_can_pay_sells_nothing() -> None:
    panel = prices(A=[100.0, 50.0, 50.0])
    rules = thousand(CashFlow(amount=-200, on=TUESDAY), rebalance="cashflow")
    result = simulate(panel, BuyAndHold({"A": 0.5}), rules)
    # 250 of A and 500 of cash; of 550 it may have 275, and has 300 after the withdrawal
    near(result.cash, [500.0, 300.0, 300.0])
    near(result.shares["A"], [5.0, 5.0, 5.0])


# -- until the money has run out -------------------------------------------------------------------


def test_a_withdrawal_above_the_value_ends_the_run() -> None:
    flow = CashFlow(amount=-600, every="daily")
    result = simulate(FLAT, SIXTY, thousand(flow))
    # 400 are left on Tuesday, and all there is on Wednesday
    assert result.ruin_date == dt.date(2024, 1, 3)
    near(result.equity, [1000.0, 400.0, 0.0])
    near(result.flows, [0.0, -600.0, -400.0])
    near(result.cash, [0.0, 0.0, 0.0])
    near(result.shares.iloc[2], [0.0, 0.0])
    near(result.returns, [0.0, 0.0])
    assert result.window.to_dict() == {"start": "2024-01-01", "end": "2024-01-03", "sessions": 3}
    assert result.warnings[0] == (
        "the run ends on 2024-01-03: the money ran out; the withdrawal of that day was paid as far "
        "as it went, 400.00"
    )
    stored: dict[str, Any] = result.to_dict()
    assert stored["ruin"] == {"date": "2024-01-03", "by": "withdrawal"}
    assert stored["asked_window"]["end"] == "2024-01-05"
    assert result.change_of_value.unexplained() < 1e-15
    near(result.trades["shares"].tail(2), [-2.4, -3.2])


@pytest.mark.parametrize(
    "flow",
    [
        CashFlow(percent=-1, on=TUESDAY),
        CashFlow(amount=-1000, on=TUESDAY),
        CashFlow(amount=-5000, on=TUESDAY),
    ],
)
def test_a_withdrawal_of_everything(flow: CashFlow) -> None:
    result = simulate(FLAT, SIXTY, thousand(flow), benchmark="A")
    assert result.ruin_date == dt.date(2024, 1, 2)
    near(result.equity, [1000.0, 0.0])
    near(result.flows, [0.0, -1000.0])
    assert result.benchmark_values is not None
    near(result.benchmark_values, [1000.0, 1000.0])


@pytest.mark.parametrize("price", [3.0, 7.0, 13.1, 33.3, 101.3])
@pytest.mark.parametrize("weights", [{"A": 0.6, "B": 0.4}, {"A": 0.7, "B": 0.2}])
def test_what_rounding_leaves_of_all_withdrawals_is_nothing(
    price: float, weights: dict[str, float]
) -> None:
    """Ten times 100 of 1000; units of thirds and sevenths leave 1e-13 of it."""
    panel = prices(A=[price] * 14, B=[price * 1.7] * 14)
    result = simulate(panel, BuyAndHold(weights), thousand(CashFlow(amount=-100, every="daily")))
    assert result.ruin_date == dt.date(2024, 1, 15)  # the tenth session after the first
    near(result.equity, [1000.0 - 100 * count for count in range(11)])
    near(result.flows.iloc[1:], [-100.0] * 10)


def test_the_last_withdrawal_gets_what_the_sale_brings() -> None:
    rules = thousand(
        CashFlow(amount=-2000, on=TUESDAY),
        initial_capital=1010,
        costs=Costs(commission_bps=60, slippage_bps=40),
    )
    result = simulate(FLAT, SIXTY, rules)
    near(result.flows, [0.0, -990.0])
    near(result.costs, [10.0, 10.0])
    near(result.equity, [1010.0, 0.0])
    assert result.change_of_value.unexplained() < 1e-15


def test_what_would_be_left_does_not_pay_for_selling_it() -> None:
    rules = thousand(
        CashFlow(amount=-920, on=TUESDAY),
        initial_capital=1100,
        costs=Costs(commission_fixed=50),
    )
    result = simulate(FLAT, SIXTY, rules)
    # of 1000, 80 would be left, and two sales cost 100: 900 are paid out
    assert result.ruin_date == dt.date(2024, 1, 2)
    near(result.flows, [0.0, -900.0])
    near(result.costs, [100.0, 100.0])


def test_a_sale_that_costs_more_than_it_brings_takes_all_there_is() -> None:
    falling = prices(A=[100.0, 1.0, 1.0])
    rules = thousand(
        CashFlow(amount=-5, on=TUESDAY), initial_capital=1050, costs=Costs(commission_fixed=50)
    )
    result = simulate(falling, BuyAndHold({"A": 1.0}), rules)
    # 10 are left of 1000, and its sale would cost 50: the broker gets the 10, nobody else anything
    near(result.flows, [0.0, 0.0])
    near(result.costs, [50.0, 10.0])
    near(result.trades["commission"], [50.0, 10.0])
    near(result.equity, [1050.0, 0.0])
    assert result.change_of_value.unexplained() < 1e-15
