"""Runs that are short enough to compute by hand."""

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import AllocationError, SimulationError
from etf_backtest.market import ForwardFill, PriceBasis, PricePanel
from etf_backtest.simulation import Rules, simulate
from etf_backtest.strategies import BuyAndHold, Momentum, Strategy
from etf_backtest.typing import FloatArray

# two sessions in January, two in February
DAYS = ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"]
PANEL = PricePanel.from_frame(
    pd.DataFrame(
        {"A": [100.0, 110.0, 121.0, 121.0], "B": [50.0, 50.0, 25.0, 50.0]},
        index=pd.DatetimeIndex(DAYS),
    )
)
SIXTY_FORTY = BuyAndHold({"A": 0.6, "B": 0.4})
THOUSAND = Rules(initial_capital=1000)


def test_buy_and_hold() -> None:
    result = simulate(PANEL, SIXTY_FORTY, THOUSAND)
    # 6 of A and 8 of B: 600 + 400; 660 + 400; 726 + 200; 726 + 400
    assert result.equity.tolist() == pytest.approx([1000.0, 1060.0, 926.0, 1126.0], rel=1e-14)
    np.testing.assert_allclose(result.shares.to_numpy(), [[6.0, 8.0]] * 4, rtol=1e-14)
    assert result.cash.tolist() == [0.0] * 4
    assert result.weights["A"].tolist() == pytest.approx(
        [0.6, 660 / 1060, 726 / 926, 726 / 1126], rel=1e-14
    )
    trades = result.trades
    assert trades["symbol"].tolist() == ["A", "B"]
    assert trades["date"].tolist() == [pd.Timestamp("2024-01-30")] * 2
    assert trades["shares"].tolist() == pytest.approx([6.0, 8.0], rel=1e-14)
    assert trades["price"].tolist() == [100.0, 50.0]
    assert trades["notional"].tolist() == pytest.approx([600.0, 400.0], rel=1e-14)
    assert result.warnings[:2] == (
        "cagr, calmar_ratio, ulcer_performance_index are undefined: the window has 3 days, less "
        "than a year",
        "alpha, beta, r_squared, correlation, information_ratio, tracking_error, up_capture, "
        "down_capture are undefined: there is no benchmark",
    )


def test_a_lag_buys_later() -> None:
    result = simulate(PANEL, SIXTY_FORTY, Rules(initial_capital=1000, lag=1))
    # cash on the first session; then 600/110 of A and 400/50 of B
    assert result.equity.tolist() == pytest.approx([1000.0, 1000.0, 860.0, 1060.0], rel=1e-14)
    assert result.cash.tolist() == [1000.0, 0.0, 0.0, 0.0]


def test_a_month_ends_on_its_last_session() -> None:
    result = simulate(PANEL, SIXTY_FORTY, Rules(initial_capital=1000, rebalance="monthly"))
    # on 01-31 1060 is split anew: 636/110 of A and 424/50 of B
    held = [[6.0, 8.0], [636 / 110, 8.48], [636 / 110, 8.48], [636 / 110, 8.48]]
    np.testing.assert_allclose(result.shares.to_numpy(), held, rtol=1e-14)
    assert result.equity.tolist() == pytest.approx([1000.0, 1060.0, 911.6, 1123.6], rel=1e-14)
    assert result.trades["notional"].tolist() == pytest.approx([600, 400, -24, 24], rel=1e-12)
    assert result.warnings[0] == (
        "buy_and_hold does not rebalance by itself; the rules take it back to its weights (monthly)"
    )


def test_the_rest_is_cash_and_earns_act_365() -> None:
    # Friday, Monday, Tuesday; 3.65 % a year is 0.01 % a calendar day
    panel = PricePanel.from_frame(
        pd.DataFrame(
            {"A": [100.0, 110.0, 99.0]},
            index=pd.DatetimeIndex(["2024-01-05", "2024-01-08", "2024-01-09"]),
        )
    )
    rules = Rules(initial_capital=1000, cash_rate=0.0365)
    result = simulate(panel, BuyAndHold({"A": 0.5}), rules)
    cash = [500.0, 500 * 1.0003, 500 * 1.0003 * 1.0001]
    assert result.cash.tolist() == pytest.approx(cash, rel=1e-14)
    equity = [1000.0, 550 + cash[1], 495 + cash[2]]
    assert result.equity.tolist() == pytest.approx(equity, rel=1e-14)


def test_cash_that_waits_for_its_lag_earns_too() -> None:
    rules = Rules(initial_capital=1000, cash_rate=0.0365, lag=1)
    result = simulate(PANEL, BuyAndHold({"A": 1.0}), rules)
    # one night of interest, then all in A at 110
    assert result.equity.tolist() == pytest.approx([1000, 1000.1, 1100.11, 1100.11], rel=1e-14)


# five sessions of one week
WEEK = PricePanel.from_frame(
    pd.DataFrame(
        {"A": [100.0, 110.0, 110.0, 99.0, 99.0], "B": [100.0, 100.0, 120.0, 120.0, 132.0]},
        index=pd.bdate_range("2024-03-04", periods=5),
    )
)
FOLLOW = Momentum(["A", "B"], look_back=1, skip=0, top_n=1, rebalance="daily")


def test_momentum() -> None:
    result = simulate(WEEK, FOLLOW, THOUSAND)
    # row 0 has no return yet; row 1 prefers A (10 % to 0), bought on row 2 at 110; row 2 prefers B
    # (20 % to 0), bought on row 3 with the 900 that are left, 7.5 of them; row 4 never trades
    assert result.equity.tolist() == pytest.approx([1000, 1000, 1000, 900, 990], rel=1e-14)
    np.testing.assert_allclose(
        result.shares.to_numpy(),
        np.array([[0.0, 0.0], [0.0, 0.0], [1000 / 110, 0.0], [0.0, 7.5], [0.0, 7.5]]),
        rtol=1e-14,
    )
    assert result.warnings[0] == (
        "momentum looks at 2 sessions; the prices begin on 2024-03-04, too late for 1 of 3 "
        "decisions, and the money stays in cash until 2024-03-06"
    )


def test_momentum_uses_the_sessions_before_the_start() -> None:
    result = simulate(WEEK, FOLLOW, THOUSAND, start="2024-03-05")
    # the first decision, on the start, already sees A's 10 %
    assert result.equity.tolist() == pytest.approx([1000, 1000, 900, 990], rel=1e-14)
    assert result.window.to_dict() == {"start": "2024-03-05", "end": "2024-03-08", "sessions": 4}
    assert not any("looks at" in warning for warning in result.warnings)


def test_momentum_with_lag_0_is_warned_about() -> None:
    result = simulate(WEEK, FOLLOW, Rules(initial_capital=1000, lag=0))
    # bought at the close that the decision saw: A on row 1, B on row 2 (9.09 A at 110 are 8.33 B)
    assert result.equity.tolist() == pytest.approx([1000, 1000, 1000, 1000, 1100], rel=1e-14)
    assert result.warnings[0].startswith("momentum looks at prices and was run with lag 0")


def test_a_history_that_is_enough_for_the_last_session_alone_is_cash() -> None:
    result = simulate(WEEK, Momentum(["A", "B"], look_back=4, skip=0), THOUSAND)
    assert result.equity.tolist() == [1000.0] * 5
    assert len(result.trades) == 0
    assert result.warnings[0].endswith("the money stays in cash for the whole window")


def test_a_window_too_short_to_trade() -> None:
    result = simulate(WEEK, FOLLOW, THOUSAND, start="2024-03-07")
    assert result.equity.tolist() == [1000.0, 1000.0]
    assert result.warnings[0] == (
        "the window is too short to fill a target 1 session after its decision: "
        "the money stays in cash"
    )


def test_the_benchmark_is_held_all_the_time() -> None:
    traded = simulate(PANEL, SIXTY_FORTY, THOUSAND, benchmark="A")
    other = simulate(PANEL, BuyAndHold({"A": 1.0}), THOUSAND, benchmark="B")
    assert traded.benchmark_equity is not None
    assert other.benchmark_equity is not None
    assert traded.benchmark_equity.tolist() == pytest.approx([1000, 1100, 1210, 1210], rel=1e-14)
    assert other.benchmark_equity.tolist() == pytest.approx([1000, 1000, 500, 1000], rel=1e-14)
    assert list(other.shares.columns) == ["A"]
    assert simulate(PANEL, SIXTY_FORTY).benchmark_equity is None


def test_the_end_cuts_the_window() -> None:
    result = simulate(PANEL, SIXTY_FORTY, THOUSAND, end="2024-02-01")
    assert result.equity.tolist() == pytest.approx([1000.0, 1060.0, 926.0], rel=1e-14)


def test_adjusted_closes_are_mentioned() -> None:
    panel = PricePanel.from_frame(
        PANEL.to_frame(),
        basis={"A": PriceBasis.ADJUSTED_CLOSE, "B": PriceBasis.TOTAL_RETURN},
    )
    result = simulate(panel, SIXTY_FORTY)
    assert result.warnings[0].startswith("A: only the vendor's adjusted closes are known")
    assert result.to_dict()["basis"] == {"A": "adjusted_close", "B": "total_return"}


def test_missing_prices_follow_the_policy_and_are_reported() -> None:
    holed = PANEL.to_frame()
    holed.iloc[2, 1] = np.nan
    filled = simulate(
        PricePanel.from_frame(holed),
        SIXTY_FORTY,
        Rules(initial_capital=1000, missing=ForwardFill(1)),
    )
    # B stays at 50 on 02-01: 726 + 400
    assert filled.equity.tolist() == pytest.approx([1000, 1060, 1126, 1126], rel=1e-14)
    assert filled.warnings[0].startswith("B: 1 missing price was carried forward")


def test_symbols_that_play_no_part_may_have_gaps() -> None:
    holed = PANEL.to_frame()
    holed.iloc[2, 1] = np.nan
    result = simulate(PricePanel.from_frame(holed), BuyAndHold({"A": 1.0}), THOUSAND)
    assert result.equity.iloc[-1] == pytest.approx(1210.0, rel=1e-14)


class Reckless(Strategy):
    name = "reckless"
    symbols = ("A", "B")

    def __init__(self, weights: list[float]) -> None:
        self.weights = np.array(weights)

    def target_weights(self, history: PricePanel) -> FloatArray:
        return self.weights


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.6, 0.6], "the weights that reckless decided on 2024-01-30 sum to 1.2, above 1"),
        ([-0.1, 0.6], "the weight of A that reckless decided on 2024-01-30 is -0.1"),
        ([0.5, np.nan], "the weight of B that reckless decided on 2024-01-30 is nan"),
        (
            [0.5],
            r"expected 2 weights that reckless decided on 2024-01-30, received the shape \(1,\)",
        ),
    ],
)
def test_a_strategy_of_ones_own_is_checked(weights: list[float], message: str) -> None:
    with pytest.raises(AllocationError, match=message):
        simulate(PANEL, Reckless(weights))


def test_absurd_prices_are_not_hidden() -> None:
    absurd = PricePanel.from_frame(
        pd.DataFrame({"A": [1e-300, 1.0, 1e300]}, index=pd.DatetimeIndex(DAYS[:3]))
    )
    with pytest.raises(SimulationError, match="value on 2024-02-01 is inf"):
        simulate(absurd, BuyAndHold({"A": 1.0}))
    with pytest.raises(SimulationError, match="value on 2024-02-01 is inf"):
        simulate(absurd, BuyAndHold({"A": 0.0}), benchmark="A")
