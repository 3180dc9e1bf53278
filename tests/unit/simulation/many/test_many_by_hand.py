"""Small batches whose numbers were worked out on paper."""

import numpy as np
import pandas as pd
import pytest

from etf_backtest.market import PricePanel
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation import Costs, Rules
from etf_backtest.simulation.many import simulate_many
from etf_backtest.strategies import BuyAndHold, Momentum

DAYS = pd.to_datetime(["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"])
PANEL = PricePanel.from_frame(
    pd.DataFrame({"A": [1.0, 2.0, 2.0, 1.0], "B": [1.0, 1.0, 2.0, 2.0]}, index=DAYS)
)
WEIGHTS = np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 0.0], [0.25, 0.25]])


def test_without_costs() -> None:
    """Bought on 01-30, taken back to the weights on 01-31, at the end of the month.

    Half and half: 100 -> 150 (A doubles); then 75 and 75 -> 75 + 150 = 225 -> 37.5 + 150 = 187.5.
    A quarter each: 100 -> 125; then 31.25, 31.25 and 62.5 in cash -> 156.25 -> 140.625.
    """
    result = simulate_many(PANEL, WEIGHTS, Rules(initial_capital=100), curves=True)
    assert result.equity.to_numpy().T.tolist() == [
        [100, 150, 225, 187.5],
        [100, 200, 200, 100],
        [100, 100, 100, 100],
        [100, 125, 156.25, 140.625],
    ]
    assert result.values["final_value"].tolist() == [187.5, 100, 100, 140.625]
    assert result.values["total_return"].tolist() == [0.875, 0, 0, 0.40625]
    assert result.values["max_drawdown"].tolist() == [
        187.5 / 225 - 1,
        -0.5,
        0,
        140.625 / 156.25 - 1,
    ]
    assert result.values["costs"].tolist() == [0, 0, 0, 0]
    # bought for 100, then 25 of A sold and 25 of B bought: 150 / 2 / mean(equity) / 3 days
    mean = (100 + 150 + 225 + 187.5) / 4
    assert result.values["turnover"][0] == pytest.approx(75 / mean / (3 / 365.25), rel=1e-14)


def test_costs_are_paid_out_of_what_is_invested() -> None:
    """1 %: 100 = v + 0.01 v leaves v = 100 / 1.01, and the first equity is that before costs."""
    result = simulate_many(
        PANEL,
        WEIGHTS[:2],
        Rules(initial_capital=100, costs=Costs(commission_bps=60, slippage_bps=40)),
        curves=True,
    )
    bought = 100 / 1.01
    # half and half on 01-31: A has grown to 2/3 of the money M, and v + 0.01 * (2/3 M - v / 2
    # + v / 2 - M / 3) = M gives v = M * (1 - 0.01 / 3)
    second = bought * 1.5 * (1 - 0.01 / 3)
    np.testing.assert_allclose(
        result.equity.to_numpy().T,
        [
            [100, second, second * 1.5, second * 1.25],
            [100, 2 * bought, 2 * bought, bought],
        ],
        rtol=1e-15,
    )
    np.testing.assert_allclose(
        result.values["costs"], [bought * 0.01 + bought * 1.5 * 0.01 / 3, bought * 0.01], rtol=1e-14
    )


def test_cash_earns_its_rate() -> None:
    """All cash at 3.65 % a year, act/365: 0.01 % each of the first two days, 0.02 % since 02-01."""
    rate = DatedRates.of({"2024-01-01": 0.0365, "2024-02-01": 0.073})
    result = simulate_many(PANEL, WEIGHTS[2:3], Rules(initial_capital=100, cash_rate=rate))
    assert result.values["final_value"][0] == pytest.approx(100 * 1.0001**2 * 1.0002, rel=1e-15)


def test_each_strategy_has_its_own_dates() -> None:
    """Bought and held, B beside A ends at 2.5 times 50 + ... : 50 * 1 + 50 * 2 = 150; momentum sees
    on 01-31 that A rose, buys it a day later, and loses half."""
    result = simulate_many(
        PANEL,
        [
            BuyAndHold({"A": 0.5, "B": 0.5}),
            Momentum(["A", "B"], look_back=1, skip=0),
            BuyAndHold({"B": 1.0}),
        ],
        Rules(initial_capital=100),
    )
    assert result.values["final_value"].tolist() == [150, 50, 200]


def test_constant_returns_have_no_sharpe_ratio() -> None:
    """The same growth each day: its scatter is rounding, and no ratio is made of it."""
    days = pd.bdate_range("2020-01-01", periods=600)
    growth = 1.0001 ** np.arange(days.size)
    panel = PricePanel.from_frame(pd.DataFrame({"A": growth, "B": growth}, index=days))
    weights = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]])
    result = simulate_many(panel, weights)
    assert np.isnan(result.values["sharpe_ratio"]).all()
    assert np.isnan(result.values["calmar_ratio"]).all()
    assert (result.values["volatility"] < 1e-12).all()


def test_a_window_under_a_year_has_no_annual_growth() -> None:
    result = simulate_many(PANEL, WEIGHTS)
    assert np.isnan(result.values["cagr"]).all()
    assert result.warnings == (
        "undefined and therefore NaN, `simulate` says why: cagr, sharpe_ratio (1 of 4), "
        "calmar_ratio",
    )
