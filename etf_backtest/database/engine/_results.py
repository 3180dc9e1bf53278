"""Replies of the engine -> what prisma-client-py's actions expect to find.

Prisma's JSON protocol tags what JSON itself cannot say: `{"$type": "Decimal", "value": "1.10"}`.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pydantic_core import from_json


def decode_records(reply: bytes) -> Any:
    """Read the result of a query whose records go into pydantic models.

    The tags are dropped and their text stays: pydantic turns it into Decimal, datetime and so on. A
    record holds no other objects than tags and records: Json is text in a tag.
    """
    result = next(iter(from_json(reply)["data"].values()))
    if isinstance(result, dict):
        _untag(result)
    elif isinstance(result, list):
        for record in result:
            _untag(record)
    return result


def _untag(record: dict[str, Any]) -> None:
    for key, value in record.items():
        kind = type(value)
        if kind is dict:
            if "$type" in value:
                record[key] = value["value"]
            else:
                _untag(value)
        elif kind is list and value and type(value[0]) is dict:
            if "$type" in value[0]:
                record[key] = [item["value"] for item in value]
            else:
                for item in value:
                    _untag(item)


def decode_aggregates(reply: bytes, float_fields: frozenset[str]) -> Any:
    """Read the result of `group_by`, which no model parses: give the values their Python types.

    Parameters
    ----------
    float_fields : frozenset of str
        The model's Float fields; the engine writes 2.0 as 2. Averages are never int either.
    """
    groups = next(iter(from_json(reply)["data"].values()))
    return [_typed(group, float_fields) for group in groups]


def decode_raw(reply: bytes, for_model: bool) -> Any:
    """Read the result of a raw query and mend what prisma-client-py would do with it.

    It makes floats of numerics, which lose what has more than 15 digits; it fails on a null in an
    array of bigints; and it takes a Json value that is a string for text that holds Json.

    Parameters
    ----------
    for_model : bool
        Whether the rows go into pydantic models, whose Json fields read text.
    """
    result = next(iter(from_json(reply)["data"].values()))
    if isinstance(result, dict):
        for column, kind in enumerate(result["types"]):
            element = kind.removesuffix("-array")
            convert = _EXACT.get(element)
            if convert is None and for_model and element == "json":
                convert = json.dumps
            if convert is not None:
                # a type that prisma-client-py passes through
                result["types"][column] = kind.replace(element, "string")
                for row in result["rows"]:
                    row[column] = _converted(row[column], convert, kind != element)
    return result


_EXACT: Mapping[str, Callable[[Any], object]] = {"decimal": Decimal, "bigint": int}


def _converted(value: Any, convert: Callable[[Any], object], is_array: bool) -> object:
    if value is None:
        return None
    return [_converted(item, convert, False) for item in value] if is_array else convert(value)


def _typed(group: dict[str, Any], float_fields: frozenset[str]) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for key, value in group.items():
        if isinstance(value, dict) and "$type" in value:
            typed[key] = _UNTAG.get(value["$type"], str)(value["value"])
        elif isinstance(value, dict):
            inner = value.keys() if key == "_avg" else float_fields
            typed[key] = _typed(value, frozenset(inner) if key != "_count" else frozenset())
        elif type(value) is int and key in float_fields:
            typed[key] = float(value)
        else:
            typed[key] = value
    return typed


_UNTAG: Mapping[str, Callable[[str], object]] = {
    "BigInt": int,
    "Decimal": Decimal,
    "DateTime": dt.datetime.fromisoformat,
    "Json": json.loads,
}
