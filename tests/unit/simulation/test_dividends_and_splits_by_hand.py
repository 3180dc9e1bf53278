"""Dividends and splits of real shares, in runs that are short enough to compute by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from etf_backtest.errors import NoClosesError
from etf_backtest.market import PriceBasis, PricePanel, PriceSeries
from etf_backtest.simulation import CashFlow, Costs, Rules, simulate
from etf_backtest.strategies import BuyAndHold, FixedWeights
from tests.unit.simulation.by_hand import TURN, days, near, shares

ALL = BuyAndHold({"A": 1.0})


def panel(*series: PriceSeries) -> PricePanel:
    return PricePanel.from_series(series)


# 10 shares for 1000; 2 a share on row 1
PAYING = panel(shares([100.0, 100.0, 102.0, 102.0], dividends={1: 2.0}))


def thousand(**others: Any) -> Rules:
    return Rules(**{"initial_capital": 1000, **others})


def test_dividends_are_reinvested_at_the_close_of_their_ex_date() -> None:
    result = simulate(PAYING, ALL, thousand())
    # 10 * (1 + 2 / 100) shares
    near(result.shares["A"], [10.0, 10.2, 10.2, 10.2])
    near(result.equity, [1000.0, 1020.0, 1040.4, 1040.4])
    near(result.cash, [0.0] * 4)
    # no order, and so no cost
    assert len(result.trades) == 1
    near(result.change_of_value.dividends, [20.0, 0.0, 0.0])
    near(result.change_of_value.price_change, [0.0, 20.4, 0.0])


def test_dividends_are_kept_as_cash() -> None:
    result = simulate(PAYING, ALL, thousand(dividends="cash", cash_rate=0.0365))
    near(result.shares["A"], [10.0] * 4)
    # it earns 0.01 % a day from the next session on
    near(result.cash, [0.0, 20.0, 20.002, 20.002 * 1.0001])
    near(result.equity, [1000.0, 1020.0, 1040.002, 1020 + 20.002 * 1.0001])
    near(result.change_of_value.dividends, [20.0, 0.0, 0.0])
    near(result.change_of_value.interest, [0.0, 0.002, 20.002 * 0.0001])


def test_the_next_rebalance_invests_the_cash() -> None:
    market = panel(shares([100.0, 100.0, 100.0, 100.0], dividends={1: 2.0}, start="2024-01-29"))
    result = simulate(market, FixedWeights({"A": 1.0}), thousand(dividends="cash"))
    # the last session of January is row 2
    near(result.cash, [0.0, 20.0, 0.0, 0.0])
    near(result.shares["A"], [10.0, 10.0, 10.2, 10.2])


def test_dividends_of_a_rebalance_day_are_there_for_it() -> None:
    market = panel(shares([100.0, 100.0, 100.0], dividends={1: 2.0}, start=TURN))
    result = simulate(market, FixedWeights({"A": 0.5}), thousand(dividends="cash"))
    # 5 shares pay 10; half of 1010 are 5.05
    near(result.shares["A"], [5.0, 5.05, 5.05])
    near(result.cash, [500.0, 505.0, 505.0])


def test_dividends_pay_a_withdrawal_in_their_part() -> None:
    flow = CashFlow(amount=-204, on="2024-01-03")
    result = simulate(PAYING, ALL, thousand(dividends="cash", cash_flows=[flow]))
    # 1020 and 20 of cash; 836 of 1040 are left of both, by the drifted weights
    near(result.shares["A"].iloc[2], 10 * 836 / 1040)
    near(result.cash.iloc[2], 20 * 836 / 1040)


@pytest.mark.parametrize("dividends", ["reinvest", "cash"])
def test_dividends_before_the_first_purchase_are_somebody_elses(dividends: str) -> None:
    market = panel(shares([100.0, 100.0, 100.0, 100.0], dividends={0: 5.0, 1: 2.0}))
    result = simulate(market, ALL, thousand(dividends=dividends))
    assert result.equity.iloc[1] == pytest.approx(1020.0)
    # bought at the close of row 1, without its dividend
    late = simulate(market, ALL, thousand(dividends=dividends, lag=1))
    near(late.equity, [1000.0] * 4)
    near(late.shares["A"], [0.0, 10.0, 10.0, 10.0])


@pytest.mark.parametrize("dividends", ["reinvest", "cash"])
def test_a_dividend_on_the_last_session_is_paid(dividends: str) -> None:
    market = panel(shares([100.0, 100.0, 98.0], dividends={2: 2.0}))
    result = simulate(market, ALL, thousand(dividends=dividends))
    near(result.equity, [1000.0] * 3)
    bought = 20 / 98 if dividends == "reinvest" else 0.0
    near(result.shares["A"].iloc[-1], 10 + bought)


@pytest.mark.parametrize(
    ("dividends", "held", "cash"),
    [("reinvest", [10.0, 20.4, 20.4], [0.0] * 3), ("cash", [10.0, 20.0, 20.0], [0.0, 20.0, 20.0])],
)
def test_a_dividend_counts_new_shares_after_a_split_of_that_row(
    dividends: str, held: Sequence[float], cash: Sequence[float]
) -> None:
    # 10 shares become 20 of 50 each, and each pays 1
    market = panel(shares([100.0, 50.0, 50.0], dividends={1: 1.0}, splits={1: 2.0}))
    result = simulate(market, ALL, thousand(dividends=dividends))
    near(result.shares["A"], held)
    near(result.cash, cash)
    near(result.equity, [1000.0, 1020.0, 1020.0])
    near(result.change_of_value.price_change, [0.0, 0.0])
    near(result.change_of_value.dividends, [20.0, 0.0])
    assert len(result.trades) == 1


def test_trades_are_told_in_the_shares_of_their_day() -> None:
    # 5 of A for 500, split in 10 on row 1, and sold down from 1000 to 750 at 100 there
    market = panel(
        shares([100.0, 100.0, 100.0], splits={1: 2.0}, start=TURN),
        shares([100.0] * 3, symbol="B", start=TURN),
    )
    costs = Costs(commission_per_share=0.01)
    result = simulate(market, FixedWeights({"A": 0.5, "B": 0.5}), thousand(costs=costs))
    # 10 shares cost 0.10 to buy: V' = 1000 / 1.0001
    capital = 1000 / 1.0001
    near(result.shares.iloc[0], [capital / 200] * 2)
    sold, bought = result.trades.iloc[2], result.trades.iloc[3]
    # as many are bought and sold but for their costs: V' + 0.01 * (10 c - 5 c) / ... is solved by
    # n_sold + n_bought = c / 200 with c the capital, whatever V' is
    assert sold["shares"] < 0 < bought["shares"]
    near(bought["shares"] - sold["shares"], capital / 200)
    near(result.costs.iloc[1], 0.01 * capital / 200)
    near(sold["price"], 100.0)


@pytest.mark.parametrize("count", [1, 2])
def test_reinvested_lots_are_whole(count: int) -> None:
    # 10 shares pay 25 each, 250: 2 shares of 100, and 50 stay; on row 2 12 shares pay 120: one more
    market = panel(
        *(
            shares([100.0, 100.0, 100.0, 100.0], dividends={1: 25.0, 2: 10.0}, symbol=symbol)
            for symbol in ("A", "B")[:count]
        )
    )
    weights = dict.fromkeys(market.symbols, 1 / count)
    result = simulate(market, BuyAndHold(weights), Rules(initial_capital=1000 * count, lot_size=1))
    for symbol in market.symbols:
        near(result.shares[symbol], [10.0, 12.0, 13.0, 13.0])
    # 50, and then 20 of 120 more: what is left of one dividend does not help to buy with the next
    near(result.cash, [0.0, 50.0 * count, 70.0 * count, 70.0 * count])
    near(result.equity, [1000.0 * count, 1250.0 * count, 1370.0 * count, 1370.0 * count])
    assert len(result.trades) == count
    near(result.costs, [0.0] * 4)


def test_a_dividend_that_buys_no_lot_stays_in_cash() -> None:
    result = simulate(PAYING, ALL, thousand(lot_size=1))
    near(result.shares["A"], [10.0] * 4)
    near(result.cash, [0.0, 20.0, 20.0, 20.0])


def test_an_exact_dividend_buys_its_lot_in_spite_of_rounding() -> None:
    # 10 shares pay 0.01 each, and a share costs 0.1
    market = panel(shares([0.1, 0.1, 0.1], dividends={1: 0.01}))
    result = simulate(market, ALL, Rules(initial_capital=1, lot_size=1))
    near(result.shares["A"], [10.0, 11.0, 11.0])
    assert result.book.cash.min() >= 0


def test_with_lots_and_dividends_in_cash_nothing_is_bought() -> None:
    market = panel(shares([100.0, 100.0, 100.0], dividends={1: 25.0}))
    result = simulate(market, ALL, thousand(lot_size=1, dividends="cash"))
    near(result.shares["A"], [10.0] * 3)
    near(result.cash, [0.0, 250.0, 250.0])


def test_lots_of_dividends_are_paid_for_from_debt_too() -> None:
    market = panel(shares([10.0] * 4, dividends={1: 1.0}))
    rules = thousand(lot_size=1, max_leverage=2, borrow_rate=0.0)
    result = simulate(market, BuyAndHold({"A": 1.5}), rules)
    # 150 shares, 500 borrowed; 150 of dividends pay off debt and are borrowed again for 15 shares
    near(result.shares["A"], [150.0, 165.0, 165.0, 165.0])
    near(result.cash, [-500.0] * 4)
    near(result.equity, [1000.0, 1150.0, 1150.0, 1150.0])


def test_shares_beside_units_of_total_return_prices() -> None:
    both = panel(
        shares([100.0, 100.0, 100.0], dividends={1: 2.0}),
        PriceSeries("B", days(3), np.full(3, 50.0), PriceBasis.TOTAL_RETURN),
    )
    result = simulate(both, BuyAndHold({"A": 0.5, "B": 0.5}), thousand(lot_size=1))
    # 5 shares of A pay 10, too little for one of 100; 10 units of B
    near(result.shares["A"], [5.0] * 3)
    near(result.shares["B"], [10.0] * 3)
    near(result.cash, [0.0, 10.0, 10.0])
    assert result.warnings[0].startswith("B: closes are not known, so lots count units")
    with pytest.raises(NoClosesError, match="B has total-return prices only") as caught:
        simulate(both, BuyAndHold({"A": 0.5, "B": 0.5}), thousand(dividends="cash"))
    assert caught.value.symbol == "B"
    # B is not traded here: nobody asks for its dividends
    near(simulate(both, ALL, thousand(dividends="cash"), benchmark="B").equity, [1000, 1020, 1020])


def test_both_ways_earn_the_same_where_the_price_stands_still() -> None:
    market = panel(shares([100.0] * 5, dividends={1: 1.0, 3: 1.0}))
    reinvested = simulate(market, ALL, thousand())
    kept = simulate(market, ALL, thousand(dividends="cash"))
    near(reinvested.equity, [1000, 1010, 1010, 1020.1, 1020.1])  # dividends on dividends
    near(kept.equity, [1000, 1010, 1010, 1020, 1020])
