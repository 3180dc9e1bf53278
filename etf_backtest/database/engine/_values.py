"""Python values -> the engine's JSON.

Prisma's JSON protocol tags what JSON itself cannot say, `{"$type": "Json", "value": "[1]"}`.
Decimal and DateTime travel as plain text all the same: the engine knows the type of every field,
reads the text exactly, and does so in a sixth less time when 10,000 rows are created. The
parameters of raw queries belong to no field and have tags of their own,
`{"prisma__type": ..., "prisma__value": ...}`.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic_core import to_json

SAFE_INTEGER = 2**53
"""Integers beyond it are not exact in JavaScript: they travel as text."""

Encode = Callable[[Any], object]


class ValueRefusedError(ValueError):
    """A value that the database could not keep, or would keep as something else."""


class _TypedEncoder:
    """Encode a value by its type, or by the nearest of its bases."""

    def __init__(self, by_type: Mapping[type, Encode]) -> None:
        self._by_type = {list: self._list, tuple: self._list, set: self._list, **by_type}

    def __call__(self, value: Any) -> object:
        kind = type(value)
        if kind is str or kind is bool or value is None:
            return value
        encode = self._by_type.get(kind)
        return encode(value) if encode is not None else self._inherited(value)

    def _list(self, values: Iterable[object]) -> list[object]:
        return list(map(self, values))

    def _inherited(self, value: Any) -> object:
        if isinstance(value, Enum):
            return self(value.value)
        if isinstance(value, str):
            return str(value)
        for kind in type(value).__mro__:
            if kind in self._by_type:
                return self._by_type[kind](value)
        raise _unserializable(value)


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
        self.argument = _TypedEncoder(
            {
                dict: self._mapping,
                int: lambda v: _integer(v, _tag, "BigInt"),
                float: _finite,
                dt.datetime: _milliseconds,
                dt.date: lambda v: f"{v.isoformat()}T00:00:00.000Z",
                Decimal: _decimal,
                json_type: lambda v: _tag("Json", self._json_text(v.data)),
                base64_type: lambda v: _tag("Bytes", str(v)),
                bytes: lambda v: _tag("Bytes", b64encode(v).decode("ascii")),
                uuid.UUID: str,
            }
        )
        """Encodes one value, whatever stands in it."""
        self._parameter = _TypedEncoder(
            {
                dict: self._json_text,
                int: lambda v: _integer(v, _raw_tag, "bigint"),
                float: lambda v: float(v) if math.isfinite(v) else _postgres_float(v),
                # no field limits these to milliseconds
                dt.datetime: lambda v: _utc(v).isoformat(),
                dt.date: dt.date.isoformat,
                dt.time: dt.time.isoformat,
                dt.timedelta: _interval,
                Decimal: lambda v: _raw_tag("decimal", _decimal(v)),
                json_type: lambda v: self._json_text(v.data),
                base64_type: lambda v: _raw_tag("bytes", str(v)),
                bytes: lambda v: _raw_tag("bytes", b64encode(v).decode("ascii")),
                uuid.UUID: str,
            }
        )

    def raw_parameters(self, values: Iterable[object]) -> str:
        """Encode the parameters of a raw query, as the JSON text that the engine expects."""
        given = list(values)
        return self.text([self._parameter(value) for value in given], given).decode()

    def _mapping(self, mapping: Mapping[str, Any]) -> dict[str, object]:
        name = self._aliases.get
        encode = self.argument
        return {
            name(key, key): value if type(value) is str else encode(value)
            for key, value in mapping.items()
        }

    def _json_text(self, data: object) -> str:
        try:
            return json.dumps(data, ensure_ascii=False, allow_nan=False, default=self._json_default)
        except ValueError as error:
            raise ValueRefusedError(f"Json data: {error}") from None

    def _json_default(self, value: object) -> object:
        if isinstance(value, self._json_type):
            return value.data  # type: ignore[attr-defined]  # known to be fields.Json
        if isinstance(value, dt.datetime):
            return _milliseconds(value)
        if isinstance(value, Decimal):
            return _decimal(value)
        if isinstance(value, self._base64_type):
            return str(value)
        raise _unserializable(value)

    def text(self, body: object, arguments: object) -> bytes:
        """Write `body` as JSON and refuse text that PostgreSQL cannot hold.

        Raises
        ------
        ValueRefusedError
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
                raise ValueRefusedError(
                    f"PostgreSQL text cannot hold U+0000; found at position {value.index(chr(0))} "
                    f"of a string of {len(value)} characters"
                )
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise ValueRefusedError(
                    f"Half of a surrogate pair at position {error.start} of a string of "
                    f"{len(value)} characters is not text"
                ) from None
        elif isinstance(value, Mapping):
            for item in value.values():
                self._check_text(item)
        elif isinstance(value, list | tuple | set):
            for item in value:
                self._check_text(item)


def _unserializable(value: object) -> TypeError:
    kind = value if isinstance(value, type) else type(value)
    return TypeError(f"Type {kind} not serializable")


def _tag(kind: str, value: str) -> dict[str, str]:
    return {"$type": kind, "value": value}


def _raw_tag(kind: str, value: str) -> dict[str, str]:
    return {"prisma__type": kind, "prisma__value": value}


def _integer(value: int, tag: Callable[[str, str], object], kind: str) -> object:
    if -SAFE_INTEGER <= value <= SAFE_INTEGER:
        return value
    if not -(2**63) <= value < 2**63:
        raise ValueRefusedError(
            f"{value} does not fit into 64 bits (for a Decimal field: Decimal({value}))"
        )
    return tag(kind, str(value))


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueRefusedError(
            f"{value} cannot be sent as a Float; use None where a value is undefined"
        )
    return float(value)


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueRefusedError(f"Decimal('{value}') is not a number that a Decimal field can hold")
    return str(value)


def _utc(value: dt.datetime) -> dt.datetime:
    """Naive times are UTC, as everywhere in prisma-client-py."""
    if value.tzinfo is None:
        return value.replace(tzinfo=dt.UTC)
    return value.astimezone(dt.UTC)


def _milliseconds(value: dt.datetime) -> str:
    """DateTime has millisecond precision: what is finer is cut off, as prisma-client-py does."""
    utc = _utc(value)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000).isoformat()


def _interval(value: dt.timedelta) -> str:
    return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"


def _postgres_float(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
