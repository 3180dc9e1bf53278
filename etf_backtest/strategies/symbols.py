"""Symbols that a strategy can choose from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeGuard

from etf_backtest.errors import InvalidParametersError

_MOST_SHOWN = 80


def is_symbol(value: object) -> TypeGuard[str]:
    """Whether it is a name that a column of prices can have."""
    return isinstance(value, str) and value != "" and value == value.strip()


def shown(value: object) -> str:
    """How a value that is not what was expected looks, in one short line."""
    line = " ".join(repr(value).split())
    return line if len(line) <= _MOST_SHOWN else f"{line[:_MOST_SHOWN]}..."


def check_symbols(owner: str, symbols: object) -> tuple[str, ...]:
    """One or more different symbols.

    Raises
    ------
    InvalidParametersError
        In the name of `owner`, with what was received.
    """
    given: tuple[object, ...] = ()
    if isinstance(symbols, Iterable) and not isinstance(symbols, str):
        given = tuple(symbols)
    named = tuple(symbol for symbol in given if is_symbol(symbol))
    if not named or len(set(named)) < len(given):
        raise InvalidParametersError(
            owner, [f"symbols: expected different symbols, received {shown(symbols)}"]
        )
    return named


def check_top_n(owner: str, top_n: int, symbols: Sequence[str]) -> None:
    """Refuse to hold more symbols than there are.

    Raises
    ------
    InvalidParametersError
        In the name of `owner`, with both numbers.
    """
    if top_n > len(symbols):
        raise InvalidParametersError(
            owner,
            [
                f"top_n: expected at most {len(symbols)}, the number of symbols, received {top_n}",
            ],
        )
