"""Cells of a file of funds as values; what a number means is never guessed from its size."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Literal

from etf_backtest.market.bar import is_symbol

Status = Literal["active", "delisted"]
Value = str | Decimal | dt.date

LARGEST_BARE_RATIO = Decimal("0.1")
"""An expense ratio above it needs a percent sign: it is more likely a percent without one."""
DOUBTFUL_BARE_RATIO = Decimal("0.02")
"""A ratio from here on without a percent sign is taken as written, with a warning."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class UnreadableCellError(ValueError):
    """A cell is not what its column holds; the message says what was expected."""


def read_ratio(text: str) -> Decimal:
    """An expense ratio as a fraction per year, of "0.0003" or "0.03%".

    Raises
    ------
    UnreadableCellError
        It is no number, below 0, above 1, has more than 6 decimals as a fraction, or is above
        `LARGEST_BARE_RATIO` and has no percent sign.
    """
    percent = text.endswith("%")
    number = _number(
        text.removesuffix("%").rstrip(), "a fraction like 0.0003 or a percent like 0.03%"
    )
    value = number / 100 if percent else number
    if not 0 <= value <= 1:
        raise UnreadableCellError("0 to 100%")
    if not percent and value > LARGEST_BARE_RATIO:
        raise UnreadableCellError(
            f"a fraction of at most {LARGEST_BARE_RATIO}, or a percent sign: was {text}% meant?"
        )
    return _of_scale(value, 6, "at most 4 decimals of a percent (6 of a fraction)")


def read_amount(text: str) -> Decimal:
    """An amount of money like 1250000000 or 1.25e9, not below 0, with at most 2 decimals.

    Raises
    ------
    UnreadableCellError
        It is none.
    """
    value = _number(text, "an amount like 1250000000 or 1.25e9, without separators or currency")
    if not 0 <= value < Decimal(10) ** 18:
        raise UnreadableCellError("an amount of at least 0 and below 1e18")
    return _of_scale(value, 2, "at most 2 decimals")


def read_price(text: str) -> Decimal:
    """A price per share, above 0, with at most 4 decimals.

    Raises
    ------
    UnreadableCellError
        It is none.
    """
    value = _number(text, "a price like 12.3456")
    if not 0 < value < Decimal(10) ** 6:
        raise UnreadableCellError("a price above 0 and below 1e6")
    return _of_scale(value, 4, "at most 4 decimals")


def read_day(text: str) -> dt.date:
    """A date like 2024-12-31.

    Raises
    ------
    UnreadableCellError
        It is none; other forms are not guessed at.
    """
    try:
        if _DATE.fullmatch(text):
            return dt.date.fromisoformat(text)
    except ValueError:
        pass
    raise UnreadableCellError("a date like 2024-12-31")


def _symbol(text: str) -> str:
    if not is_symbol(text.upper()):
        raise UnreadableCellError("1 to 20 of A-Z 0-9 . ^ = _ : / & + $ -")
    return text.upper()


def _status(text: str) -> str:
    if text.lower() not in ("active", "delisted"):
        raise UnreadableCellError("active or delisted")
    return text.lower()


def _currency(text: str) -> str:
    if _CURRENCY.fullmatch(text) is None:
        raise UnreadableCellError("three capital letters like USD (ISO 4217)")
    return text


def _text(longest: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > longest:
            raise UnreadableCellError(f"at most {longest} characters, not {len(text):,}")
        if not text.isprintable():
            raise UnreadableCellError("text on one line, without control characters")
        return text

    return read


def _number(text: str, expected: str) -> Decimal:
    if _NUMBER.fullmatch(text) is None:
        comma = " (a point is the decimal sign)" if "," in text else ""
        raise UnreadableCellError(expected + comma)
    return Decimal(text)


def _of_scale(value: Decimal, scale: int, expected: str) -> Decimal:
    if value and value != value.quantize(Decimal(1).scaleb(-scale)):
        raise UnreadableCellError(expected)
    return value


READERS: Mapping[str, Callable[[str], Value]] = {
    "symbol": _symbol,
    "name": _text(255),
    "issuer": _text(100),
    "expense_ratio": read_ratio,
    "category": _text(100),
    "benchmark_index": _text(255),
    "status": _status,
    "valid_from": read_day,
    "inception_date": read_day,
    "delisted_date": read_day,
    "last_price": read_price,
    "last_price_date": read_day,
    "exchange": _text(50),
    "currency": _currency,
    "assets_under_management": read_amount,
    "asset_class": _text(50),
    "sector": _text(100),
    "geography": _text(100),
    "investment_style": _text(100),
    "source": _text(255),
}
"""How the cells of each column are read; its keys are the columns, in docs/funds.md's order."""
