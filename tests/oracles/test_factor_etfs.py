"""Real prices: the factor ETFs of skfolio's data set, against pandas alone."""

import gzip
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from etf_backtest.market import PriceBasis, PricePanel
from etf_backtest.simulation import Rules, simulate
from etf_backtest.strategies import BuyAndHold, Momentum


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    data = files("skfolio.datasets") / "data" / "factors_dataset.csv.gz"
    with data.open("rb") as packed, gzip.open(packed) as text:
        return pd.read_csv(text, index_col=0, parse_dates=True)


@pytest.fixture(scope="module")
def panel(prices: pd.DataFrame) -> PricePanel:
    return PricePanel.from_frame(prices, basis=PriceBasis.ADJUSTED_CLOSE)


def test_sixty_forty_bought_and_held(prices: pd.DataFrame, panel: PricePanel) -> None:
    rules = Rules(initial_capital=100_000)
    result = simulate(panel, BuyAndHold({"MTUM": 0.6, "USMV": 0.4}), rules, benchmark="QUAL")
    relative = prices / prices.iloc[0]
    expected = 60_000 * relative["MTUM"] + 40_000 * relative["USMV"]
    np.testing.assert_allclose(result.equity, expected, rtol=1e-13)
    # from the four prices in the file: 6e4 * 143.73 / 52.704 + 4e4 * 71.134 / 29.338
    assert result.equity.iloc[-1] == pytest.approx(260_612.53, abs=0.01)
    assert result.benchmark_equity is not None
    np.testing.assert_allclose(result.benchmark_equity, 100_000 * relative["QUAL"], rtol=1e-13)
    assert result.window.to_dict() == {"start": "2014-01-02", "end": "2022-12-28", "sessions": 2264}
    assert len(result.trades) == 2
    # 3282 days from the first to the last date
    growth = (expected.iloc[-1] / 100_000) ** (365.25 / 3282) - 1
    assert result.metrics.annualized_return == pytest.approx(growth, rel=1e-12)
    peak = expected.cummax()
    assert result.metrics.max_drawdown == pytest.approx((expected / peak - 1).min(), rel=1e-12)


def test_sixty_forty_rebalanced_monthly(prices: pd.DataFrame, panel: PricePanel) -> None:
    rules = Rules(initial_capital=100_000, rebalance="monthly")
    result = simulate(panel, BuyAndHold({"MTUM": 0.6, "USMV": 0.4}), rules, start="2016-01-04")
    two = prices.loc["2016-01-04":, ["MTUM", "USMV"]]
    # within a month the value grows as 0.6 and 0.4 of the last month's end do
    value, base, expected = 100_000.0, two.iloc[0], [100_000.0]
    months = pd.PeriodIndex(two.index, freq="M")
    for row in range(1, len(two)):
        relative = two.iloc[row] / base
        grown = value * float(0.6 * relative["MTUM"] + 0.4 * relative["USMV"])
        expected.append(grown)
        if row + 1 < len(two) and months[row] != months[row + 1]:
            value, base = grown, two.iloc[row]
    np.testing.assert_allclose(result.equity, expected, rtol=1e-12)


def test_momentum_holds_what_pandas_ranks_first(prices: pd.DataFrame, panel: PricePanel) -> None:
    strategy = Momentum(panel.symbols, look_back=252, skip=21, top_n=2)
    result = simulate(panel, strategy, Rules(initial_capital=100_000), start="2016-01-04")
    score = prices.shift(21) / prices.shift(21 + 252) - 1
    months = pd.PeriodIndex(prices.index, freq="M")
    held = result.weights
    decisions = [
        day
        for row, day in enumerate(prices.index[:-2])
        if day == pd.Timestamp("2016-01-04")
        or (day > pd.Timestamp("2016-01-04") and months[row] != months[row + 1])
    ]
    assert len(decisions) == 84
    for day in decisions:
        fill = prices.index[prices.index > day][0]
        best = set(score.loc[day].nlargest(2).index)
        bought = held.loc[fill]
        assert set(bought[bought > 0].index) == best
        np.testing.assert_allclose(bought[bought > 0], 0.5, rtol=1e-12)
    # between the fills nothing trades
    fills = result.trades["date"].unique()
    moved = result.shares.diff().abs().sum(axis=1) > 0
    assert set(result.shares.index[moved]) <= set(fills)
