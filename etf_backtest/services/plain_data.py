"""JSON and TOML that somebody wrote, bounded before anything else looks at it."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Sequence

MOST_LETTERS = 8 * 1024 * 1024
DEEPEST = 32
"""Levels of lists and tables in each other."""
MOST_VALUES = 200_000
"""Names and values in all; a rate for each day of a century is 36,525."""
_LONG_NAME = re.compile(
    r"(?<![\w-])(?:(?:\"[^\"\n]*+\"|'[^'\n]*+'|[\w-]++)[ \t]*+\.[ \t]*+){" + str(DEEPEST) + "}",
    re.ASCII,
)
"""a.b.c. ...: the time that TOML takes for it grows with the square of its length."""


class UnboundedDataError(ValueError):
    """Data that is too much, too deep, or has a name twice: whatever it means."""


def parse_json(text: str) -> object:
    """The value of a text of JSON.

    Raises
    ------
    UnboundedDataError
        It is nested too deeply, has too many values, or a name twice.
    ValueError
        It is no JSON.
    """
    _check_length(text)
    try:
        data = json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise UnboundedDataError(_TOO_DEEP) from None
    check_bounds(data)
    return data


def parse_toml(text: str) -> dict[str, object]:
    """The names and values of a text of TOML.

    Raises
    ------
    UnboundedDataError
        It is nested too deeply, or has too many values.
    ValueError
        It is no TOML.
    """
    _check_length(text)
    if _LONG_NAME.search(text) is not None:
        raise UnboundedDataError(_TOO_DEEP)
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise UnboundedDataError(_TOO_DEEP) from None
    check_bounds(data)
    return data


def check_bounds(data: object) -> None:
    """Demand at most `DEEPEST` levels and `MOST_VALUES` values.

    Numbers that are none (NaN, 1e400) are told by who takes them, with their names.

    Raises
    ------
    UnboundedDataError
        Otherwise.
    """
    level: list[object] = [data]
    count = depth = 0
    while level:
        if depth > DEEPEST:
            raise UnboundedDataError(_TOO_DEEP)
        inner: list[object] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, Sequence) and not isinstance(value, str):
                inner.extend(value)
        count, depth = count + len(inner), depth + 1
        if count > MOST_VALUES:
            raise UnboundedDataError(f"it has more than {MOST_VALUES:,} values")
        level = inner


_TOO_DEEP = f"it is nested deeper than {DEEPEST} levels"


def _check_length(text: str) -> None:
    if len(text) > MOST_LETTERS:
        raise UnboundedDataError(f"it is longer than {MOST_LETTERS // 2**20} MB")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise UnboundedDataError(f"it has the name {twice[:40]!r} twice")
    return found
