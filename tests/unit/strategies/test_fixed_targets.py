import re
from typing import Any

import numpy as np
import pytest

from etf_backtest.errors import InvalidParametersError
from etf_backtest.strategies import (
    DualMomentum,
    EqualRiskContribution,
    EqualWeight,
    FixedWeights,
    InverseVolatility,
    Momentum,
    MovingAverage,
)
from tests.unit.strategies.samples import walk


def test_fixed_weights_are_the_allocations_again_and_again() -> None:
    strategy = FixedWeights({"A": 0.6, "B": 0.3})
    assert (strategy.rebalance, strategy.default_lag, strategy.uses_allocations) == (
        "monthly",
        0,
        True,
    )
    targets = strategy.targets(walk(0, 9, ("A", "B")), np.array([1, 5, 9, 0]))
    assert targets.tolist() == [[0.6, 0.3], [0.6, 0.3], [0.6, 0.3], [0.0, 0.0]]
    assert strategy.to_dict() == {
        "name": "fixed_weights",
        "symbols": ["A", "B"],
        "parameters": {"rebalance": "monthly"},
        "allocations": {"A": 0.6, "B": 0.3},
    }


def test_equal_weight_is_one_over_n() -> None:
    strategy = EqualWeight(["A", "B", "C"], rebalance="annual")
    assert strategy.target_weights(walk(0, 2, ("A", "B", "C"))).tolist() == [1 / 3] * 3
    assert (strategy.rebalance, strategy.default_lag) == ("annual", 0)
    assert strategy.to_dict() == {
        "name": "equal_weight",
        "symbols": ["A", "B", "C"],
        "parameters": {"rebalance": "annual"},
    }


@pytest.mark.parametrize(
    "symbols", [[], "SPY", ["A", "A"], ["A", 1], None, 5, [[1]], [" "], ["A", "A "]]
)
@pytest.mark.parametrize(
    "kind",
    [EqualWeight, Momentum, DualMomentum, MovingAverage, InverseVolatility, EqualRiskContribution],
)
def test_symbols_are_different_names(kind: Any, symbols: Any) -> None:
    message = rf"{kind.__name__}: symbols: expected different symbols, received {symbols!r}"
    with pytest.raises(InvalidParametersError, match=re.escape(message)):
        kind(symbols)
