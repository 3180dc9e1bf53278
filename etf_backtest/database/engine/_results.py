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


def decode_raw(reply: bytes) -> Any:
    """Read the result of a raw query: rows stay as they are, except that a numeric stays exact.

    prisma-client-py would make a float of it, and lose what has more than 15 digits.
    """
    result = next(iter(from_json(reply)["data"].values()))
    if isinstance(result, dict):
        for column, kind in enumerate(result["types"]):
            if kind in ("decimal", "decimal-array"):
                # a type that prisma-client-py passes through
                result["types"][column] = kind.replace("decimal", "string")
                for row in result["rows"]:
                    row[column] = _decimals(row[column])
    return result


def _decimals(value: Any) -> Any:
    if isinstance(value, list):
        return [_decimals(item) for item in value]
    return None if value is None else Decimal(value)


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
