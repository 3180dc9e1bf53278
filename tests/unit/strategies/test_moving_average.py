import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest.errors import AllocationError, InvalidParametersError
from etf_backtest.strategies import MovingAverage, Strategy
from etf_backtest.strategies.averages import NEGLECTED, exponential, simple_of_many
from tests.unit.strategies.samples import SYMBOLS, panel_of, walk


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


def test_a_price_that_its_exponential_average_has_reached_is_out() -> None:
    # from 2 on the average of 1 and 2s is 2 but for 3^-k: after 30 sessions by less than 1e-12
    history = panel_of(np.array([[1.0]] + [[2.0]] * 60), ("A",))
    strategy = MovingAverage(["A"], window=2, average="exponential")
    targets = strategy.targets(history, np.array([2, 10, 60]))
    assert targets[:, 0].tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(("window", "sessions"), [(2, 300), (5, 900), (40, 1200)])
def test_the_exponential_average_is_the_recursion(window: int, sessions: int) -> None:
    # the recursion of the docstring, row by row; the older half is neglected where window is 2 or 5
    prices = walk(1, sessions).prices
    alpha, expected = 2 / (window + 1), [prices[0]]
    for price in prices[1:]:
        expected.append(alpha * price + (1 - alpha) * expected[-1])
    assert (1 - alpha) ** sessions < NEGLECTED
    received = exponential(prices, np.arange(sessions), window, np.arange(4))
    np.testing.assert_allclose(received, expected, rtol=1e-14)


@pytest.mark.parametrize("window", [2, 7, 50, 120])
def test_sums_of_blocks_are_the_mean_of_the_window(window: int) -> None:
    prices = walk(2, 120).prices
    expected = [prices[row - window + 1 : row + 1].mean(axis=0) for row in range(window - 1, 120)]
    received = simple_of_many(prices, np.arange(window - 1, 120), window, np.arange(4))
    np.testing.assert_allclose(received, expected, rtol=1e-14)


def test_an_average_forgets_prices_that_were_a_million_million_times_higher() -> None:
    # prices of exact binary fractions: 3 sessions after the fall the mean of 3 is exactly 1
    prices = np.where(np.arange(20) < 10, 2.0**60, 1.0)[:, np.newaxis]
    received = simple_of_many(prices, np.arange(12, 20), 3, np.arange(1))
    assert received[:, 0].tolist() == [1.0] * 8


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 300),
    st.sampled_from(("simple", "exponential")),
    st.sampled_from((0.0, 0.01, 0.1, 0.5)),
)
def test_one_decision_has_the_bits_of_all(seed: int, window: int, kind: Any, band: float) -> None:
    # A never leaves its band: one decision looks back to the beginning for it, and for no other
    panel = walk(seed, 700)
    prices = panel.prices.copy()
    prices[:, 1] = 50.0 + 1e-3 * (np.arange(700) % 2)
    panel = panel.with_prices(prices)
    strategy = MovingAverage(SYMBOLS, window=window, average=kind, tolerance=band)
    ends = np.random.default_rng(seed).integers(0, 701, 40)
    np.testing.assert_array_equal(
        strategy.targets(panel, ends), Strategy.targets(strategy, panel, ends)
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.data())
def test_averages_have_the_same_bits_whatever_else_is_asked(
    seed: int, window: int, data: st.DataObject
) -> None:
    prices, every = walk(seed, 900).prices, np.arange(window - 1, 900)
    first = data.draw(st.integers(window - 1, 899))
    rows = np.arange(first, data.draw(st.integers(first, 899)) + 1)
    columns = np.array(data.draw(st.sampled_from(([0], [2], [3, 1], [0, 1, 2, 3]))))
    for average in (simple_of_many, exponential):
        whole = average(prices, every, window, np.arange(4))
        part = average(prices[: rows[-1] + 1], rows, window, columns)
        np.testing.assert_array_equal(part, whole[rows - (window - 1)][:, columns])


@pytest.mark.parametrize(
    "options",
    [
        {"average": "simple", "tolerance": 0.01},
        {"average": "exponential"},
        {"average": "exponential", "tolerance": 0.01},
    ],
)
def test_one_decision_costs_the_same_whatever_the_length_of_history(
    options: dict[str, Any],
) -> None:
    strategy = MovingAverage(SYMBOLS, window=20, **options)
    peaks = []
    for sessions in (2_000, 20_000):
        history = walk(4, sessions)
        strategy.target_weights(history)
        tracemalloc.start()
        strategy.target_weights(history)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]  # ten times the history


@pytest.mark.parametrize("options", [{}, {"tolerance": 0.1}, {"average": "exponential"}])
def test_an_average_beyond_the_range_of_numbers_is_above_every_price(
    options: dict[str, Any],
) -> None:
    prices = np.array([[1.7e308, 1.0], [1.7e308, 1.0], [1.7e308, 2.0]])
    strategy = MovingAverage({"A": 0.5, "B": 0.5}, window=3, **options)
    assert strategy.target_weights(panel_of(prices, ("A", "B"))).tolist() == [0.0, 0.5]


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
