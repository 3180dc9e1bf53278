"""The query builder, on our client: which query each method becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etf_backtest.database.client import errors
from etf_backtest.database.client.models import ETFInfo, Portfolio, PortfolioHolding, User
from etf_backtest.database.connection import Database
from etf_backtest.database.engine._protocol import ACTIONS, RAW_METHODS

CLIENT = Database(use_dotenv=False)


def built(method: Any, arguments: dict[str, Any], model: Any = None, root: Any = None) -> Any:
    make: Any = CLIENT._make_query_builder
    query = make(method=method, arguments=arguments, model=model, root_selection=root).build()
    return json.loads(query.payload)


def scalars(model: Any, relations: str) -> dict[str, bool]:
    return {name: True for name in model.model_fields if name not in relations.split()}


PORTFOLIO = scalars(Portfolio, "user holdings backtests")
HOLDING = scalars(PortfolioHolding, "portfolio")
USER = scalars(User, "portfolios strategies backtests tokens")


def test_scalars_are_selected_and_nothing_is_left_to_none() -> None:
    query = built("find_unique", {"where": {"id": "x"}, "include": None, "take": None}, User)
    assert query == {
        "action": "findUnique",
        "modelName": "User",
        "query": {"arguments": {"where": {"id": "x"}}, "selection": USER},
    }


def test_none_inside_data_and_filters_is_null() -> None:
    query = built("update", {"where": {"id": None}, "data": {"firstName": None}}, User)
    assert query["query"]["arguments"] == {"where": {"id": None}, "data": {"firstName": None}}


def test_includes_nest() -> None:
    include = {
        "portfolios": {"include": {"holdings": True}, "order_by": {"name": "asc"}, "where": None},
        "strategies": False,
    }
    query = built("find_many", {"include": include}, User)
    assert query["query"]["selection"] == {
        **USER,
        "portfolios": {
            "arguments": {"orderBy": {"name": "asc"}},
            "selection": {**PORTFOLIO, "holdings": {"arguments": {}, "selection": HOLDING}},
        },
    }
    # the selection of a model is kept: an include must not get into it
    assert built("find_many", {}, User)["query"]["selection"] == USER


def test_selections_of_the_generated_actions_are_read() -> None:
    query = built("group_by", {"by": ["currency"]}, Portfolio, ["currency", "_sum { a b }"])
    assert query["query"]["selection"] == {
        "currency": True,
        "_sum": {"arguments": {}, "selection": {"a": True, "b": True}},
    }


def test_raw_queries_carry_their_parameters_as_text() -> None:
    query = built("query_raw", {"query": "SELECT $1", "parameters": ("a", 1)}, User)
    assert query == {
        "action": "queryRaw",
        "query": {"arguments": {"query": "SELECT $1", "parameters": '["a",1]'}, "selection": {}},
    }


@pytest.mark.parametrize("method", ACTIONS)
def test_the_action_comes_first(method: str) -> None:
    arguments = {"query": "SELECT 1", "parameters": ()} if method in RAW_METHODS else {}
    make: Any = CLIENT._make_query_builder
    query = make(method=method, arguments=arguments, model=ETFInfo, root_selection=None).build()
    assert query.payload.startswith(f'{{"action":"{ACTIONS[method]}"'.encode())


def test_arguments_are_left_alone() -> None:
    arguments = {"where": {"email": {"startswith": "a"}}, "include": {"portfolios": True}}
    built("find_many", arguments, User)
    assert arguments == {"where": {"email": {"startswith": "a"}}, "include": {"portfolios": True}}


def test_models_and_relations_must_exist() -> None:
    with pytest.raises(errors.InvalidModelError):
        built("find_many", {}, int)
    with pytest.raises(errors.UnknownRelationalFieldError):
        built("find_many", {"include": {"nothing": True}}, User)
