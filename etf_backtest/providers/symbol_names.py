"""Symbols as vendors write them in cells and in the names of files."""

from __future__ import annotations

import re

from etf_backtest.market.bar import is_symbol
from etf_backtest.providers.headers import Format

_STOOQ_NAME = re.compile(r"(?P<symbol>[^_]+)(?P<exchange>_[a-z]{2})?_d", re.IGNORECASE)
_ALPHA_NAME = re.compile(r"daily_(?:adjusted_)?", re.IGNORECASE)


def symbol_of_stem(form: Format, stem: str) -> str | None:
    """The symbol that an export's file is named by: SPY, spy_us_d (Stooq), daily_SPY; or None.

    Parameters
    ----------
    form : str
    stem : str
        The file's name without its endings.
    """
    name = stem
    if form == "stooq":
        found = _STOOQ_NAME.fullmatch(stem)
        if found is None:
            return None
        name = stooq_symbol(found["symbol"] + (found["exchange"] or "").replace("_", "."))
    elif form == "alphavantage":
        name = _ALPHA_NAME.sub("", stem, count=1)
    name = name.upper()
    return name if is_symbol(name) else None


def stooq_symbol(ticker: str) -> str:
    """SPY of SPY.US: symbols of the United States have no exchange here, others keep theirs."""
    return ticker.upper().removesuffix(".US")
