"""Symbols that a strategy can choose from."""

from __future__ import annotations

from collections.abc import Sequence

from etf_backtest.errors import InvalidParametersError


def check_symbols(owner: str, symbols: Sequence[str]) -> tuple[str, ...]:
    """One or more different symbols.

    Raises
    ------
    InvalidParametersError
        In the name of `owner`, with what was received.
    """
    given = () if isinstance(symbols, str) else tuple(symbols)
    if not given or len(set(given)) < len(given) or not all(isinstance(s, str) for s in given):
        raise InvalidParametersError(
            owner, [f"symbols: expected different symbols, received {symbols!r}"]
        )
    return given


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
