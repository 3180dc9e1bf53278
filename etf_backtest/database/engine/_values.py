"""Values on their way to the engine and back.

Prisma's JSON protocol tags what JSON itself cannot say: `{"$type": "Decimal", "value": "1.10"}`. The
parameters of raw queries have tags of their own, `{"prisma__type": ..., "prisma__value": ...}`.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic_core import from_json, to_json

SAFE_INTEGER = 2**53
"""Integers beyond it are not exact in JavaScript: they travel as text."""

_TAGGED = re.compile(rb'\{"\$type":"\w+","value":("[^"\\]*(?:\\.[^"\\]*)*")\}')


class ValueRefused(ValueError):
    """A value that the database could not keep, or would keep as something else."""


class ArgumentEncoder:
    """Turn the arguments of a client's method into the engine's JSON.

    Parameters
    ----------
    json_type, base64_type : type
        `fields.Json` and `fields.Base64` of the client's package.
    aliases : mapping of str to str
        Python's names of arguments and filters -> Prisma's (`order_by` -> `orderBy`).
    """

    def __init__(self, *, json_type: type, base64_type: type, aliases: Mapping[str, str]) -> None:
        self._aliases = dict(aliases)
        self._json_type = json_type
        self._base64_type = base64_type
        self._exact: dict[type, Callable[[Any], object]] = {
            float: _finite,
            datetime.datetime: lambda v: _tag("DateTime", _milliseconds(v)),
            datetime.date: lambda v: _tag("DateTime", f"{v.isoformat()}T00:00:00.000Z"),
            Decimal: lambda v: _tag("Decimal", _decimal(v)),
            json_type: lambda v: _tag("Json", self._json_text(v.data)),
            base64_type: lambda v: _tag("Bytes", str(v)),
            bytes: lambda v: _tag("Bytes", b64encode(v).decode("ascii")),
            uuid.UUID: str,
        }
        self._raw: dict[type, Callable[[Any], object]] = {
            float: lambda v: v if math.isfinite(v) else _postgres_float(v),
            datetime.datetime: lambda v: _utc(v).isoformat(),
            datetime.date: datetime.date.isoformat,
            datetime.time: datetime.time.isoformat,
            datetime.timedelta: _interval,
            Decimal: lambda v: _raw_tag("decimal", _decimal(v)),
            json_type: lambda v: self._json_text(v.data),
            base64_type: lambda v: _raw_tag("bytes", str(v)),
            bytes: lambda v: _raw_tag("bytes", b64encode(v).decode("ascii")),
            uuid.UUID: str,
            dict: self._json_text,
        }

    def argument(self, value: object) -> object:
        """Encode one value, whatever stands in it."""
        kind = type(value)
        if kind is str or value is None or kind is bool:
            return value
        if kind is int:
            return (
                value if -SAFE_INTEGER <= value <= SAFE_INTEGER else _tag("BigInt", _int64(value))
            )  # type: ignore[operator]
        if kind is dict:
            name = self._aliases.get
            encode = self.argument
            return {name(key, key): encode(item) for key, item in value.items()}  # type: ignore[attr-defined]
        if kind is list or kind is tuple or kind is set:
            return list(map(self.argument, value))  # type: ignore[call-overload]
        return self._other(value, self._exact, self.argument)

    def raw_parameters(self, values: Iterable[object]) -> str:
        """Encode the parameters of a raw query, as the JSON text that the engine expects."""
        given = list(values)
        return self.text([self._raw_parameter(value) for value in given], given).decode()

    def _raw_parameter(self, value: object) -> object:
        kind = type(value)
        if kind is str or value is None or kind is bool:
            return value
        if kind is int:
            return (
                value
                if -SAFE_INTEGER <= value <= SAFE_INTEGER
                else _raw_tag("bigint", _int64(value))
            )  # type: ignore[operator]
        if kind is list or kind is tuple or kind is set:
            return list(map(self._raw_parameter, value))  # type: ignore[call-overload]
        return self._other(value, self._raw, self._raw_parameter)

    def _other(
        self,
        value: object,
        encoders: Mapping[type, Callable[[Any], object]],
        again: Callable[[object], object],
    ) -> object:
        if isinstance(value, Enum):
            return again(value.value)
        for kind in type(value).__mro__:
            if kind in encoders:
                return encoders[kind](value)
        # subclasses of what the callers handle themselves
        for base in (str, int, dict, list, tuple, set):
            if isinstance(value, base):
                return again(base(value))
        raise TypeError(f"Type {type(value)} not serializable")

    def _json_text(self, data: object) -> str:
        try:
            return json.dumps(data, ensure_ascii=False, allow_nan=False, default=self._json_default)
        except ValueError as error:
            raise ValueRefused(f"Json data: {error}") from None

    def _json_default(self, value: object) -> object:
        if isinstance(value, self._json_type):
            return value.data  # type: ignore[attr-defined]  # known to be fields.Json
        if isinstance(value, datetime.datetime):
            return _milliseconds(value)
        if isinstance(value, Decimal):
            return _decimal(value)
        if isinstance(value, self._base64_type):
            return str(value)
        raise TypeError(f"Type {type(value)} not serializable")

    def text(self, body: object, arguments: object) -> bytes:
        """Write `body` as JSON and refuse text that PostgreSQL cannot hold.

        Raises
        ------
        ValueRefused
            A string in `arguments` has a U+0000 or half of a surrogate pair.
        """
        try:
            payload = to_json(body)
        except (ValueError, UnicodeEncodeError):
            self._check_text(arguments)
            raise
        # a search of the bytes is cheap; a hit may also be an escaped backslash, so look closer
        if b"\\u0000" in payload:
            self._check_text(arguments)
        return payload

    def _check_text(self, value: object) -> None:
        if isinstance(value, str) and not isinstance(value, self._json_type):
            if "\0" in value:
                raise ValueRefused(
                    f"PostgreSQL text cannot hold U+0000; found at position {value.index(chr(0))} "
                    f"of a string of {len(value)} characters"
                )
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise ValueRefused(
                    f"Half of a surrogate pair at position {error.start} of a string of "
                    f"{len(value)} characters is not text"
                ) from None
        elif isinstance(value, Mapping):
            for item in value.values():
                self._check_text(item)
        elif isinstance(value, list | tuple | set):
            for item in value:
                self._check_text(item)


def decode_records(reply: bytes) -> Any:
    """Read the result of a query whose records go into pydantic models.

    The tags are dropped and their text stays: pydantic turns it into Decimal, datetime and so on. The
    pattern can only match a tag: inside a JSON string every quote is escaped.
    """
    if b'{"$type"' in reply:
        reply = _TAGGED.sub(rb"\1", reply)
    return next(iter(from_json(reply)["data"].values()))


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
    "DateTime": datetime.datetime.fromisoformat,
    "Json": json.loads,
}


def _tag(kind: str, value: str) -> dict[str, str]:
    return {"$type": kind, "value": value}


def _raw_tag(kind: str, value: str) -> dict[str, str]:
    return {"prisma__type": kind, "prisma__value": value}


def _int64(value: int) -> str:
    if not -(2**63) <= value < 2**63:
        raise ValueRefused(
            f"{value} does not fit into 64 bits (for a Decimal field: Decimal({value}))"
        )
    return str(value)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueRefused(
            f"{value} cannot be sent as a Float; use None where a value is undefined"
        )
    return value


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueRefused(f"Decimal('{value}') is not a number that a Decimal field can hold")
    return str(value)


def _utc(value: datetime.datetime) -> datetime.datetime:
    """Naive times are UTC, as everywhere in prisma-client-py."""
    if value.tzinfo is None:
        return value.replace(tzinfo=datetime.UTC)
    return value.astimezone(datetime.UTC)


def _milliseconds(value: datetime.datetime) -> str:
    """DateTime has millisecond precision: what is finer is cut off, as prisma-client-py does."""
    utc = _utc(value)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000).isoformat()


def _interval(value: datetime.timedelta) -> str:
    return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"


def _postgres_float(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
