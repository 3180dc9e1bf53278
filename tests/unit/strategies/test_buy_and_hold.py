import json
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import AllocationError, InvalidParametersError, LeverageError
from etf_backtest.market import PricePanel
from etf_backtest.strategies import BuyAndHold, EqualWeight, MovingAverage, VolatilityTarget
from etf_backtest.strategies.weights import check_weights

HISTORY = PricePanel.from_frame(
    pd.DataFrame({"A": [1.0], "B": [2.0]}, index=pd.DatetimeIndex(["2024-01-02"]))
)


def test_the_weights_are_the_allocations() -> None:
    strategy = BuyAndHold({"A": 0.6, "B": 0.3})
    assert strategy.symbols == ("A", "B")
    assert strategy.target_weights(HISTORY).tolist() == [0.6, 0.3]
    assert (strategy.rebalance, strategy.default_lag) == ("never", 0)
    assert strategy.to_dict() == {
        "name": "buy_and_hold",
        "symbols": ["A", "B"],
        "parameters": {},
        "allocations": {"A": 0.6, "B": 0.3},
    }


def test_nobody_can_change_the_weights_from_outside() -> None:
    allocations = {"A": 0.6}
    strategy = BuyAndHold(allocations)
    allocations["A"] = 0.1
    strategy.target_weights(HISTORY)[0] = 0.2
    assert strategy.target_weights(HISTORY).tolist() == [0.6]


@pytest.mark.parametrize(
    ("allocations", "message"),
    [
        ({}, "there are no allocations"),
        ({"A": -0.1, "B": 0.5}, "the weight of A is -0.1"),
        ({"A": 0.5, "B": np.nan}, "the weight of B is nan"),
        ({"A": np.inf}, "the weight of A is inf"),
        ({"A": None}, "the weight of A is None"),
        ({"A": "half"}, "the weight of A is 'half'"),
        ({"A": "0.5"}, "the weight of A is '0.5'"),
        ({"A": np.array([0.5])}, r"the weight of A is array\(\[0.5\]\)"),
        ({"A": 10**400}, "the weight of A is 1000"),
        ({"A": 1e308, "B": 1e308}, "the weights sum to inf"),
        ({1: 1.0}, "there is a weight for 1, which is no symbol"),
        ({None: 1.0}, "there is a weight for None, which is no symbol"),
        ({" A": 1.0}, "there is a weight for ' A', which is no symbol"),
        (None, "expected a mapping of symbols to weights, received None"),
        ([0.5], r"expected a mapping of symbols to weights, received \[0.5\]"),
        (dict, "expected a mapping of symbols to weights, received <class 'dict'>"),
        (pd.Series([0.5]), "there is a weight for 0, which is no symbol"),
        (pd.Series([0.2, 0.3], index=["A", "A"]), "there are two weights for A"),
        (pd.DataFrame({"A": [0.5]}), "the weight of A is 0 0.5 Name: A"),
        (
            {"A": 60, "B": 40},
            "sum to 100, above 10: they look like percent \\(each weight is a fraction",
        ),
    ],
)
def test_allocations_that_no_portfolio_has(allocations: Any, message: str) -> None:
    with pytest.raises(AllocationError, match=message):
        BuyAndHold(allocations)


def test_nobody_can_change_the_allocations_of_a_strategy() -> None:
    for strategy in (
        BuyAndHold({"A": 0.6}),
        MovingAverage({"A": 0.6}),
        VolatilityTarget({"A": 0.6}),
        EqualWeight(["A"]),
    ):
        before = strategy.to_dict()
        for copied in (strategy, pickle.loads(pickle.dumps(strategy))):
            with pytest.raises(TypeError, match="does not support item assignment"):
                copied.allocations["A"] = 0.9  # type: ignore[index]  # on purpose
            assert copied.to_dict() == before
        assert json.loads(json.dumps(before)) == before


def test_allocations_may_be_a_series() -> None:
    shares = pd.Series({"A": 0.6, "B": 0.3})
    assert BuyAndHold(shares).to_dict() == BuyAndHold({"A": 0.6, "B": 0.3}).to_dict()  # type: ignore[arg-type]
    assert MovingAverage(shares).allocations == {"A": 0.6, "B": 0.3}  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(20))
def test_ten_times_as_much_is_not_percent_whatever_the_rounding(seed: int) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.ones(7)) * 10
    assert len(BuyAndHold(dict(zip("ABCDEFG", shares.tolist(), strict=True))).symbols) == 7


def test_borrowing_is_a_matter_of_the_rules() -> None:
    weights = BuyAndHold({"A": 0.9, "B": 0.6}).target_weights(HISTORY)
    assert weights.tolist() == [0.9, 0.6]
    off = r"sum to 1\.5, above 1: leverage is off \(.*max_leverage=1\.5, borrow_rate=...\) lets"
    with pytest.raises(LeverageError, match=off):
        check_weights(weights, ("A", "B"))
    assert check_weights(weights, ("A", "B"), max_leverage=1.5).tolist() == [0.9, 0.6]
    with pytest.raises(AllocationError, match=r"sum to 1\.5, above max_leverage = 1\.4"):
        check_weights(weights, ("A", "B"), max_leverage=1.4)


def test_rounding_is_not_leverage() -> None:
    # 0.1 ten times is 0.9999999999999999 or 1.0, by the order of the additions
    assert len(BuyAndHold({f"S{i}": 0.1 for i in range(10)}).symbols) == 10


def test_it_has_no_parameters() -> None:
    with pytest.raises(InvalidParametersError, match="BuyAndHold: weights: extra inputs"):
        BuyAndHold.from_stored({"weights": 1}, {"A": 1.0})
