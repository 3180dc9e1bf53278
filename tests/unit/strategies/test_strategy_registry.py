import re
from pathlib import Path

import pytest

from etf_backtest.errors import (
    AllocationError,
    InvalidParametersError,
    UnknownStrategyError,
)
from etf_backtest.strategies import STRATEGIES, BuyAndHold, Momentum, build_strategy

SCHEMA = Path(__file__).parents[3] / "prisma" / "schema.prisma"


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


def test_what_a_strategy_says_of_itself_builds_it_again() -> None:
    momentum = Momentum(["A", "B"], look_back=20, skip=2, rebalance="weekly")
    again = build_strategy(
        "momentum", momentum.parameters.model_dump(mode="json"), {"A": 0, "B": 0}
    )
    assert again.to_dict() == momentum.to_dict()


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
