"""Which form of table a header is, and what its names mean there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from etf_backtest.errors import LayoutError
from etf_backtest.errors.wording import quoted

Format = Literal["long", "wide", "yahoo", "stooq", "alphavantage"]

DISTRIBUTIONS = re.compile(r"split|div|distribution|capital.?gain", re.IGNORECASE)
"""Names of columns that may be dividends or splits."""

SYMBOL_NAMES = ("symbol", "ticker")

_BARS = {name: name for name in ("date", "open", "high", "low", "close", "volume")}
_LONG = (
    dict.fromkeys(SYMBOL_NAMES, "symbol")
    | _BARS
    | {
        "adjusted_close": "adjusted_close",
        "adj_close": "adjusted_close",
        "dividend_amount": "dividend_amount",
        "dividend": "dividend_amount",
        "dividends": "dividend_amount",
        "split_ratio": "split_ratio",
        "split_adjusted": "split_adjusted",
    }
)
_STOOQ = _BARS | {
    "<ticker>": "symbol",
    "<per>": "period",
    "<date>": "date",
    "<time>": "clock",
    "<open>": "open",
    "<high>": "high",
    "<low>": "low",
    "<close>": "close",
    "<vol>": "volume",
    "data": "date",
    "otwarcie": "open",
    "najwyzszy": "high",
    "najnizszy": "low",
    "zamkniecie": "close",
    "wolumen": "volume",
}
ALIASES: Mapping[Format, Mapping[str, str]] = {
    "long": _LONG,
    "wide": _LONG,
    "yahoo": _BARS
    | {
        "adj_close": "adjusted_close",
        "dividends": "dividend_amount",
        "stock_splits": "split_ratio",
        "capital_gains": "capital_gains",
    },
    "stooq": _STOOQ,
    "alphavantage": {
        "timestamp": "date",
        "open": "open",
        "high": "high",
        "low": "low",
        "close": "close",
        "adjusted_close": "adjusted_close",
        "volume": "volume",
        "dividend_amount": "dividend_amount",
        "split_coefficient": "split_ratio",
    },
}
"""What a column is, by its name (`normalised`) in each form."""

_OHLCV = {"Date", "Open", "High", "Low", "Close", "Volume"}
_ACTIONS = {"Dividends", "Stock Splits"}
_YFINANCE = _ACTIONS | {"Capital Gains", "Repaired?"}
_POLISH = ("Data", "Otwarcie", "Najwyzszy", "Najnizszy", "Zamkniecie")
_ALPHA = ("timestamp", "open", "high", "low", "close")
_LONG_HEADER = (
    "symbol,date,open,high,low,close,adjusted_close,volume,dividend_amount,split_ratio,"
    "split_adjusted"
)


def normalised(name: str) -> str:
    """A column's name in lower case, its blanks as underscores."""
    return name.strip().lower().replace(" ", "_")


def format_of(header: tuple[str, ...]) -> Format:
    """Tell the form of a table by the names of its columns.

    Raises
    ------
    LayoutError
        No form has this header, or more than one.
    """
    names = set(header)
    prices = names - _YFINANCE
    if prices == _OHLCV | {"Adj Close"} or (prices == _OHLCV and names >= _ACTIONS):
        return "yahoo"
    if header[:1] == ("<TICKER>",) or header[:5] == _POLISH:
        return "stooq"
    if header[:5] == _ALPHA:
        _refuse_weeks(header)
        return "alphavantage"
    fields = [_LONG.get(normalised(name)) for name in header]
    if "symbol" in fields:
        return "long"
    if fields[:1] != ["date"]:
        raise _unknown(header)
    known = [name for name, field in zip(header[1:], fields[1:], strict=True) if field]
    if not known:
        return "wide"
    raise LayoutError(
        f"has the column {known[0]} and no symbol: it looks like the bars of one symbol, and its "
        "header does not tell whose form it is",
        remedy="say --format yahoo, stooq or long (long with --symbol), or add a column symbol; "
        "or --format wide if the columns are symbols",
    )


def _refuse_weeks(header: tuple[str, ...]) -> None:
    """Alpha Vantage's weekly and monthly adjusted series write "adjusted close"."""
    if "adjusted close" in header:
        raise LayoutError(
            "has weekly or monthly bars of Alpha Vantage", remedy="take its daily series"
        )


def _unknown(header: tuple[str, ...]) -> LayoutError:
    line = ",".join(header)
    separator = next((mark for mark in (";", "\t", "|") if mark in line), None)
    if separator is not None:
        return LayoutError(
            f"is separated by {separator!r}",
            remedy="save it separated by commas, with a point as decimal sign",
        )
    if header[:1] in (("Price",), ("Ticker",)):
        return LayoutError(
            "has several lines of header, as yfinance.download() writes them",
            remedy="write it with multi_level_index=False, or one Ticker(...).history() a file",
        )
    return LayoutError(
        f"has the header {quoted(line)}",
        remedy=f"expected {_LONG_HEADER} (some of them), or date and one column a symbol, or an "
        "export of Yahoo, Stooq or Alpha Vantage",
    )
