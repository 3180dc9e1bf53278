"""A JSON schema of parameters in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import TypeAlias, cast

from etf_backtest.errors.wording import shortened

Schema: TypeAlias = Mapping[str, object]
MOST_OTHERS = 100
"""Names that are shown though no schema knows them."""


def describe_parameters(
    schema: Schema, values: Mapping[str, object]
) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield name, value, default, bounds and meaning of each parameter.

    Values that the schema does not know come last: a row that somebody wrote by hand.
    """
    known = cast("Mapping[str, Schema]", schema.get("properties") or {})
    for name, field in known.items():
        default = _text(field["default"]) if "default" in field else "-"
        value = _text(values[name]) if name in values else default
        yield name, value, default, describe_bounds(field), str(field.get("description", "-"))
    others = [name for name in values if name not in known]
    for name in others[:MOST_OTHERS]:
        yield name, shortened(_text(values[name])), "-", "-", "not a parameter of this type"
    if (more := len(others) - MOST_OTHERS) > 0:
        yield f"{more:,} more names", "...", "-", "-", "not parameters of this type"


def in_lines(
    schema: Schema, values: Mapping[str, object], *, width: int
) -> Iterator[tuple[str, bool]]:
    """Yield each parameter in lines of at most `width`, and whether a line is its first.

    Its name and value, its meaning, then bounds and default.
    """
    indent = "    "
    for name, value, default, bounds, meaning in describe_parameters(schema, values):
        yield f"{name} = {value}", True
        for text in (meaning, f"{bounds}; default {default}" if bounds != "-" else ""):
            for line in wrap(text, width, initial_indent=indent, subsequent_indent=indent):
                yield line, False


def describe_bounds(field: Schema) -> str:
    """The values that a field of a JSON schema takes: "1 to 2520", "above 0", "a or b"."""
    options = field.get("anyOf")
    if isinstance(options, list):
        return " or ".join(describe_bounds(option) for option in options)
    if isinstance(field.get("enum"), list):
        return ", ".join(str(value) for value in cast("list[object]", field["enum"]))
    low = _bound(field, ("minimum", ""), ("exclusiveMinimum", "above "))
    high = _bound(field, ("maximum", ""), ("exclusiveMaximum", "below "))
    if low and high:
        return f"{low} to {high}"
    if low:
        return low if low.startswith("above") else f"{low} or more"
    if high:
        return high if high.startswith("below") else f"{high} or less"
    return {"null": "none", "string": "text", "boolean": "true, false"}.get(
        str(field.get("type")), str(field.get("type", "any"))
    )


def _bound(field: Schema, *forms: tuple[str, str]) -> str | None:
    for key, word in forms:
        if key in field:
            return f"{word}{_text(field[key])}"
    return None


def _text(value: object) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)
