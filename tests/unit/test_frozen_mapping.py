"""Mappings that users get to see, and cannot change."""

import copy
import json
import pickle
from collections.abc import Mapping

import pytest
from pydantic import BaseModel, ConfigDict

from etf_backtest.frozen_mapping import FrozenMapping, frozen_json, plain_json
from etf_backtest.typing import JsonObject

RATIOS = FrozenMapping({"VTI": 0.0003, "BND": 0.0004})


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickled_one_is_the_same(protocol: int) -> None:
    back = pickle.loads(pickle.dumps(RATIOS, protocol))
    assert type(back) is FrozenMapping
    assert back == RATIOS
    assert list(back) == ["VTI", "BND"]
    assert hash(back) == hash(RATIOS)


def test_it_equals_any_mapping_and_is_hashable_whatever_the_order() -> None:
    assert RATIOS == {"BND": 0.0004, "VTI": 0.0003}
    assert {FrozenMapping([("BND", 0.0004), ("VTI", 0.0003)])} == {RATIOS}
    assert repr(RATIOS) == "{'VTI': 0.0003, 'BND': 0.0004}"


def test_nothing_can_be_changed() -> None:
    given = {"VTI": 0.1}
    mapping = FrozenMapping(given)
    given["VTI"] = 0.2
    assert mapping == {"VTI": 0.1}
    with pytest.raises(TypeError, match="does not support item assignment"):
        mapping["VTI"] = 1.0  # type: ignore[index]  # wrong on purpose
    with pytest.raises(TypeError, match="deletion"):
        del mapping["VTI"]  # type: ignore[attr-defined]  # wrong on purpose
    with pytest.raises(AttributeError, match="FrozenMapping is frozen"):
        mapping._items = {}  # wrong on purpose
    with pytest.raises(AttributeError, match="FrozenMapping is frozen"):
        del mapping._items  # wrong on purpose
    assert copy.copy(mapping) is mapping
    assert copy.deepcopy(mapping) is mapping


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)
    ratios: FrozenMapping[str, float] = FrozenMapping()


@pytest.mark.parametrize("given", [{"VTI": 1}, FrozenMapping({"VTI": 1})])
def test_a_model_freezes_what_it_is_given_and_dumps_a_dict(given: Mapping[str, float]) -> None:
    model = _Model.model_validate({"ratios": given})
    assert type(model.ratios) is FrozenMapping
    assert hash(model) == hash(_Model(ratios=FrozenMapping({"VTI": 1.0})))
    assert model.model_dump() == {"ratios": {"VTI": 1.0}}
    assert type(model.model_dump()["ratios"]) is dict
    assert model.model_dump_json() == '{"ratios":{"VTI":1.0}}'
    assert _Model.model_json_schema()["properties"]["ratios"]["type"] == "object"


def test_json_is_frozen_and_thawed_however_deep() -> None:
    said: JsonObject = {
        "name": "fixed",
        "allocations": {"VTI": 0.6},
        "symbols": ["VTI", {"a": [1, None]}],
    }
    frozen = frozen_json(said)
    assert isinstance(frozen, FrozenMapping)
    assert isinstance(frozen["allocations"], FrozenMapping)
    assert frozen["symbols"] == ("VTI", {"a": (1, None)})
    assert hash(frozen) == hash(frozen_json(said))
    assert json.loads(json.dumps(plain_json(frozen))) == said
