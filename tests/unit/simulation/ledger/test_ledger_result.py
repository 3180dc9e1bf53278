"""What a ledger shows, and how it finds a difference."""

import math
from dataclasses import replace
from decimal import Decimal

import pytest

from etf_backtest.errors import EtfBacktestError
from etf_backtest.simulation import Rules, simulate
from etf_backtest.simulation.ledger import simulate_ledger
from etf_backtest.strategies import BuyAndHold
from tests.unit.simulation.ledger.books import total_returns

PANEL = total_returns(A=[100, 110, 121], B=[50, 50, 25])
RULES = Rules(initial_capital=1000)
BOOKS = simulate_ledger(PANEL, BuyAndHold({"A": 0.5, "B": 0.25}), RULES)


def test_curves() -> None:
    # 5 of A, 5 of B, 250 in cash
    assert BOOKS.equity.tolist() == [1000, 1050, 980]
    assert BOOKS.cash.tolist() == [250, 250, 250]
    assert BOOKS.flows.tolist() == BOOKS.costs.tolist() == [0, 0, 0]
    assert BOOKS.shares.to_numpy().tolist() == [[5, 5]] * 3
    assert BOOKS.weights["A"].tolist() == [0.5, 550 / 1050, 605 / 980]
    assert BOOKS.equity.index[0].isoformat() == "2024-01-29T00:00:00"
    assert BOOKS.total_return == Decimal("-0.02")
    assert repr(BOOKS) == "LedgerResult(2024-01-29 to 2024-01-31, 1,000.00 -> 980.00)"


def test_trades() -> None:
    first, second = BOOKS.trades
    assert first.symbol == "A"
    assert [first.shares, first.price, first.notional] == [5, 100, 500]
    assert (second.symbol, second.date.isoformat()) == ("B", "2024-01-29")


def test_a_difference_is_found_wherever_it_is() -> None:
    result = simulate(PANEL, BuyAndHold({"A": 0.5, "B": 0.25}), RULES)
    assert BOOKS.difference(result) < 1e-15
    last = BOOKS.days[-1]
    wrong = [
        replace(last, equity=last.equity + 1),
        replace(last, cash=last.cash - 1),
        replace(last, flow=Decimal(1)),
        replace(last, commission=Decimal(1)),
        replace(last, slippage=Decimal(1)),
        replace(last, shares=(last.shares[0] + Decimal(1) / 121, last.shares[1])),
    ]
    for day in wrong:
        books = replace(BOOKS, days=(*BOOKS.days[:-1], day))
        assert books.difference(result) == pytest.approx(1 / 980, rel=2e-3)


def test_other_sessions_and_symbols_are_infinitely_far() -> None:
    shorter = simulate(PANEL, BuyAndHold({"A": 0.5, "B": 0.25}), RULES, end="2024-01-30")
    assert BOOKS.difference(shorter) == math.inf
    other = simulate(PANEL, BuyAndHold({"B": 0.25, "A": 0.5}), RULES)
    assert BOOKS.difference(other) == math.inf


@pytest.mark.parametrize("field", ["equity", "price_change", "dividends", "interest", "slippage"])
def test_books_that_do_not_add_up(field: str) -> None:
    last = BOOKS.days[-1]
    wrong = replace(last, **{field: getattr(last, field) + Decimal("1e-9")})
    books = replace(BOOKS, days=(*BOOKS.days[:-1], wrong))
    with pytest.raises(EtfBacktestError, match="the books of 2024-01-31 do not add up"):
        books.check_identity()
