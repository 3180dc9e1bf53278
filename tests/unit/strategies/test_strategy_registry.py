import copy
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etf_backtest.errors import (
    AllocationError,
    InvalidParametersError,
    UnknownStrategyError,
)
from etf_backtest.market import PricePanel
from etf_backtest.strategies import (
    STRATEGIES,
    BuyAndHold,
    Momentum,
    Strategy,
    build_strategy,
    strategy_from_dict,
)
from etf_backtest.typing import FloatArray
from tests.unit.strategies.samples import ALL, SYMBOLS, walk

SCHEMA = Path(__file__).parents[3] / "prisma" / "schema.prisma"
SHARES = dict.fromkeys(SYMBOLS, 0.25)


def test_the_names_are_those_of_the_database() -> None:
    enum = re.search(r"enum StrategyType \{(.*?)@@map", SCHEMA.read_text(), re.DOTALL)
    assert enum is not None
    values = re.findall(r"^  (\w+)$", enum[1], re.MULTILINE)
    assert {*STRATEGIES, "custom"} == set(values)  # custom: a class from an entry point
    for name, strategy in STRATEGIES.items():
        assert strategy.name == name


def test_build_buy_and_hold() -> None:
    strategy = build_strategy("buy_and_hold", {}, {"A": 0.6, "B": 0.4})
    assert isinstance(strategy, BuyAndHold)
    assert strategy.allocations == {"A": 0.6, "B": 0.4}


def test_build_momentum_takes_symbols_and_parameters() -> None:
    stored = {"look_back": 126, "top_n": 2, "rebalance": "quarterly"}
    strategy = build_strategy("momentum", stored, {"A": 0.6, "B": 0.4})
    assert isinstance(strategy, Momentum)
    assert strategy.symbols == ("A", "B")
    assert strategy.parameters.model_dump() == {**stored, "skip": 21, "minimum_return": None}


@pytest.mark.parametrize("sample", ALL)
def test_what_a_strategy_says_of_itself_builds_it_again(sample: Callable[[], Strategy]) -> None:
    strategy = sample()
    said = strategy.to_dict()
    again = strategy_from_dict(json.loads(json.dumps(said)))
    assert type(again) is type(strategy)
    assert (again.to_dict(), again.rebalance) == (said, strategy.rebalance)
    assert (again.symbols, again.history_sessions) == (strategy.symbols, strategy.history_sessions)
    if strategy.uses_allocations:
        assert said["allocations"] == strategy.allocations
    else:
        assert "allocations" not in said
    stored = build_strategy(
        strategy.name, strategy.parameters.model_dump(mode="json"), strategy.allocations or SHARES
    )
    assert stored.to_dict() == said


@pytest.mark.parametrize("sample", ALL)
def test_strategies_can_be_copied_and_sent_to_other_processes(
    sample: Callable[[], Strategy],
) -> None:
    strategy, panel = sample(), walk(1, 60)
    expected = strategy.target_weights(panel.rows(60 - (strategy.history_sessions or 60), 60))
    for again in (copy.deepcopy(strategy), pickle.loads(pickle.dumps(strategy))):
        assert again.to_dict() == strategy.to_dict()
        history = panel.rows(60 - (again.history_sessions or 60), 60)
        np.testing.assert_array_equal(again.target_weights(history), expected)


@pytest.mark.parametrize("sample", ALL)
def test_weights_can_be_held(sample: Callable[[], Strategy]) -> None:
    strategy = sample()
    ends = np.arange(1, 91, 10)
    weights = strategy.targets(walk(2), ends)
    assert weights.shape == (ends.size, len(SYMBOLS))
    assert (weights >= 0).all()
    most = 1.5 if strategy.name == "volatility_target" else 1.0  # the sample may borrow
    assert weights.sum(axis=1).max() <= most + 1e-9
    assert not weights[~strategy.is_ready(ends)].any()
    np.testing.assert_array_equal(
        type(strategy).targets_of_many([strategy, sample()], walk(2), ends), [weights, weights]
    )


def test_the_database_can_seed_each_with_its_defaults() -> None:
    for name, kind in STRATEGIES.items():
        defaults = kind.Parameters().model_dump(mode="json")
        assert build_strategy(name, defaults, SHARES).parameters.model_dump(mode="json") == defaults


class Mine(Strategy):
    name = "mine"

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self.symbols = symbols

    def target_weights(self, history: PricePanel) -> FloatArray:
        return history.prices[-1] if history.dates.size > 2 else np.ones(3)


def test_a_class_of_ones_own_is_named_and_cannot_be_rebuilt_unless_it_is_registered() -> None:
    said = Mine(("A", "B")).to_dict()
    assert said == {
        "name": "mine",
        "class": f"{__name__}:Mine",
        "symbols": ["A", "B"],
        "parameters": {},
    }
    with pytest.raises(UnknownStrategyError, match="'mine'"):
        strategy_from_dict(said)
    # a subclass of a built-in one is not the built-in one
    with pytest.raises(UnknownStrategyError, match=r"there is no strategy 'mine:Mine'"):
        strategy_from_dict({**Momentum(["A"]).to_dict(), "class": "mine:Mine"})


def test_another_number_of_weights_is_an_error_that_says_when() -> None:
    with pytest.raises(AllocationError, match="expected 4 weights that mine decided on 2021-01-05"):
        Mine(SYMBOLS).targets(walk(0), np.array([2]))


@pytest.mark.parametrize(
    "data",
    [
        {},
        None,
        [1],
        "momentum",
        {"name": "momentum"},
        {"name": 1, "symbols": ["A"]},
        {"name": "momentum", "symbols": "A"},
        {"name": "momentum", "symbols": ["A"], "parameters": []},
        {"name": "buy_and_hold", "symbols": ["A"], "allocations": 1.0},
    ],
)
def test_what_is_no_strategy(data: Any) -> None:
    with pytest.raises(
        InvalidParametersError, match=r"strategy_from_dict: .*expected (a name|objects)"
    ):
        strategy_from_dict(data)


def test_unknown_names_and_values() -> None:
    with pytest.raises(UnknownStrategyError, match=r"'momentun' \(one of buy_and_hold, "):
        build_strategy("momentun", {}, {"A": 1.0})
    with pytest.raises(InvalidParametersError, match=r"lookback: extra inputs.*accepts look_back"):
        build_strategy("momentum", {"lookback": 5}, {"A": 1.0})
    with pytest.raises(AllocationError, match="above 1"):
        build_strategy("buy_and_hold", {}, {"A": 15})


@pytest.mark.parametrize("name", STRATEGIES)
def test_parameters_have_a_json_schema_with_bounds(name: str) -> None:
    schema = STRATEGIES[name].Parameters.model_json_schema()
    assert schema["additionalProperties"] is False
    for field in schema.get("properties", {}).values():
        assert "default" in field
        assert "description" in field
        value = next((kind for kind in field.get("anyOf", ()) if kind["type"] != "null"), field)
        bounds = {"number": "minimum", "integer": "minimum", "string": "minLength"}[value["type"]]
        assert {bounds, bounds.replace("min", "max")} <= set(value) or "enum" in value
