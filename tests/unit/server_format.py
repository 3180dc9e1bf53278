"""Statements that the server puts together with format(): where values go in quotes, or not."""

from __future__ import annotations

import re
from typing import Final

_CONVERSION: Final = re.compile(r"%(?:(\d+)\$)?(.)")
_OF_ITSELF: Final = re.compile(
    r"::(int|integer|bigint|regclass|regprocedure|regnamespace)$|^quote_(ident|literal)\(.*\)$"
    r"|^string_agg\(format\(|^pg_get_\w+\(.*\)$",
    re.DOTALL,
)
"""What may stand for %s: what is SQL by itself, or a number."""
_DOLLARS: Final = re.compile(r"(\$\w*\$)(.*?)\1", re.DOTALL)


def puts_names_in_quotes(statement: str) -> bool:
    """Whether a query returns what format() has made, with %s only for what needs no quotes."""
    statement = _DOLLARS.sub(lambda found: "'" + found[2].replace("'", "''") + "'", statement)
    starts = [match.end() for match in re.finditer(r"\bformat\(", statement)]
    return bool(starts) and all(_is_careful(_arguments(statement, start)) for start in starts)


def _is_careful(arguments: list[str]) -> bool:
    """Whether the arguments of a format() are a constant, and go into it in quotes."""
    template, *values = arguments
    if re.fullmatch(r"\s*(?:'(?:[^']|'')*'\s*)+", template) is None:
        return False
    following = 0
    for place, conversion in _CONVERSION.findall(template):
        if conversion == "%":
            continue
        following = int(place) if place else following + 1
        if conversion == "s" and (
            following > len(values) or not _OF_ITSELF.search(values[following - 1].strip())
        ):
            return False
        if conversion not in "ILs":
            return False
    return True


def _arguments(statement: str, start: int) -> list[str]:
    """What stands between the parentheses that were opened before `start`, by commas."""
    depth, quoted, begin, parts = 0, False, start, []
    for place in range(start, len(statement)):
        sign = statement[place]
        if sign == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        if depth < 0 or (sign == "," and depth == 0):
            parts.append(statement[begin:place])
            begin = place + 1
        if depth < 0:
            break
    return parts
