"""One session of one symbol, and what makes it believable."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

PRICE_FIELDS = ("open", "high", "low", "close", "adjusted_close")
NUMBER_FIELDS = (*PRICE_FIELDS, "volume", "dividend_amount", "split_ratio")

LOWEST_PRICE = Decimal("0.0001")
HIGHEST_PRICE = Decimal("999999.9999")
"""Prices are kept with four decimals: Decimal(10, 4) in the database."""
HIGHEST_DIVIDEND = Decimal("999999.999999")
LOWEST_RATIO, HIGHEST_RATIO = Decimal("0.000000000001"), Decimal("999999.999999999999")
"""What Decimal(12, 6) and Decimal(18, 12) hold."""

_SYMBOL = re.compile(r"[A-Z0-9^$][A-Z0-9.^=_:/&+$-]{0,19}", re.ASCII)
_FORMULA = re.compile(r"[=+-][A-Z0-9.^=_:/&+$-]{0,19}", re.ASCII)


class Bar(NamedTuple):
    """What a source says about one symbol on one session; None is "the source does not say".

    Prices and the dividend are in the symbol's currency per share, `volume` in shares,
    `split_ratio` in new shares per old share, effective at this session's open.
    """

    symbol: str
    date: dt.date
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    close: Decimal | None = None
    adjusted_close: Decimal | None = None
    volume: int | None = None
    dividend_amount: Decimal | None = None
    split_ratio: Decimal | None = None


def is_symbol(text: str) -> bool:
    """Whether `text` can be the symbol of a security: 1 to 20 of A-Z 0-9 . ^ = _ : / & + $ -."""
    return _SYMBOL.fullmatch(text) is not None


def is_formula(text: str) -> bool:
    """Whether `text` is a symbol for the database, but begins as a formula does, or an option.

    No source may bring it as it stands; our own files may, which have an apostrophe before it.
    """
    return _FORMULA.fullmatch(text) is not None


def bar_problems(bar: Bar) -> Iterator[tuple[str, str]]:
    """Yield (field, what is wrong with it) for each rule that the bar breaks.

    The rules are those of the table `market_data`: positive, finite prices that fit its columns, a
    close or an adjusted close, low <= open, close <= high, volume and dividend not negative, split
    ratio positive.
    """
    if not is_symbol(bar.symbol):
        yield "symbol", f"{bar.symbol!r} is not a symbol (1 to 20 of A-Z 0-9 . ^ = _ : / & + $ -)"
    for field in PRICE_FIELDS:
        price: Decimal | None = getattr(bar, field)
        if price is not None and not (price.is_finite() and LOWEST_PRICE <= price <= HIGHEST_PRICE):
            yield field, f"{field} {price} is not a price ({LOWEST_PRICE} to {HIGHEST_PRICE})"
    if bar.close is None and bar.adjusted_close is None:
        yield "close", "neither a close nor an adjusted close"
    yield from _range_problems(bar)
    if bar.volume is not None and not 0 <= bar.volume < 2**63:
        yield "volume", f"{bar.volume} is not a volume (0 or more)"
    dividend, split = bar.dividend_amount, bar.split_ratio
    if dividend is not None and not (dividend.is_finite() and 0 <= dividend <= HIGHEST_DIVIDEND):
        yield "dividend_amount", f"{dividend} is not a dividend (0 to {HIGHEST_DIVIDEND})"
    if split is not None and not (split.is_finite() and LOWEST_RATIO <= split <= HIGHEST_RATIO):
        yield "split_ratio", f"{split} is not a split ratio ({LOWEST_RATIO:f} to {HIGHEST_RATIO})"


def _range_problems(bar: Bar) -> Iterator[tuple[str, str]]:
    """Where open and close leave the range of low and high; NaN is reported as not a price."""
    known = [p for p in (bar.open, bar.high, bar.low, bar.close) if p is not None]
    if not all(price.is_finite() for price in known):
        return
    if bar.low is not None and bar.high is not None and bar.low > bar.high:
        yield "low", f"low {bar.low} is above high {bar.high}"
        return
    for field, price in (("open", bar.open), ("close", bar.close)):
        if price is not None and bar.high is not None and price > bar.high:
            yield field, f"{field} {price} is above high {bar.high}"
        if price is not None and bar.low is not None and price < bar.low:
            yield field, f"{field} {price} is below low {bar.low}"
