"""Minimum variance and maximum Sharpe: by hand, at their limits, and without skfolio."""

import importlib.util
from importlib.machinery import ModuleSpec

import numpy as np
import pytest

from etf_backtest.errors import InvalidParametersError, OptimizationError, OptionalDependencyError
from etf_backtest.strategies import MaximumSharpe, MinimumVariance, Strategy
from etf_backtest.strategies.mean_variance import optimal_weights
from tests.unit.strategies.samples import panel_of, walk
from tests.unit.strategies.test_risk_based import UP_DOWN, prices_of

PAY = np.array([0.001, 0.003])
SOLVED = 1e-12
"""An interior-point solver alone stops 1e-5 away from it."""


def test_minimum_variance_by_hand() -> None:
    # uncorrelated with deviations 1 : 3: weights as 1/1 : 1/9
    history = panel_of(prices_of(UP_DOWN), ("A", "B"))
    weights = MinimumVariance(["A", "B"], look_back=4).target_weights(history)
    np.testing.assert_allclose(weights, [0.9, 0.1], atol=SOLVED)
    assert weights.sum() == pytest.approx(1, abs=1e-15)


def test_maximum_sharpe_by_hand() -> None:
    # uncorrelated: weights as mean / variance, here 0.001 / 1 to 0.003 / 9, so 3 : 1
    history = panel_of(prices_of(UP_DOWN + PAY), ("A", "B"))
    weights = MaximumSharpe(["A", "B"], look_back=4).target_weights(history)
    np.testing.assert_allclose(weights, [0.75, 0.25], atol=SOLVED)
    # against 0.0005 a session 0.0005 / 1 to 0.0025 / 9, so 9 : 5
    hurdle = MaximumSharpe(["A", "B"], look_back=4, risk_free=1.0005**252 - 1)
    np.testing.assert_allclose(hurdle.target_weights(history), [9 / 14, 5 / 14], atol=SOLVED)


def test_where_nothing_pays_the_money_is_in_cash() -> None:
    history = panel_of(prices_of(UP_DOWN - PAY), ("A", "B"))
    assert MaximumSharpe(["A", "B"], look_back=4).target_weights(history).tolist() == [0.0, 0.0]
    poor = panel_of(prices_of(UP_DOWN + 0.0001), ("A", "B"))
    above = MaximumSharpe(["A", "B"], look_back=4, risk_free=0.05)  # 0.0002 a session
    assert above.target_weights(poor).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("strategy", [MinimumVariance, MaximumSharpe])
def test_what_does_not_move_is_left_out(
    strategy: type[MinimumVariance] | type[MaximumSharpe],
) -> None:
    returns = np.column_stack((UP_DOWN[:, 0] + 0.001, np.zeros(4), UP_DOWN[:, 1] + 0.003))
    history = panel_of(prices_of(returns), ("A", "S", "B"))
    weights = strategy(["A", "S", "B"], look_back=4).target_weights(history)
    assert weights[1] == 0.0
    assert weights.sum() == pytest.approx(1, abs=1e-15)
    still = panel_of(np.full((5, 3), 7.0), ("A", "S", "B"))
    assert strategy(["A", "S", "B"], look_back=4).target_weights(still).tolist() == [0.0] * 3
    rest = panel_of(prices_of(returns[:, :2]), ("A", "S"))  # A alone moves
    assert strategy(["A", "S"], look_back=4).target_weights(rest).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("strategy", [MinimumVariance, MaximumSharpe])
def test_a_singular_covariance_has_an_answer(
    strategy: type[MinimumVariance] | type[MaximumSharpe],
) -> None:
    twins = np.column_stack((UP_DOWN[:, 0] + 0.001, UP_DOWN[:, 0] + 0.001, UP_DOWN[:, 1] + 0.003))
    for history in (panel_of(prices_of(twins), ("A", "B", "C")), walk(4).select(["C", "A", "B"])):
        weights = strategy(history.symbols, look_back=2).target_weights(history)  # 2 returns of 3
        assert ((weights >= 0) & (weights <= 1)).all()
        assert weights.sum() == pytest.approx(1, abs=1e-15) or not weights.any()


def test_what_skfolio_cannot_solve_is_an_error_in_one_line() -> None:
    losing = UP_DOWN - 0.05
    with pytest.raises(OptimizationError, match="MaximumSharpe finds no weights: Cannot optimize"):
        optimal_weights(losing, "MAXIMIZE_RATIO", owner="MaximumSharpe")


@pytest.mark.parametrize(
    ("strategy", "name"), [(MinimumVariance, "MinimumVariance"), (MaximumSharpe, "MaximumSharpe")]
)
def test_without_skfolio_the_extra_is_named(
    strategy: type[Strategy], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec

    def not_there(module: str, package: str | None = None) -> ModuleSpec | None:
        return None if module == "skfolio" else real(module, package)

    monkeypatch.setattr(importlib.util, "find_spec", not_there)
    wanted = rf'{name} needs skfolio, .* \(pip install "etf-backtest\[optimize\]"\)'
    with pytest.raises(OptionalDependencyError, match=wanted):
        strategy.from_stored({}, {"A": 0.5, "B": 0.5})


def test_bounds() -> None:
    with pytest.raises(InvalidParametersError, match="look_back: input should be greater than or"):
        MinimumVariance(["A"], look_back=1)
    with pytest.raises(InvalidParametersError, match="risk_free: input should be less than or"):
        MaximumSharpe(["A"], risk_free=2)
