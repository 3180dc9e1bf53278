"""Inverse volatility, equal risk contribution, volatility target: by hand, and at their limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest.errors import InvalidParametersError
from etf_backtest.strategies import (
    EqualRiskContribution,
    InverseVolatility,
    Strategy,
    VolatilityTarget,
)
from etf_backtest.strategies.risk_budgeting import equal_risk_weights
from etf_backtest.typing import FloatArray
from tests.unit.strategies.samples import panel_of, walk


def prices_of(returns: list[list[float]] | FloatArray) -> FloatArray:
    moves = np.asarray(returns)
    ones = np.ones((1, moves.shape[1]))
    return 100 * np.concatenate((ones, np.cumprod(1 + moves, axis=0)))


UP_DOWN = np.array([[0.01, 0.03], [-0.01, 0.03], [0.01, -0.03], [-0.01, -0.03]])
"""Uncorrelated; the second swings three times as much."""


def test_inverse_volatility_by_hand() -> None:
    # deviations 1 : 3, so weights 3/4 and 1/4
    history = panel_of(prices_of(UP_DOWN), ("A", "B"))
    weights = InverseVolatility(["A", "B"], look_back=4).target_weights(history)
    np.testing.assert_allclose(weights, [0.75, 0.25], rtol=1e-13)
    assert weights.sum() == pytest.approx(1, abs=1e-15)


def test_equal_risk_contribution_by_hand() -> None:
    # uncorrelated, or two of any correlation: the weights of inverse volatility (Maillard et al.)
    history = panel_of(prices_of(UP_DOWN), ("A", "B"))
    weights = EqualRiskContribution(["A", "B"], look_back=4).target_weights(history)
    np.testing.assert_allclose(weights, [0.75, 0.25], rtol=1e-12)
    panel = walk(7, 60).select(["C", "A"])
    two = EqualRiskContribution(["C", "A"], look_back=59).target_weights(panel)
    np.testing.assert_allclose(
        two, InverseVolatility(["C", "A"], look_back=59).target_weights(panel), rtol=1e-11
    )


def test_only_the_look_back_counts() -> None:
    panel = walk(1, 80)
    for strategy in (InverseVolatility, EqualRiskContribution):
        weights = strategy(panel.symbols, look_back=30).target_weights(panel)
        short = strategy(panel.symbols, look_back=30).target_weights(panel.rows(49, 80))
        np.testing.assert_array_equal(weights, short)


correlations = st.builds(
    lambda seed, size, factors: _correlation(seed, size, factors),
    st.integers(0, 2**32 - 1),
    st.integers(1, 30),
    st.integers(1, 40),
)


def _correlation(seed: int, size: int, factors: int) -> FloatArray:
    """Of random loadings on as many factors, singular where they are fewer, and a common one."""
    random = np.random.default_rng(seed)
    loadings = random.normal(0, 1, (size, factors))
    loadings[:, 0] += random.uniform(0.5, 5)
    loadings /= np.sqrt((loadings**2).sum(axis=1, keepdims=True))
    product: FloatArray = loadings @ loadings.T
    return product


@settings(deadline=None, max_examples=300)
@given(correlations, st.integers(0, 2**32 - 1))
def test_risk_contributions_are_equal(correlation: FloatArray, seed: int) -> None:
    scale = np.exp(np.random.default_rng(seed).normal(-4, 1.5, len(correlation)))
    weights = equal_risk_weights(correlation, scale)
    if weights is None:
        return
    contributions = weights * (correlation * np.outer(scale, scale) @ weights)
    assert (weights > 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-14)
    assert np.abs(contributions / contributions.mean() - 1).max() <= 2e-10


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 25))
def test_a_solution_is_found_wherever_all_move_together(seed: int, size: int) -> None:
    correlation = np.abs(_correlation(seed, size, 3))  # no offsets, so there is one
    np.fill_diagonal(correlation, 1.0)
    correlation = 0.5 * correlation.clip(0, 1) + 0.5  # diagonally safe: 1 on it, 0.5 to 1 off it
    assert equal_risk_weights(correlation, np.full(size, 0.01)) is not None


def test_twins_share_the_risk_of_one() -> None:
    # A and B are the same, C independent with the same deviation: a + a and c, where each of the
    # three contributes the same: a (2a) = c^2, so c = sqrt(2) a
    returns = np.array([[0.01, 0.01, 0.01], [0.01, 0.01, -0.01], [-0.01, -0.01, 0.01]])
    returns = np.concatenate((returns, -returns[:1] * [1, 1, 1]))
    history = panel_of(prices_of(returns), ("A", "B", "C"))
    weights = EqualRiskContribution(["A", "B", "C"], look_back=4).target_weights(history)
    part = 1 / (2 + math.sqrt(2))
    np.testing.assert_allclose(weights, [part, part, math.sqrt(2) * part], rtol=1e-10)


def test_perfect_offsets_have_the_weights_of_inverse_volatility() -> None:
    # B rises by exactly half of what A falls: 1/3 A and 2/3 B have no risk at all
    moves = np.array([0.02, -0.01, 0.03, -0.02])
    history = panel_of(prices_of(np.stack([moves, -moves / 2], axis=1)), ("A", "B"))
    weights = EqualRiskContribution(["A", "B"], look_back=4).target_weights(history)
    np.testing.assert_allclose(weights, [1 / 3, 2 / 3], rtol=1e-10)


@pytest.mark.parametrize("strategy", [InverseVolatility, EqualRiskContribution])
def test_what_does_not_move_is_left_out(
    strategy: type[InverseVolatility] | type[EqualRiskContribution],
) -> None:
    returns = np.column_stack((UP_DOWN[:, 0], np.zeros(4), UP_DOWN[:, 1]))
    history = panel_of(prices_of(returns), ("A", "S", "B"))
    weights = strategy(["A", "S", "B"], look_back=4).target_weights(history)
    np.testing.assert_allclose(weights, [0.75, 0.0, 0.25], rtol=1e-12)
    still = panel_of(np.full((5, 3), 7.0), ("A", "S", "B"))
    assert strategy(["A", "S", "B"], look_back=4).target_weights(still).tolist() == [0.0] * 3
    # the same growth each day is no swing either, whatever the rounding says
    steady = panel_of(100 * 1.0001 ** np.arange(5.0)[:, np.newaxis] * np.ones(3), ("A", "S", "B"))
    assert strategy(["A", "S", "B"], look_back=4).target_weights(steady).tolist() == [0.0] * 3


def test_one_symbol_has_it_all() -> None:
    panel = walk(2).select(["D"])
    one: Strategy
    for one in (InverseVolatility(["D"]), EqualRiskContribution(["D"], look_back=60)):
        assert one.target_weights(panel).tolist() == [1.0]


def test_volatility_target_by_hand() -> None:
    # 100 % of A: deviation of +-1 % four times is 0.01 * sqrt(4/3), a year 18.33 %
    history = panel_of(prices_of(UP_DOWN), ("A", "B"))
    volatility = 0.01 * math.sqrt(4 / 3) * math.sqrt(252)
    assert volatility == pytest.approx(0.18330, abs=1e-5)
    mix = {"A": 1.0, "B": 0.0}
    half = VolatilityTarget(mix, target=volatility / 2, look_back=4).target_weights(history)
    np.testing.assert_allclose(half, [0.5, 0.0], rtol=1e-12)
    # twice the volatility is asked for, the cap is 1, or what max_exposure says
    for most, expected in ((1.0, 1.0), (1.5, 1.5), (3.0, 2.0), (0.5, 0.5)):
        strategy = VolatilityTarget(mix, target=2 * volatility, look_back=4, max_exposure=most)
        np.testing.assert_allclose(strategy.target_weights(history), [expected, 0.0], rtol=1e-12)


def test_the_mix_keeps_its_proportions() -> None:
    history = panel_of(prices_of(UP_DOWN), ("A", "B"))
    # uncorrelated with 1 : 3: 0.4 A + 0.2 B has sqrt(0.4^2 + 0.6^2) = 0.7211 times A's deviation
    volatility = math.sqrt(0.52) * 0.01 * math.sqrt(4 / 3) * math.sqrt(252)
    strategy = VolatilityTarget({"A": 0.4, "B": 0.2}, target=volatility / 4, look_back=4)
    np.testing.assert_allclose(strategy.target_weights(history), [0.1, 0.05], rtol=1e-12)


def test_a_mix_that_does_not_move_has_the_most_exposure() -> None:
    history = panel_of(np.full((5, 2), 3.0), ("A", "B"))
    mix = {"A": 0.3, "B": 0.1}
    full = VolatilityTarget(mix, look_back=4).target_weights(history)
    np.testing.assert_allclose(full, [0.75, 0.25], rtol=1e-15)
    capped = VolatilityTarget(mix, look_back=4, max_exposure=0.2).target_weights(history)
    np.testing.assert_allclose(capped, [0.15, 0.05], rtol=1e-15)
    nothing = VolatilityTarget({"A": 0.0, "B": 0.0}, look_back=4).target_weights(history)
    assert nothing.tolist() == [0.0, 0.0]


def test_bounds() -> None:
    with pytest.raises(InvalidParametersError, match="look_back: input should be greater than or"):
        InverseVolatility(["A"], look_back=1)
    with pytest.raises(InvalidParametersError, match="look_back: input should be less than or"):
        EqualRiskContribution(["A"], look_back=2521)
    with pytest.raises(InvalidParametersError, match="target: input should be greater than"):
        VolatilityTarget({"A": 1.0}, target=0)
    with pytest.raises(InvalidParametersError, match="max_exposure: input should be a finite"):
        VolatilityTarget({"A": 1.0}, max_exposure=math.inf)


def test_what_has_no_finite_volatility_is_left_out() -> None:
    # A's returns are infinite, B's squares are; C and D are UP_DOWN
    calm = prices_of(UP_DOWN)
    absurd = np.array([[1e-300, 1.0], [1e300, 1e200], [1e-300, 1.0], [1e300, 1e200], [1.0, 1.0]])
    history = panel_of(np.hstack((absurd, calm)), ("A", "B", "C", "D"))
    for kind in (InverseVolatility, EqualRiskContribution):
        weights = kind(["A", "B", "C", "D"], look_back=4).target_weights(history)
        np.testing.assert_allclose(weights, [0.0, 0.0, 0.75, 0.25], rtol=1e-12)
    mix = VolatilityTarget({"A": 0.5, "D": 0.5}, look_back=4)
    assert mix.target_weights(history.select(["A", "D"])).tolist() == [0.0, 0.0]
