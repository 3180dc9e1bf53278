"""What happens without anybody doing anything: interest, dividends, splits, expenses; by hand."""

import datetime as dt

import numpy as np
import pytest

from etf_backtest.errors import NoClosesError, RateError, UnknownSymbolError
from etf_backtest.market import PricePanel
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation import Rules
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

HALF, ALL = BuyAndHold({"A": 0.5}), BuyAndHold({"A": 1.0})
THOUSAND = Rules(initial_capital=1000)


def test_cash_earns_act_365() -> None:
    # 3.65 % a year is 0.01 % a day; Friday to Monday are three
    panel = total_returns(["2024-01-05", "2024-01-08", "2024-01-09"], A=[100, 110, 99])
    books = simulate_ledger(panel, HALF, Rules(initial_capital=1000, cash_rate=0.0365))
    assert column(books, "interest") == close_to([0, 0.15, 0.050015])
    assert column(books, "cash") == close_to([500, 500.15, 500.200015])
    assert column(books, "equity") == close_to([1000, 1050.15, 995.200015])
    assert column(books, "price_change") == close_to([0, 50, -55])
    add_up(books)


def test_a_step_has_the_rate_that_was_known_before_it() -> None:
    panel = total_returns(["2024-01-05", "2024-01-08", "2024-01-09"], A=[1, 1, 1])
    # the rate of the 8th is for the step from the 8th to the 9th; that of the 6th for no step
    rates = DatedRates.of(
        {dt.date(2023, 1, 1): 0.365, dt.date(2024, 1, 8): 0.73, dt.date(2024, 1, 9): 1.0}
    )
    books = simulate_ledger(panel, HALF, Rules(initial_capital=1000, cash_rate=rates))
    # 500 * 0.1 % * 3 days; 501.5 * 0.2 % * 1 day
    assert column(books, "interest") == close_to([0, 1.5, 1.003])


def test_rates_that_begin_too_late() -> None:
    panel = total_returns(A=[1, 1, 1])
    rates = DatedRates.of({dt.date(2024, 1, 30): 0.01})
    with pytest.raises(RateError, match="the rates begin on 2024-01-30, after the first session"):
        simulate_ledger(panel, ALL, Rules(cash_rate=rates))


def test_debt_costs_the_borrow_rate() -> None:
    panel = total_returns(["2024-01-05", "2024-01-08"], A=[100, 110])
    rules = Rules(initial_capital=1000, max_leverage=1.5, cash_rate=0.1, borrow_rate=0.073)
    books = simulate_ledger(panel, BuyAndHold({"A": 1.5}), rules)
    # 500 borrowed at 0.02 % a day for three days; 15 shares
    assert column(books, "interest") == close_to([0, -0.3])
    assert column(books, "equity") == close_to([1000, 1650 - 500.3])
    add_up(books)


def test_dividends_are_bought_at_the_close_of_their_day() -> None:
    books = simulate_ledger(quoted([100, 99, 110], dividends={1: 1.1}), ALL, THOUSAND)
    # 10 shares are paid 11, which buys 11/99 of a share
    assert column(books, "dividends") == close_to([0, 11, 0])
    assert held(books) == close_to([10, 10 + 1 / 9, 10 + 1 / 9])
    assert column(books, "equity") == close_to([1000, 1001, 1100 + 110 / 9])
    # the total return: (99 + 1.1)/100 * 110/99 - 1
    assert float(books.total_return) == pytest.approx(1.001 * 110 / 99 - 1, rel=1e-14)
    assert len(books.trades) == 1  # a reinvested dividend is no order
    add_up(books)


def test_dividends_in_cash_stay_until_the_next_rebalance() -> None:
    rules = Rules(initial_capital=1000, dividends="cash", rebalance="monthly")
    books = simulate_ledger(quoted([100, 99, 110, 110], dividends={1: 1.1}), ALL, rules)
    # January 31 is row 2: 11 of cash buy a tenth of a share at 110
    assert column(books, "cash") == close_to([0, 11, 0, 0])
    assert held(books) == close_to([10, 10, 10.1, 10.1])
    add_up(books)


def test_dividends_in_cash_need_closes() -> None:
    with pytest.raises(NoClosesError, match="A has total-return prices only"):
        simulate_ledger(total_returns(A=[1, 1, 1]), ALL, Rules(dividends="cash"))


def test_a_dividend_on_the_day_of_a_split_is_for_the_new_shares() -> None:
    panel = quoted([100, 52, 52], dividends={1: 0.5}, splits={1: 2})
    books = simulate_ledger(panel, ALL, Rules(initial_capital=1000, dividends="cash"))
    # 10 shares are 20, which are paid 10; 20 * 52 - 10 * 100 = 40
    assert held(books) == [10, 20, 20]
    assert column(books, "dividends") == close_to([0, 10, 0])
    assert column(books, "price_change") == close_to([0, 40, 0])
    assert column(books, "equity") == close_to([1000, 1050, 1050])
    add_up(books)


def test_a_reverse_split_leaves_odd_shares_until_the_next_order() -> None:
    panel = quoted([10, 100, 100, 100, 100], splits={1: 0.1})
    rules = Rules(initial_capital=1059, lot_size=1, rebalance="monthly")
    books = simulate_ledger(panel, ALL, rules)
    # 105 shares for 1050; 10.5 after one for ten; on January 31 1059 pay for 10: half is sold
    assert held(books) == close_to([105, 10.5, 10, 10, 10])
    assert column(books, "cash") == close_to([9, 9, 59, 59, 59])
    assert [float(trade.shares) for trade in books.trades] == close_to([105, -0.5])
    add_up(books)


def test_a_dividend_buys_whole_lots_free_of_costs() -> None:
    panel = quoted([10, 10, 10], dividends={1: 0.25, 2: 0.25})
    rules = Rules.model_validate(
        {"initial_capital": 1007, "lot_size": 10, "costs": {"commission_fixed": 1}}
    )
    books = simulate_ledger(panel, ALL, rules)
    # 100 shares for 1000 and a commission of 1; 25 are paid: two lots would be 200, so none
    assert held(books) == [100, 100, 100]
    assert column(books, "cash") == close_to([7, 31, 56])
    # three shares a lot: 33 lots are 99 shares for 990; 24.75 pay for 2 shares, no lot
    small = simulate_ledger(panel, ALL, rules.model_copy(update={"lot_size": 2.0}))
    # 100 shares; 25 of dividends buy one lot of 2 for 20; on the last row, too: 25.5
    assert held(small) == [100, 102, 104]
    assert column(small, "cash") == close_to([7, 11, 16.5])
    assert column(small, "commission") == [1, 0, 0]
    add_up(small)


def test_expenses_are_taken_out_of_prices_and_dividends() -> None:
    panel = quoted([100, 100, 100], dividends={2: 1})
    rules = Rules(initial_capital=1000, expense_ratios={"A": 0.0365}, dividends="cash")
    books = simulate_ledger(panel, ALL, rules)
    level = 1 - 0.0001  # a day
    assert column(books, "equity") == close_to([1000, 1000 * level, 1010 * level**2])
    assert column(books, "dividends") == close_to([0, 0, 10 * level**2])
    add_up(books)


def test_expenses_before_the_window_make_the_past_dearer() -> None:
    seen: list[list[float]] = []

    class Watcher(Strategy):
        name = "watcher"
        looks_at_prices = False
        rebalance: Rebalance = "never"
        symbols = ("A",)

        def target_weights(self, history: PricePanel) -> FloatArray:
            seen.append(history.prices[:, 0].tolist())
            return np.ones(1)

    rules = Rules(expense_ratios={"A": 0.0365})
    simulate_ledger(total_returns(A=[100, 100, 100, 100]), Watcher(), rules, start="2024-01-30")
    # the first session of the window keeps its price
    assert seen == [close_to([100 / 0.9999, 100])]


def test_expenses_of_a_stranger() -> None:
    with pytest.raises(UnknownSymbolError, match="no prices of 'Z'"):
        simulate_ledger(total_returns(A=[1, 1, 1]), ALL, Rules(expense_ratios={"Z": 0.01}))
