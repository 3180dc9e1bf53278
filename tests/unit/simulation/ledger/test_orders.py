"""Orders, their costs and their dates, by hand."""

import datetime as dt

import numpy as np
import pytest

from etf_backtest.errors import CostsError
from etf_backtest.market import PricePanel
from etf_backtest.simulation import Bands, CashFlow, Costs, Rebalancing, Rules
from etf_backtest.simulation.ledger import simulate_ledger
from etf_backtest.strategies import BuyAndHold, Rebalance, Strategy
from etf_backtest.typing import FloatArray
from tests.unit.simulation.ledger.books import (
    add_up,
    close_to,
    column,
    held,
    quoted,
    total_returns,
)

ALL, HALVES = BuyAndHold({"A": 1.0}), BuyAndHold({"A": 0.5, "B": 0.5})


def test_costs_of_the_first_day_count_from_the_second() -> None:
    rules = Rules(
        initial_capital=1010, costs=Costs(commission_bps=60, slippage_bps=40), cash_rate=0.365
    )
    books = simulate_ledger(total_returns(A=[100, 110, 110]), ALL, rules)
    # 1000 are invested, 6 and 4 paid; equity and cash of row 0 are before, and earn no interest
    assert held(books) == close_to([10, 10, 10])
    assert column(books, "equity") == close_to([1010, 1100, 1100])
    assert column(books, "cash") == close_to([10, 0, 0])
    assert column(books, "commission") == close_to([6, 0, 0])
    assert column(books, "slippage") == close_to([4, 0, 0])
    assert column(books, "interest") == close_to([0, 0, 0])
    add_up(books)


def test_per_share_and_least_commissions() -> None:
    costs = Costs(commission_per_share=0.1, commission_fixed=1, commission_min=5)
    # A: 60 shares at 10 pay 1 + 6 = 7; B: 4 shares at 100 pay 1.4, at least 5
    rules = Rules(initial_capital=1012, costs=costs)
    books = simulate_ledger(
        total_returns(A=[10, 10], B=[100, 100]), BuyAndHold({"A": 0.6, "B": 0.4}), rules
    )
    assert [float(trade.commission) for trade in books.trades] == close_to([7, 5])
    assert [float(trade.notional) for trade in books.trades] == close_to([600, 400])
    assert column(books, "cash") == close_to([12, 0])


def test_costs_above_the_value() -> None:
    rules = Rules(initial_capital=10, costs=Costs(commission_fixed=10))
    with pytest.raises(
        CostsError, match=r"on 2024-01-29 the orders would cost more than the 10.00"
    ):
        simulate_ledger(total_returns(A=[1, 1]), ALL, rules)


def test_the_last_session_never_trades() -> None:
    books = simulate_ledger(
        total_returns(A=[100, 110, 121]), ALL, Rules(initial_capital=1000, lag=2)
    )
    assert column(books, "equity") == [1000] * 3
    assert books.trades == ()


def test_a_period_ends_on_its_last_session_and_an_offset_later() -> None:
    panel = total_returns(A=[100, 110, 120, 130, 140, 150, 160], B=[100] * 7)

    def days_of_orders(rules: Rules) -> list[str]:
        books = simulate_ledger(panel, HALVES, rules)
        return sorted({trade.date.isoformat() for trade in books.trades})

    assert days_of_orders(Rules(rebalance="monthly")) == ["2024-01-29", "2024-01-31"]
    # two sessions after January 31
    later = Rules(rebalance=Rebalancing(period="monthly", offset=2))
    assert days_of_orders(later) == ["2024-01-29", "2024-02-02"]
    # decided on the first session and on Friday; filled one session later
    weekly = Rules(rebalance="weekly", lag=1)
    assert days_of_orders(weekly) == ["2024-01-30", "2024-02-05"]
    # which would be the last session
    assert days_of_orders(Rules(rebalance="weekly", lag=2)) == ["2024-01-31"]


def test_lots_round_down_and_the_rest_is_cash() -> None:
    rules = Rules(initial_capital=1000, lot_size=3, costs=Costs(commission_fixed=10))
    books = simulate_ledger(quoted([60, 60]), ALL, rules)
    # 990 / 60 = 16.5 shares are 15 in threes
    assert held(books) == [15, 15]
    assert column(books, "cash") == close_to([100, 90])
    # a lot that cannot be paid is not ordered and costs nothing
    poor = simulate_ledger(quoted([600, 600]), ALL, rules)
    assert (poor.trades, column(poor, "cash")) == ((), [1000, 1000])


def test_bands_are_checked_with_drifted_weights() -> None:
    # weights of A: 0.5, 0.6 (1.5 of 2.5), then 2/3
    panel = total_returns(A=[100, 150, 200, 200], B=[100] * 4)
    on_the_band = Rules(initial_capital=200, rebalance=Bands(absolute=0.1))
    books = simulate_ledger(panel, HALVES, on_the_band)
    # 0.6 is on the band (not above), 0.667 is outside: on row 2 half of 300 in each
    assert held(books) == close_to([1, 1, 0.75, 0.75])
    relative = Rules(initial_capital=200, rebalance=Bands(relative=0.19))
    # 0.1 > 0.19 * 0.5: on row 1 half of 250 in each; on row 2 125 * 4/3 of 291.67 is 0.5714
    assert held(simulate_ledger(panel, HALVES, relative)) == close_to(
        [1, 125 / 150] + [125 / 150] * 2
    )
    # decided on row 1, filled on row 2
    later = Rules(initial_capital=200, rebalance=Bands(relative=0.19), lag=1)
    assert held(simulate_ledger(panel, HALVES, later), "B") == close_to([0, 1, 1, 1])


def test_new_money_keeps_the_mix() -> None:
    panel = total_returns(A=[100, 300, 300], B=[100] * 3)
    flow = CashFlow(amount=100, on=dt.date(2024, 1, 30))
    books = simulate_ledger(panel, HALVES, Rules(initial_capital=200, cash_flows=(flow,)))
    # 3 of 4 parts are A: 75 and 25
    assert held(books, "A") == close_to([1, 1.25, 1.25])
    assert held(books, "B") == close_to([1, 1.25, 1.25])
    assert float(books.total_return) == pytest.approx(1)
    add_up(books)


def test_new_money_buys_what_is_underweight() -> None:
    panel = total_returns(A=[100, 300, 300], B=[100] * 3)
    flow = CashFlow(amount=101, on=dt.date(2024, 1, 30))
    costs = Costs(commission_fixed=1)
    rules = Rules(initial_capital=202, rebalance="cashflow", cash_flows=(flow,), costs=costs)
    books = simulate_ledger(panel, HALVES, rules)
    # 100 for B, 1 for the order
    assert held(books, "A") == close_to([1, 1, 1])
    assert held(books, "B") == close_to([1, 2, 2])
    assert column(books, "cash") == close_to([2, 0, 0])
    add_up(books)


def test_withdrawals_sell_what_is_overweight() -> None:
    panel = total_returns(A=[100, 300, 300], B=[100] * 3)
    flow = CashFlow(amount=-59, on=dt.date(2024, 1, 30))
    costs = Costs(commission_fixed=1)
    rules = Rules(initial_capital=202, rebalance="cashflow", cash_flows=(flow,), costs=costs)
    books = simulate_ledger(panel, HALVES, rules)
    # 60 of A are sold: 0.2 shares
    assert held(books, "A") == close_to([1, 0.8, 0.8])
    assert held(books, "B") == close_to([1, 1, 1])
    assert column(books, "flow") == [0, -59, 0]
    add_up(books)


class Glide(Strategy):
    """Other targets on each session."""

    name = "glide"
    looks_at_prices = False
    rebalance: Rebalance = "daily"
    symbols = ("A", "B")

    def __init__(self, *targets: list[float]) -> None:
        self.path = targets

    def target_weights(self, history: PricePanel) -> FloatArray:
        return np.array(self.path[min(history.dates.size, len(self.path)) - 1])


def test_each_decision_is_asked_for() -> None:
    panel = total_returns(A=[100] * 4, B=[100] * 4)
    books = simulate_ledger(panel, Glide([1, 0], [0, 1]), Rules(initial_capital=1000))
    assert held(books, "A") == [10, 0, 0, 0]
    assert held(books, "B") == [0, 10, 10, 10]


def test_what_is_on_its_weight_stays_while_debt_is_paid_off() -> None:
    panel = total_returns(A=[100] * 4, B=[50] * 4)
    rules = Rules(
        initial_capital=1000, max_leverage=3, borrow_rate=0.0, costs=Costs(commission_fixed=1)
    )
    books = simulate_ledger(panel, Glide([1.5, 0.5], [1.5, 0]), rules)
    # 998 * 2 are held; selling 499 of B for 1 leaves 1497 of A, 500 of debt; then 996 * 1.5 of A
    assert column(books, "equity") == close_to([1000, 997, 996, 996])
    assert column(books, "cash") == close_to([-996, -500, -498, -498])


def test_what_is_on_its_weight_shares_the_costs_of_a_debt() -> None:
    panel = total_returns(A=[100] * 3, B=[50] * 3)
    rules = Rules(
        initial_capital=1000, max_leverage=3, borrow_rate=0.0, costs=Costs(commission_fixed=1)
    )
    books = simulate_ledger(panel, Glide([1.5, 0.25], [1.5, 0.5]), rules)
    # A is on its weight, but B's orders alone would be less than the debt: both are ordered
    assert column(books, "commission") == [2, 2, 0]
    assert column(books, "equity") == close_to([1000, 996, 996])
    assert held(books, "A") == close_to([14.97, 14.94, 14.94])
