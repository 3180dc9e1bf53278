"""Many at once are those one by one, to the last bit."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest.market import PricePanel
from etf_backtest.strategies import Momentum, Strategy
from etf_backtest.typing import FloatArray, IndexArray
from tests.unit.strategies.samples import panel_of

seeds = st.integers(0, 2**32 - 1)


def coarse(seed: int, sessions: int, symbols: tuple[str, ...]) -> PricePanel:
    """Prices of 1 to 4, so that many returns are equal."""
    random = np.random.default_rng(seed)
    return panel_of(random.integers(1, 5, (sessions, len(symbols))).astype(float), symbols)


def one_by_one(strategies: list[Momentum], history: PricePanel, ends: IndexArray) -> FloatArray:
    return np.stack([Strategy.targets(strategy, history, ends) for strategy in strategies])


@settings(deadline=None)
@given(
    seeds,
    st.permutations("ABCDEFG"),
    st.lists(
        st.tuples(
            st.integers(1, 12),
            st.integers(0, 3),
            st.integers(1, 7),
            st.sampled_from((None, -0.5, 0.0, 0.5)),
        ),
        min_size=1,
        max_size=12,
    ),
    st.lists(st.integers(0, 30), max_size=8),
)
def test_a_sweep_is_its_points(
    seed: int,
    symbols: list[str],
    points: list[tuple[int, int, int, float | None]],
    ends: list[int],
) -> None:
    history = coarse(seed, 30, tuple(symbols))
    strategies = [
        Momentum(symbols, look_back=look_back, skip=skip, top_n=top_n, minimum_return=least)
        for look_back, skip, top_n, least in points
    ]
    rows = np.array(ends, dtype=np.intp)  # in any order, and too early for some
    received = Momentum.targets_of_many(strategies, history, rows)
    np.testing.assert_array_equal(received, one_by_one(strategies, history, rows))
    np.testing.assert_array_equal(strategies[0].targets(history, rows), received[0])


def test_a_sweep_of_1000_points_takes_less_than_a_glance() -> None:
    # 240 months, 50 symbols: about 20 ms on two cores, where one by one takes 3 s
    symbols = tuple(f"S{number:02d}" for number in range(50))
    steps = np.random.default_rng(5).normal(0, 0.01, (5040, 50))
    history = panel_of(np.exp(steps.cumsum(axis=0)), symbols)
    ends = np.arange(21, 5041, 21)
    strategies = [
        Momentum(symbols, look_back=20 + 12 * i, skip=5 * j, top_n=n)
        for i in range(20)
        for j in range(5)
        for n in range(1, 11)
    ]
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        received = Momentum.targets_of_many(strategies, history, ends)
        seconds.append(time.perf_counter() - start)
    assert received.shape == (1000, 240, 50)
    assert min(seconds) < 1.0  # ten times what it may take, for a busy machine
    some = slice(None, None, 111)
    np.testing.assert_array_equal(received[some], one_by_one(strategies[some], history, ends))


class Contrarian(Momentum):
    """Holds what fell most: another target_weights, and Momentum's shortcut must not answer."""

    def target_weights(self, history: PricePanel) -> FloatArray:
        return np.roll(super().target_weights(history), 1)


def test_a_subclass_with_other_weights_does_not_inherit_the_shortcut() -> None:
    history = coarse(1, 30, ("A", "B", "C"))
    contrarian = Contrarian(("A", "B", "C"), look_back=3, skip=0)
    momentum = Momentum(("A", "B", "C"), look_back=3, skip=0)
    ends = np.array([4, 10, 30])
    expected = np.roll(momentum.targets(history, ends), 1, axis=1)
    np.testing.assert_array_equal(contrarian.targets(history, ends), expected)
    many = Contrarian.targets_of_many([contrarian, contrarian], history, ends)
    np.testing.assert_array_equal(many, [expected, expected])
    assert contrarian.batch_key() != momentum.batch_key()


@pytest.mark.parametrize("least", [0.1, 0.25])
def test_what_did_not_rise_more_than_the_minimum_is_cash(least: float) -> None:
    # A 10 %, B 25 %, C 30 %: top 2 are C and B; B does not return more than 25 %
    history = panel_of(np.array([[100.0, 4.0, 10.0], [110.0, 5.0, 13.0]]), ("A", "B", "C"))
    strategy = Momentum(["A", "B", "C"], look_back=1, skip=0, top_n=2)
    assert strategy.target_weights(history).tolist() == [0.0, 0.5, 0.5]
    filtered = Momentum(["A", "B", "C"], look_back=1, skip=0, top_n=2, minimum_return=least)
    expected = {0.1: [0.0, 0.5, 0.5], 0.25: [0.0, 0.0, 0.5]}[least]
    assert filtered.target_weights(history).tolist() == expected
