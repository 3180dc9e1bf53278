"""Two results of the same run, number by number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TypeAlias, cast

from etf_backtest.metrics import METRIC_NAMES
from etf_backtest.typing import JsonObject, JsonValue

Data: TypeAlias = Mapping[str, JsonValue]

CURVES = ("equity", "cash", "benchmark_equity")
BY_DATE = ("flows", "costs")
PARTS = ("dates", *CURVES, "weights", *BY_DATE, "trades", "ruin", "metrics")
"""What has to be the same to the last bit."""
FIRST_PARTS = ("dates", *CURVES, "weights")
"""What the first release stored in the same form."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two values that should be one; None where there is none on that side."""

    what: str
    where: str | None
    stored: JsonValue
    now: JsonValue
    first: str | None = None
    """Of a curve: the first date that differs; the largest difference is at `where`."""
    count: int | None = None
    """Of a curve: on how many dates it differs."""

    def __str__(self) -> str:
        where = "" if self.where is None else f" on {self.where}"
        more = ""
        if self.count is not None and self.count > 1:
            more = f" (the largest of {self.count:,} that differ, the first on {self.first})"
        return f"{self.what}{where}: {_said(self.stored)} stored, {_said(self.now)} now{more}"

    def to_dict(self) -> JsonObject:
        """The difference, ready for JSON."""
        return {
            "what": self.what,
            "where": self.where,
            "stored": self.stored,
            "now": self.now,
            "first": self.first,
            "count": self.count,
        }


def _said(value: JsonValue) -> str:
    if value is None:
        return "nothing"
    match value:
        case {"date": date, "symbol": symbol, "shares": float(shares), "price": price}:
            side = "sale" if shares < 0 else "purchase"
            return f"{side} on {date} of {abs(shares)!r} {symbol} at {price!r}"
    return repr(value)


def differences(stored: Data, now: Data, *, parts: Sequence[str] = PARTS) -> tuple[Difference, ...]:
    """The largest difference of each part of two results, and every metric that differs.

    Parameters
    ----------
    stored, now : mapping
        As `SimulationResult.to_dict` gives them and JSONB gives them back: a float64 is written in
        its shortest form, and so read back as itself.

    Returns
    -------
    tuple of Difference
        Empty where all is the same to the last bit.
    """
    found: list[Difference] = []
    for part in parts:
        if part == "metrics":
            found += _of_metrics(stored, now)
        elif stored.get(part) != now.get(part):
            found.append(_of_part(part, stored, now))
    return tuple(found)


def _of_part(part: str, stored: Data, now: Data) -> Difference:
    before, after = stored.get(part), now.get(part)
    if part in CURVES and isinstance(before, list) and isinstance(after, list):
        return _largest(part, zip_longest(_dates(stored, now), before, after))
    if part in BY_DATE and isinstance(before, Mapping) and isinstance(after, Mapping):
        dates = sorted(before.keys() | after.keys())
        return _largest(part, ((date, before.get(date), after.get(date)) for date in dates))
    if part == "weights" and isinstance(before, Mapping) and isinstance(after, Mapping):
        if before.keys() == after.keys():
            return _of_weights(before, after, _dates(stored, now))
        return Difference("weights", None, sorted(before), sorted(after))
    if isinstance(before, list) and isinstance(after, list):  # trades, dates
        first = next((a, b) for a, b in zip_longest(before, after) if a != b)
        if len(before) != len(after):
            return Difference(f"number of {part}", None, len(before), len(after))
        return Difference(f"first of the {part} that differ", None, *first)
    return Difference(part, None, before, after)


def _of_weights(
    before: Mapping[str, JsonValue], after: Mapping[str, JsonValue], dates: Sequence[str]
) -> Difference:
    rows = (
        _largest(f"weight of {symbol}", zip_longest(dates, _values(before[symbol]), now))
        for symbol in before
        if (now := _values(after[symbol])) != before[symbol]
    )
    return max(rows, key=_size)


def _values(values: JsonValue) -> list[JsonValue]:
    return values if isinstance(values, list) else []


def _dates(stored: Data, now: Data) -> list[str]:
    """The dates of the longer of two results."""
    both = (cast("list[str]", _values(data.get("dates"))) for data in (stored, now))
    return max(both, key=len)


def _largest(what: str, rows: Iterator[tuple[str, JsonValue, JsonValue]]) -> Difference:
    found = [Difference(what, date, a, b) for date, a, b in rows if a != b]
    return replace(max(found, key=_size), first=found[0].where, count=len(found))


def _size(difference: Difference) -> float:
    a, b = difference.stored, difference.now
    if isinstance(a, int | float) and isinstance(b, int | float):
        return abs(a - b)
    return float("inf")


def _of_metrics(stored: Data, now: Data) -> Iterator[Difference]:
    before, after = (cast("Data", data.get("metrics") or {}) for data in (stored, now))
    for name in METRIC_NAMES:
        if before.get(name) != after.get(name):
            yield Difference(name, None, before.get(name), after.get(name))
