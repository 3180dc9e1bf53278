"""Bands around target weights, in runs that are short enough to compute by hand."""

from typing import Any

import numpy as np
import pytest

from etf_backtest.market import PricePanel
from etf_backtest.simulation import Bands, CashFlow, Costs, Rules, simulate
from etf_backtest.strategies import FixedWeights, Strategy
from etf_backtest.typing import FloatArray
from tests.unit.simulation.by_hand import TURN, near, prices

HALF = FixedWeights({"A": 0.5, "B": 0.5})


def thousand(rebalance: Any, **others: Any) -> Rules:
    return Rules(initial_capital=1000, rebalance=rebalance, **others)


def test_an_absolute_band() -> None:
    panel = prices(A=[100.0, 110.0, 125.0, 125.0, 125.0], B=[100.0] * 5)
    result = simulate(panel, HALF, thousand(Bands(absolute=0.05)))
    # 550 of 1050 is 0.524, inside; 625 of 1125 is 0.556, outside: 562.50 each
    near(result.shares["A"], [5.0, 5.0, 4.5, 4.5, 4.5])
    near(result.shares["B"], [5.0, 5.0, 5.625, 5.625, 5.625])
    near(result.equity, [1000.0, 1050.0, 1125.0, 1125.0, 1125.0])
    assert str(result.rebalance) == "bands(absolute=0.05)"


def test_a_weight_on_the_edge_of_its_band_is_inside() -> None:
    # A triples: 1500 of 2000 is exactly 0.75
    panel = prices(A=[100.0, 300.0, 300.0, 304.0, 304.0], B=[100.0] * 5)
    result = simulate(panel, HALF, thousand(Bands(absolute=0.25)))
    near(result.shares["A"], [5.0, 5.0, 5.0, 2020 / 2 / 304, 2020 / 2 / 304])
    # 0.5 + 0.5 * 0.5 is the same edge
    again = simulate(panel, HALF, thousand(Bands(relative=0.5)))
    assert again.equity.tolist() == result.equity.tolist()
    assert again.shares.equals(result.shares)


def test_a_relative_band_is_a_fraction_of_the_target() -> None:
    # A: 0.2 * 1.25 = 0.25 is the edge
    panel = prices(A=[100.0, 130.0, 140.0, 140.0], B=[100.0] * 4)
    fifth = FixedWeights({"A": 0.2, "B": 0.8})
    result = simulate(panel, fifth, thousand(Bands(relative=0.25)))
    # 260 of 1060 is 0.245; 280 of 1080 is 0.259: 216 are left in A
    near(result.shares["A"], [2.0, 2.0, 216 / 140, 216 / 140])
    # the absolute distance is 0.059 only
    wide = simulate(panel, fifth, thousand(Bands(absolute=0.1)))
    assert len(wide.trades) == 2


@pytest.mark.parametrize(
    "bands",
    [
        Bands(absolute=0.05, relative=5.0),
        Bands(absolute=0.9, relative=0.25),
        Bands(absolute=0.05, relative=0.25),
    ],
)
def test_of_two_bands_each_is_enough(bands: Bands) -> None:
    panel = prices(A=[100.0, 130.0, 140.0, 140.0], B=[100.0] * 4)
    result = simulate(panel, FixedWeights({"A": 0.2, "B": 0.8}), thousand(bands))
    near(result.shares["A"], [2.0, 2.0, 216 / 140, 216 / 140])


def test_cash_has_no_band() -> None:
    # A and B fall alike: their weights 0.45 become 0.41 each, the cash 0.1 becomes 0.18
    panel = prices(A=[100.0, 50.0, 50.0], B=[100.0, 50.0, 50.0])
    weights = FixedWeights({"A": 0.45, "B": 0.45})
    assert len(simulate(panel, weights, thousand(Bands(absolute=0.05))).trades) == 2
    assert len(simulate(panel, weights, thousand(Bands(absolute=0.04))).trades) == 4


def test_a_breach_is_filled_after_its_lag_and_not_looked_at_in_between() -> None:
    panel = prices(A=[100.0, 100.0, 200.0, 400.0, 400.0, 400.0], B=[100.0] * 6)
    result = simulate(panel, HALF, thousand(Bands(absolute=0.1), lag=1))
    # bought on row 1; on row 2 A has 1000 of 1500, decided; on row 3, with 2000 of 2500, filled;
    # on row 3 nothing is decided, or row 4 would trade
    near(result.shares["A"], [0.0, 5.0, 5.0, 3.125, 3.125, 3.125])
    assert len(result.trades) == 4


def test_nothing_is_decided_that_would_be_filled_on_the_last_session() -> None:
    panel = prices(A=[100.0, 100.0, 100.0, 200.0, 200.0], B=[100.0] * 5)
    # a breach on the last session but one: a lag of 0 fills it there, a lag of 1 too late
    assert len(simulate(panel, HALF, thousand(Bands(absolute=0.1), lag=0)).trades) == 4
    assert len(simulate(panel, HALF, thousand(Bands(absolute=0.1), lag=1)).trades) == 2
    late = prices(A=[100.0, 100.0, 100.0, 100.0, 200.0], B=[100.0] * 5)
    assert len(simulate(late, HALF, thousand(Bands(absolute=0.1))).trades) == 2


def test_before_the_first_fill_there_is_no_band() -> None:
    panel = prices(A=[100.0, 200.0, 400.0, 400.0, 400.0], B=[100.0] * 5)
    result = simulate(panel, HALF, thousand(Bands(absolute=0.01), lag=2))
    assert result.trades["date"].nunique() == 1
    near(result.shares["A"], [0.0, 0.0, 1.25, 1.25, 1.25])


def test_the_calendar_and_bands_together() -> None:
    # row 1 ends January; row 3 breaches
    panel = prices(start=TURN, A=[100.0, 110.0, 110.0, 220.0, 220.0], B=[100.0] * 5)
    result = simulate(panel, HALF, thousand(("monthly", Bands(absolute=0.1))))
    # 525 each on row 1: 525 / 110 A; these are 1050 on row 3, of 1575: 787.50 each
    near(result.shares["A"], [5.0, 525 / 110, 525 / 110, 787.5 / 220, 787.5 / 220])
    assert result.trades["date"].nunique() == 3


def test_a_breach_on_a_rebalance_day_trades_once() -> None:
    panel = prices(start=TURN, A=[100.0, 200.0, 200.0], B=[100.0] * 3)
    rules = Rules(
        initial_capital=1010,
        rebalance=("monthly", Bands(absolute=0.1)),
        costs=Costs(commission_fixed=5),
    )
    result = simulate(panel, HALF, rules)
    near(result.costs, [10.0, 10.0, 0.0])


def test_a_decision_that_waits_for_its_fill_is_not_overtaken() -> None:
    """The end of January is decided on row 1 and filled on row 3; row 2 breaches meanwhile."""
    panel = prices(
        start=TURN, A=[100.0, 100.0, 100.0, 200.0, 400.0, 400.0, 400.0, 400.0], B=[100.0] * 8
    )
    result = simulate(panel, HALF, thousand(("monthly", Bands(absolute=0.1)), lag=2))
    # rows 0 and 1 are decided, filled on rows 2 and 3; a breach on row 4 is filled on row 6
    near(result.shares["A"].iloc[[2, 3, 4, 5, 6]], [5.0, 3.75, 3.75, 3.75, 1125 / 400])
    assert result.trades["date"].nunique() == 3


def test_bands_look_at_the_weights_before_the_days_flow() -> None:
    # A has 750 of 1250, 0.1 above its target: inside; 750 of 2250 after the flow would be outside
    panel = prices(A=[100.0, 150.0, 150.0], B=[100.0] * 3)
    flow = CashFlow(amount=1000, on="2024-01-02")
    rules = thousand((Bands(absolute=0.11), "cashflow"), cash_flows=[flow])
    result = simulate(panel, HALF, rules)
    # new money buys both up to 1125: the same as a rebalance, with no sale
    near(result.shares.iloc[1], [7.5, 11.25])
    unequal = thousand(
        (Bands(absolute=0.11), "cashflow"), cash_flows=[CashFlow(amount=100, on="2024-01-02")]
    )
    # 750 and 500 and 100: all of it buys B; a rebalance would have sold A
    near(simulate(panel, HALF, unequal).shares.iloc[1], [5.0, 6.0])


def test_a_fill_of_a_breach_on_a_day_with_a_flow() -> None:
    panel = prices(A=[100.0, 100.0, 200.0, 200.0, 200.0], B=[100.0] * 5)
    # bought on row 1, breached on row 2, filled on row 3, when 500 come in: 2000, 1000 each
    rules = thousand(Bands(absolute=0.1), lag=1, cash_flows=[CashFlow(amount=500, on="2024-01-04")])
    result = simulate(panel, HALF, rules)
    near(result.shares.iloc[3], [5.0, 10.0])
    near(result.equity, [1000.0, 1000.0, 1500.0, 2000.0, 2000.0])


def test_a_flow_on_the_day_of_a_breach_that_waits_for_its_lag() -> None:
    panel = prices(A=[100.0, 100.0, 200.0, 200.0, 200.0], B=[100.0] * 5)
    # row 2: decided; the 150 that come in are traded to the drifted weights, 2/3 and 1/3, at once
    rules = thousand(Bands(absolute=0.1), lag=1, cash_flows=[CashFlow(amount=150, on="2024-01-03")])
    result = simulate(panel, HALF, rules)
    near(result.shares.iloc[2], [5.5, 5.5])
    near(result.shares.iloc[3], [825 / 200, 8.25])


class Latest(Strategy):
    """All in what has risen most since the first session it sees; remembers when it was asked."""

    name = "latest"
    symbols = ("A", "B")
    rebalance = "never"
    history_sessions = None

    def __init__(self) -> None:
        self.asked: list[str] = []

    def target_weights(self, history: PricePanel) -> FloatArray:
        self.asked.append(str(history.dates[-1]))
        growth = history.prices[-1] / history.prices[0]
        most = (growth == growth.max()).astype(np.float64)
        weights: FloatArray = most / most.sum()
        return weights


def test_a_breach_asks_the_strategy_with_the_history_up_to_that_day() -> None:
    panel = prices(
        A=[100.0, 100.0, 100.0, 120.0, 90.0, 90.0], B=[100.0, 100.0, 130.0, 100.0, 100.0, 100.0]
    )
    strategy = Latest()
    result = simulate(panel, strategy, thousand(Bands(absolute=0.05), lag=1))
    # row 0: a draw, half each, bought on row 1. Row 2: B has 0.565 of it and has risen most; filled
    # on row 3, all B. All of it in one symbol is on its target for good.
    assert strategy.asked == ["2024-01-01", "2024-01-03"]
    near(
        result.weights.iloc[1:],
        [[0.5, 0.5], [50 / 115, 65 / 115], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]],
    )
