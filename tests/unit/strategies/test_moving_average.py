import numpy as np
import pytest

from etf_backtest.errors import AllocationError, InvalidParametersError
from etf_backtest.strategies import MovingAverage, Strategy
from tests.unit.strategies.samples import panel_of, walk


def test_above_the_average_is_in_and_below_is_out() -> None:
    # means of three: A 4/3 and then 2 above it, B 5/3 and 1 below
    history = panel_of(np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0]]), ("A", "B"))
    strategy = MovingAverage({"A": 0.6, "B": 0.4}, window=3)
    assert strategy.target_weights(history).tolist() == [0.6, 0.0]
    assert MovingAverage(["A", "B"], window=3).target_weights(history).tolist() == [0.5, 0.0]
    assert (strategy.history_sessions, strategy.needed_sessions) == (3, 3)


@pytest.mark.parametrize("price", [1.0, 100.1, 1 / 3, 1e-7])
@pytest.mark.parametrize("average", ["simple", "exponential"])
def test_a_price_that_never_moves_is_at_its_average_and_out(price: float, average: str) -> None:
    history = panel_of(np.full((40, 1), price), ("A",))
    strategy = MovingAverage(["A"], window=30, average=average)  # type: ignore[arg-type]
    assert strategy.target_weights(history).tolist() == [0.0]


def test_inside_the_band_it_stays_as_it_was() -> None:
    # means of two: 95, 100, 102.5, 104.5, 102, 99, 99.5; the band is 5 % of them to each side
    prices = np.array([[100.0], [90.0], [110.0], [95.0], [114.0], [90.0], [108.0], [91.0]])
    # price/mean: -, .947, 1.1, .927, 1.091, .882, 1.091, .915
    strategy = MovingAverage(["A"], window=2, tolerance=0.05)
    panel = panel_of(prices, ("A",))
    targets = strategy.targets(panel, np.arange(9))
    assert targets[:, 0].tolist() == [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]

    # 100 and 104 lie in the band of 5 % around their means (100, 102): as before, in and out
    prices = np.array([[100.0], [100.0], [120.0], [120.0], [116.0], [90.0], [90.0], [94.0]])
    targets = strategy.targets(panel_of(prices, ("A",)), np.arange(1, 9))
    assert targets[:, 0].tolist() == [0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert strategy.history_sessions is None


@pytest.mark.parametrize(
    "strategy",
    [
        MovingAverage(["C", "A", "D", "B"], window=7),
        MovingAverage(["C", "A", "D", "B"], window=7, tolerance=0.01),
        MovingAverage(["C", "A", "D", "B"], window=7, average="exponential"),
        MovingAverage(["C", "A", "D", "B"], window=7, average="exponential", tolerance=0.03),
    ],
)
def test_all_decisions_at_once_are_those_one_by_one(strategy: MovingAverage) -> None:
    panel = walk(3)
    ends = np.random.default_rng(0).permutation(91)
    np.testing.assert_array_equal(
        strategy.targets(panel, ends), Strategy.targets(strategy, panel, ends)
    )
    assert not strategy.targets(panel, np.array([0, 6])).any()
    assert strategy.targets(panel, np.arange(7, 91)).any(axis=0).all()


def test_bounds() -> None:
    with pytest.raises(InvalidParametersError, match="window: input should be greater than or"):
        MovingAverage(["A"], window=1)
    with pytest.raises(InvalidParametersError, match="tolerance: input should be less than or"):
        MovingAverage(["A"], tolerance=0.6)
    with pytest.raises(InvalidParametersError, match="average: input should be 'simple' or 'exp"):
        MovingAverage(["A"], average="weighted")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InvalidParametersError, match="expected different symbols"):
        MovingAverage("SPY")
    with pytest.raises(AllocationError, match="there are no allocations"):
        MovingAverage({})
