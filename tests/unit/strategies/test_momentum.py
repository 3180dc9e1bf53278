from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import InvalidParametersError
from etf_backtest.market import PricePanel
from etf_backtest.strategies import DualMomentum, Momentum, Rebalance


def history(**prices: list[float]) -> PricePanel:
    days = pd.bdate_range("2024-01-02", periods=len(next(iter(prices.values()))))
    return PricePanel.from_frame(pd.DataFrame(prices, index=days))


def test_it_ranks_the_look_back_and_leaves_out_the_skip() -> None:
    # look-back 2, skip 1: from row 0 to row 2 A gains 10 %, B 30 %, C 20 %; row 3 does not count
    panel = history(
        A=[100.0, 1.0, 110.0, 999.0], B=[10.0, 1.0, 13.0, 1.0], C=[50.0, 1.0, 60.0, 1.0]
    )
    two = Momentum(["A", "B", "C"], look_back=2, skip=1, top_n=2)
    assert two.history_sessions == 4
    assert two.target_weights(panel).tolist() == [0.0, 0.5, 0.5]
    one = Momentum(["A", "B", "C"], look_back=2, skip=1, top_n=1)
    assert one.target_weights(panel).tolist() == [0.0, 1.0, 0.0]


def test_only_the_end_of_a_longer_history_counts() -> None:
    panel = history(A=[500.0, 100.0, 110.0], B=[1.0, 10.0, 13.0])
    strategy = Momentum(["A", "B"], look_back=1, skip=0)
    assert strategy.target_weights(panel).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("symbols", [("B", "C", "A"), ("A", "B", "C"), ("C", "A", "B")])
def test_equal_returns_are_ranked_by_symbol(symbols: tuple[str, ...]) -> None:
    panel = history(A=[1.0, 2.0], B=[2.0, 4.0], C=[4.0, 8.0]).select(symbols)
    strategy = Momentum(symbols, look_back=1, skip=0, top_n=2)
    weights = dict(zip(symbols, strategy.target_weights(panel).tolist(), strict=True))
    assert weights == {"A": 0.5, "B": 0.5, "C": 0.0}


def test_top_n_of_all_is_equal_weight() -> None:
    panel = history(A=[1.0, 2.0], B=[2.0, 1.0], C=[3.0, 8.0])
    weights = Momentum(["A", "B", "C"], look_back=1, skip=0, top_n=3).target_weights(panel)
    np.testing.assert_array_equal(weights, [1 / 3] * 3)


def test_what_it_is_by_default() -> None:
    strategy = Momentum(["A", "B"])
    assert (strategy.rebalance, strategy.default_lag) == ("monthly", 1)
    assert strategy.history_sessions == 274
    assert strategy.to_dict() == {
        "name": "momentum",
        "symbols": ["A", "B"],
        "parameters": {
            "look_back": 252,
            "skip": 21,
            "top_n": 1,
            "minimum_return": None,
            "rebalance": "monthly",
        },
    }
    assert repr(strategy) == "Momentum(A, B)"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"look_back": 0}, "look_back: input should be greater than or equal to 1, received 0"),
        ({"look_back": 2521}, "less than or equal to 2520, received 2521"),
        ({"skip": -1}, "skip: input should be greater than or equal to 0, received -1"),
        ({"top_n": 0}, "top_n: input should be greater than or equal to 1"),
        ({"top_n": 3}, "top_n: expected at most 2, the number of symbols, received 3"),
        ({"look_back": 1.5}, "look_back: input should be a valid integer"),
    ],
)
def test_bounds(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParametersError, match=message):
        Momentum(["A", "B"], **parameters)


def test_parameters_are_what_the_model_makes_of_them() -> None:
    read: Any = {"look_back": "5", "skip": 2.0, "top_n": "2"}  # as JSON or TOML may have them
    strategy = Momentum(["A", "B"], **read)
    assert strategy.to_dict() == Momentum(["A", "B"], look_back=5, skip=2, top_n=2).to_dict()
    assert (strategy.history_sessions, type(strategy.history_sessions)) == (8, int)


def test_growth_beyond_the_range_of_numbers_is_the_highest() -> None:
    panel = history(A=[1e-300, 1e300], B=[1.0, 2.0], C=[1e-200, 1e200])
    ranked = Momentum(["C", "B", "A"], look_back=1, skip=0, top_n=1)
    for weights in (
        ranked.target_weights(panel.select(["C", "B", "A"])),
        ranked.targets(panel.select(["C", "B", "A"]), np.array([2]))[0],
    ):
        assert weights.tolist() == [0.0, 0.0, 1.0]  # A and C are both infinite: by symbol
    dual = DualMomentum(["B", "A"], look_back=1)
    assert dual.target_weights(panel.select(["B", "A"])).tolist() == [0.0, 1.0]


def test_rebalance_is_one_of_the_known() -> None:
    hourly: Rebalance = "hourly"  # type: ignore[assignment]  # on purpose
    with pytest.raises(InvalidParametersError, match="rebalance: input should be 'never', 'daily'"):
        Momentum(["A", "B"], rebalance=hourly)


def test_symbols_must_differ() -> None:
    with pytest.raises(InvalidParametersError, match="expected different symbols"):
        Momentum(["A", "A"])
    with pytest.raises(InvalidParametersError, match="expected different symbols, received 'SPY'"):
        Momentum("SPY")
