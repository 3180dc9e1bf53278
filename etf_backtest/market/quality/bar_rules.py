"""What the table `market_data` refuses, found over the columns of many rows at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from etf_backtest.errors.wording import quoted
from etf_backtest.market.bar import is_formula, is_symbol
from etf_backtest.market.bars import SCALES, UNKNOWN, Bars
from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.market.quality.duplicates import SessionsSeen
from etf_backtest.market.quality.finding import Finding, Level
from etf_backtest.typing import BoolArray

FIRST_DATE, LAST_DATE = dt.date(1678, 1, 1), dt.date(2262, 4, 11)
"""Prices lie on days that pandas can count in nanoseconds."""

_CHARACTERS = "A-Z 0-9 . ^ = _ : / & + $ -"
_PRICES = ("open", "high", "low", "close", "adjusted_close")


class _Range(NamedTuple):
    """What a column of `market_data` holds, in units of its last place."""

    rule: str
    kind: str
    lowest: int
    highest: int


_PRICE = _Range("price_range", "price", 1, 10**10 - 1)
RANGES = dict.fromkeys(_PRICES, _PRICE) | {
    "volume": _Range("volume_range", "volume", 0, 2**63 - 1),
    "dividend_amount": _Range("dividend_range", "dividend", 0, 10**12 - 1),
    "split_ratio": _Range("split_range", "split ratio", 1, 10**18 - 1),
}


@dataclass(frozen=True, slots=True, eq=False)
class BarCheck(FrozenArrays):
    """What is wrong with some rows.

    Attributes
    ----------
    findings : tuple of Finding
        In the order of the rows; a row may have several.
    rejected : ndarray of bool, shape (rows,)
        The rows with a reject: `bars.take(~rejected)` can be stored.
    """

    findings: tuple[Finding, ...]
    rejected: BoolArray


class _Broken(NamedTuple):
    """A rule, and the rows that break it."""

    rule: str
    field: str
    rows: BoolArray
    message: Callable[[int], str]


def bar_findings(bars: Bars, *, today: dt.date | None) -> tuple[Finding, ...]:
    """What cannot be stored of these rows; `check_bars` also tells which rows are left."""
    return check_bars(bars, today=today).findings


def check_bars(bars: Bars, *, today: dt.date | None, seen: SessionsSeen | None = None) -> BarCheck:
    """Find the rows that cannot be stored, by the rules of the table `market_data`.

    Parameters
    ----------
    bars : Bars
    today : date or None
        Later dates are refused; None does not check it.
    seen : SessionsSeen, optional
        What earlier batches had; the good rows of this one are added to it. A row whose symbol and
        date a good row has had before is refused. Without it, each batch stands for itself.
    """
    rejected = np.zeros(len(bars), np.bool_)
    found: list[tuple[int, int, Finding]] = []
    for order, (rule, field, mask, message) in enumerate(_broken(bars, today)):
        for row in np.flatnonzero(mask).tolist():
            rejected[row] = True
            found.append((row, order, _finding(bars, row, rule, field, message(row))))
    # the others are not stored, so that nothing can be the second of them
    rows, firsts = (SessionsSeen() if seen is None else seen).add(bars, except_for=rejected)
    for row, first in zip(rows.tolist(), firsts.tolist(), strict=True):
        rejected[row] = True
        message_ = f"this symbol has this date twice, first {_first_place(bars, first)}"
        found.append((row, len(SCALES), _finding(bars, row, "duplicate", "date", message_)))
    found.sort(key=lambda entry: entry[:2])
    return BarCheck(tuple(finding for _row, _order, finding in found), rejected)


def _broken(bars: Bars, today: dt.date | None) -> Iterator[_Broken]:
    """All rules, in the order of a bar's fields."""
    bad_symbols = np.array(
        [not (is_symbol(symbol) or is_formula(symbol)) for symbol in bars.symbols], np.bool_
    )
    if bad_symbols.any():
        yield _Broken("symbol_form", "symbol", bad_symbols[bars.codes], lambda row: (
            f"{quoted(bars.symbol(row))} is not a symbol (1 to 20 of {_CHARACTERS})"
        ))  # fmt: skip
    first, last = np.datetime64(FIRST_DATE), np.datetime64(LAST_DATE)
    inside = (bars.dates >= first) & (bars.dates <= last)  # NaT is not
    yield _Broken("date_range", "date", ~inside, lambda row: (
        f"{bars.dates[row]} is not a date that can be used ({FIRST_DATE} to {LAST_DATE})"
    ))  # fmt: skip
    if today is not None:
        future = inside & (bars.dates > np.datetime64(today))
        yield _Broken("future_date", "date", future, lambda row: (
            f"{bars.dates[row]} is in the future (today is {today})"
        ))  # fmt: skip
    for field in SCALES:
        yield _out_of_range(bars, field)
    yield _Broken(
        "no_close",
        "close",
        (bars.close == UNKNOWN) & (bars.adjusted_close == UNKNOWN),
        lambda _row: "neither a close nor an adjusted close",
    )
    yield from _contradictions(bars)


def _out_of_range(bars: Bars, field: str) -> _Broken:
    """The rows whose number does not fit its column or its meaning."""
    rule, kind, lowest, highest = RANGES[field]
    numbers = bars.numbers(field)
    bad = numbers < lowest
    if highest < np.iinfo(np.int64).max:
        bad |= numbers > highest
    bad &= numbers != UNKNOWN

    def message(row: int) -> str:
        if field == "volume":
            return f"volume {_text(bars, field, row)} is not a volume (0 or more)"
        bounds = f"{_decimal(lowest, SCALES[field])} to {_decimal(highest, SCALES[field])}"
        return f"{field} {_text(bars, field, row)} is not a {kind} ({bounds})"

    return _Broken(rule, field, bad, message)


def _contradictions(bars: Bars) -> Iterator[_Broken]:
    """Where open and close leave the range of low and high; UNKNOWN is below all numbers."""
    crossed = (bars.low > bars.high) & (bars.high != UNKNOWN)

    def broken(field: str, rows: BoolArray, beyond: str, bound: str) -> _Broken:
        return _Broken(
            "ohlc_contradiction",
            field,
            rows,
            lambda row: (
                f"{field} {_text(bars, field, row)} is {beyond} {bound} {_text(bars, bound, row)}"
            ),
        )

    yield broken("low", crossed, "above", "high")
    for field in ("open", "close"):
        price = bars.numbers(field)
        above = (price > bars.high) & (bars.high != UNKNOWN) & ~crossed
        yield broken(field, above, "above", "high")
        below = (price < bars.low) & (price != UNKNOWN) & ~crossed
        yield broken(field, below, "below", "low")


def _finding(bars: Bars, row: int, rule: str, field: str, message: str) -> Finding:
    day = bars.dates[row].item()  # None for NaT, a number of days beyond the year 9999
    value = {"symbol": bars.symbol(row), "date": str(bars.dates[row])}.get(field)
    return Finding(
        rule=rule,
        level=Level.REJECT,
        message=message,
        symbol=bars.symbol(row),
        date=day if isinstance(day, dt.date) else None,
        field=field,
        value=_text(bars, field, row) if value is None else value,
        row=int(bars.rows[row]) or None,
    )


def _first_place(bars: Bars, first: int) -> str:
    if first < 0:
        return "in an earlier part"
    row = int(bars.rows[first])
    return f"in row {row}" if row else f"as entry {first + 1} of this part"


def _text(bars: Bars, field: str, row: int) -> str | None:
    whole = int(bars.numbers(field)[row])
    return None if whole == UNKNOWN else _decimal(whole, SCALES[field])


def _decimal(whole: int, scale: int) -> str:
    """A scaled number as people write it: 1234500 with the scale 4 is 123.45."""
    sign, digits = "-" * (whole < 0), str(abs(whole)).rjust(scale + 1, "0")
    point = len(digits) - scale
    fraction = digits[point:].rstrip("0")
    return f"{sign}{digits[:point]}{'.' * bool(fraction)}{fraction}"
