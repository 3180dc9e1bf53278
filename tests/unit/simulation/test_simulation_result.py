import datetime as dt
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.market import PricePanel
from etf_backtest.simulation import (
    CONVENTIONS_VERSION,
    Rebalancing,
    Rules,
    SimulationResult,
    simulate,
)
from etf_backtest.strategies import BuyAndHold, Momentum

TRADES = ["date", "symbol", "shares", "price", "notional", "commission", "slippage"]


@pytest.fixture
def result() -> SimulationResult:
    generator = np.random.default_rng(7)
    prices = 50 * np.exp(np.cumsum(generator.normal(0, 0.01, (300, 3)), axis=0))
    frame = pd.DataFrame(
        prices, index=pd.bdate_range("2022-01-03", periods=300), columns=["A", "B", "C"]
    )
    strategy = Momentum(["A", "B"], look_back=20, skip=2)
    return simulate(
        PricePanel.from_frame(frame), strategy, Rules(cash_rate=0.01), benchmark="C", risk_free=0.01
    )


def test_curves_are_dated(result: SimulationResult) -> None:
    index = pd.bdate_range("2022-01-03", periods=300)
    assert result.benchmark_equity is not None
    for curve in (result.equity, result.cash, result.benchmark_equity):
        assert isinstance(curve, pd.Series)
        assert (curve.index == index).all()
    for table in (result.shares, result.weights):
        assert list(table.columns) == ["A", "B"]
        assert (table.index == index).all()
    assert list(result.trades.columns) == TRADES
    assert (result.window.start, result.window.end) == (dt.date(2022, 1, 3), index[-1].date())
    assert result.window.sessions == 300
    assert repr(result).startswith("SimulationResult(momentum, 2022-01-03 to 2023-02-24, 10,000.00")


def test_changing_a_curve_does_not_change_the_result(result: SimulationResult) -> None:
    before = result.equity.iloc[5]
    curve = result.equity
    curve.iloc[5] = 0.0
    assert result.equity.iloc[5] == before


def test_trades_sum_up_to_the_shares(result: SimulationResult) -> None:
    trades = result.trades.pivot_table(index="date", columns="symbol", values="shares")
    held = trades.reindex(result.shares.index).fillna(0.0).cumsum()
    np.testing.assert_allclose(held.to_numpy(), result.shares.to_numpy(), atol=1e-9)


def test_weights_and_cash_are_everything(result: SimulationResult) -> None:
    cash = result.cash / result.equity
    np.testing.assert_allclose(result.weights.sum(axis=1) + cash, 1.0, rtol=1e-12)


def test_the_result_as_json(result: SimulationResult) -> None:
    text = json.dumps(result.to_dict(), allow_nan=False)
    stored: dict[str, Any] = json.loads(text)
    assert list(stored) == [
        "schema",
        "conventions_version",
        "versions",
        "fingerprint",
        "fingerprints",
        "window",
        "asked_window",
        "ruin",
        "strategy",
        "rules",
        "rebalance",
        "lag",
        "benchmark",
        "risk_free",
        "basis",
        "proxies",
        "metrics",
        "benchmark_metrics",
        "warnings",
        "dates",
        "equity",
        "cash",
        "benchmark_equity",
        "weights",
        "flows",
        "costs",
        "income",
        "trades",
    ]
    assert stored["schema"] == 2
    assert stored["conventions_version"] == CONVENTIONS_VERSION == 1
    assert stored["strategy"]["name"] == "momentum"
    assert (stored["rebalance"]["period"], stored["lag"]) == ("monthly", 1)
    assert Rebalancing.model_validate(stored["rebalance"]) == result.rebalance
    assert stored["ruin"] is None
    assert stored["asked_window"] == stored["window"]
    assert stored["flows"] == stored["costs"] == {}
    # full precision: the very same numbers come back
    assert stored["equity"] == result.equity.tolist()
    assert stored["weights"]["A"] == result.weights["A"].tolist()
    assert stored["dates"][0] == "2022-01-03"
    assert len(stored["dates"]) == len(stored["cash"]) == 300
    trade = stored["trades"][0]
    assert trade["date"] == result.trades["date"].iloc[0].date().isoformat()
    assert trade["notional"] == trade["shares"] * trade["price"]
    assert Rules.model_validate(stored["rules"]) == result.rules


def test_no_benchmark_no_trades_no_nan() -> None:
    # a flat price for two sessions: nearly everything is undefined
    days = pd.DatetimeIndex(["2024-01-02", "2024-01-03"])
    panel = PricePanel.from_frame(pd.DataFrame({"A": [1.0, 1.0]}, index=days))
    result = simulate(panel, BuyAndHold({"A": 0.0}))
    stored = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert stored["trades"] == []
    assert stored["benchmark_equity"] is None
    metrics = stored["metrics"]
    assert metrics["total_return"] == 0.0
    assert metrics["sharpe_ratio"] is None
    assert metrics["undefined"]["sharpe_ratio"] == "one return has no standard deviation"
    assert not any(isinstance(value, float) and math.isnan(value) for value in metrics.values())
    assert result.trades.empty
    assert list(result.trades.columns) == TRADES
