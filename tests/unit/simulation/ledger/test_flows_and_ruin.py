"""Contributions and withdrawals, and runs whose money does not last; by hand."""

import datetime as dt

import pytest

from etf_backtest.simulation import CashFlow, Costs, Rules
from etf_backtest.simulation.ledger import simulate_ledger
from etf_backtest.strategies import BuyAndHold
from tests.unit.simulation.ledger.books import TWO_WEEKS, add_up, close_to, column, total_returns

ALL, NONE = BuyAndHold({"A": 1.0}), BuyAndHold({"A": 0.0})
FLAT = total_returns(A=[1] * 7)


def flows(*cash_flows: CashFlow) -> list[float]:
    books = simulate_ledger(FLAT, NONE, Rules(initial_capital=1000, cash_flows=cash_flows))
    add_up(books)
    return column(books, "flow")


def test_flows_come_at_the_end_of_a_period_but_not_on_the_first_and_last_day() -> None:
    assert flows(CashFlow(amount=1, every="daily")) == [0, 1, 1, 1, 1, 1, 0]
    assert flows(CashFlow(amount=1, every="monthly")) == [0, 0, 1, 0, 0, 0, 0]
    assert flows(CashFlow(amount=1, every="weekly", offset=1)) == [0, 0, 0, 0, 0, 1, 0]
    assert flows(CashFlow(amount=1, every="weekly", offset=2)) == [0] * 7
    inside = CashFlow(amount=1, every="daily", start=dt.date(2024, 1, 31), end=dt.date(2024, 2, 3))
    assert flows(inside) == [0, 0, 1, 1, 1, 0, 0]


def test_a_flow_on_a_date_waits_for_the_next_session() -> None:
    assert flows(CashFlow(amount=1, on=dt.date(2024, 2, 3))) == [0, 0, 0, 0, 0, 1, 0]
    for day in (TWO_WEEKS[0], TWO_WEEKS[-1], "2023-12-31", "2025-01-01"):
        assert flows(CashFlow(amount=1, on=dt.date.fromisoformat(day))) == [0] * 7


def test_fractions_are_of_the_value_before_the_flows_of_the_day() -> None:
    percent = CashFlow(percent=0.1, every="daily")
    amount = CashFlow(amount=100, every="daily")
    # 10 % of 1000, 1200, 1420, ... and 100
    assert flows(amount, percent)[:4] == close_to([0, 200, 220, 242])


def test_amounts_grow_with_inflation() -> None:
    days = ["2023-01-02", "2023-07-03", "2024-01-02", "2024-01-03"]
    panel = total_returns(days, A=[1] * 4)
    flow = CashFlow(amount=-100, every="daily", inflation=0.1)
    books = simulate_ledger(panel, NONE, Rules(initial_capital=1000, cash_flows=(flow,)))
    # 182 and 365 days of 365.25
    expected = [0, -100 * 1.1 ** (182 / 365.25), -100 * 1.1 ** (365 / 365.25), 0]
    assert column(books, "flow") == close_to(expected)


def test_a_withdrawal_above_the_value_ends_the_run() -> None:
    costs = Costs(commission_bps=100)
    flow = CashFlow(amount=-600, every="daily")
    rules = Rules(initial_capital=1010, cash_flows=(flow,), costs=costs)
    books = simulate_ledger(FLAT, ALL, rules)
    # 1000 of A; V' + 1 % * (1000 - V') = 400: 394/0.99 - ... = (400 - 10)/0.99 remain
    rest = 390 / 0.99
    assert books.ruin_date == dt.date(2024, 1, 31)
    assert column(books, "equity") == close_to([1010, rest, 0])
    # what is left is sold at 1 % and paid out
    assert column(books, "flow") == close_to([0, -600, -rest * 0.99])
    assert column(books, "commission") == close_to([10, (1000 - rest) * 0.01, rest * 0.01])
    assert [float(day.shares[0]) for day in books.days][-1] == 0
    add_up(books)


def test_taking_everything_ends_the_run() -> None:
    flow = CashFlow(percent=-1, every="monthly")
    books = simulate_ledger(FLAT, ALL, Rules(initial_capital=1000, cash_flows=(flow,)))
    assert books.ruin_date == dt.date(2024, 1, 31)
    assert column(books, "flow") == [0, 0, -1000]
    assert float(books.total_return) == 0


def test_costs_above_what_is_left_leave_nothing_to_pay_out() -> None:
    panel = total_returns(A=[100, 1, 1])
    flow = CashFlow(amount=-1, on=dt.date(2024, 1, 30))
    rules = Rules(initial_capital=120, cash_flows=(flow,), costs=Costs(commission_fixed=20))
    books = simulate_ledger(panel, ALL, rules)
    # one share is worth 1, and its sale costs 20: the broker takes the 1
    assert books.ruin_date == dt.date(2024, 1, 30)
    assert column(books, "flow") == [0, 0]
    assert column(books, "commission") == [20, 1]
    assert column(books, "equity") == [120, 0]
    add_up(books)


def test_debt_above_the_value_ends_the_run() -> None:
    panel = total_returns(A=[100, 60, 40, 100])
    rules = Rules(initial_capital=1000, max_leverage=2, borrow_rate=0.0)
    books = simulate_ledger(panel, BuyAndHold({"A": 2.0}), rules)
    # 20 shares on 1000 of debt: 200, then -200
    assert books.ruin_date == dt.date(2024, 1, 31)
    assert column(books, "equity") == close_to([1000, 200, -200])
    assert float(books.total_return) == -1
    add_up(books)


def test_nothing_was_bought_yet() -> None:
    # the targets come on row 2; money of row 1 waits in cash
    flow = CashFlow(amount=100, on=dt.date(2024, 1, 30))
    rules = Rules(initial_capital=1000, lag=2, cash_flows=(flow,))
    books = simulate_ledger(FLAT, ALL, rules)
    assert column(books, "cash") == [1000, 1100, 0, 0, 0, 0, 0]


def test_a_withdrawal_too_small_for_an_order_is_paid_all_the_same() -> None:
    flow = CashFlow(amount=-1e-7, on=dt.date(2024, 1, 30))
    rules = Rules(initial_capital=1000, cash_flows=(flow,))
    books = simulate_ledger(FLAT, ALL, rules)
    # below 1e-9 of the value is no order, but cash would be below 0: all that is held is ordered
    assert column(books, "cash") == [0] * 7
    assert float(books.days[1].shares[0]) == pytest.approx(1000 - 1e-7, rel=1e-15)
