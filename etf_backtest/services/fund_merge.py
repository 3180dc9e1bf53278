"""From rows of a file of funds, and what is stored, to what shall be stored; no database here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from etf_backtest.errors import FundProblem
from etf_backtest.providers.fund_file import FundRow

if TYPE_CHECKING:
    from etf_backtest.database.models import ETFFacts, ETFInfo

Value = str | Decimal | dt.date
Statement = Mapping[str, Value]

IDENTITY = (
    "name",
    "issuer",
    "inception_date",
    "last_price",
    "last_price_date",
    "exchange",
    "currency",
    "asset_class",
    "sector",
    "geography",
    "investment_style",
)
"""What a fund is: one value, without a date."""
FACTS = ("expense_ratio", "assets_under_management", "category", "benchmark_index", "status")
"""What is true of it from a day on."""


@dataclass(frozen=True, slots=True)
class FundChange:
    """What a file says about one fund, together with what is stored.

    Attributes
    ----------
    symbol : str
    identity : mapping of str to value
        The values of `IDENTITY` that the fund shall have and does not have yet.
    delisted_date : date or None
        The day of its end, where the stored one is another and the file's is to be taken.
    statements : mapping of date to Statement
        The facts of each day, and their `source` where the file names one.
    problems : tuple of FundProblem
    """

    symbol: str
    identity: Mapping[str, Value]
    delisted_date: dt.date | None
    statements: Mapping[dt.date, Statement]
    problems: tuple[FundProblem, ...]


@dataclass(slots=True)
class _Merge:
    rows: Sequence[FundRow]
    stored: ETFInfo | None
    problems: list[FundProblem] = field(default_factory=list)

    def problem(self, row: FundRow, name: str, expected: str) -> None:
        value = getattr(row, name)
        text = None if value is None else str(value)
        self.problems.append(FundProblem(row.row, expected, row.symbol, name, text))


def fund_change(rows: Sequence[FundRow], stored: ETFInfo | None) -> FundChange:
    """What the rows about one fund make of it.

    A row that is older than the stored figures (`as_of_date`) fills in what is not known of the
    fund's identity and changes nothing that is; its facts are statements of their own date, and
    change no newer one.

    Parameters
    ----------
    rows : sequence of FundRow
        All of one symbol, at least one, in any order.
    stored : ETFInfo or None
        The fund as it is stored; None where it is new.
    """
    ordered = sorted(rows, key=lambda row: row.valid_from)
    merge = _Merge(ordered, stored)
    identity = _identity(merge)
    end = _end(merge)
    _check_life(merge, identity, end)
    if stored is None and "name" not in identity:
        merge.problem(ordered[0], "name", "a name: nothing is stored about this fund yet")
    stored_end = None if stored is None else _day(stored.delistedDate)
    return FundChange(
        ordered[0].symbol,
        {name: value for name, value in identity.items() if value != _of_stored(stored, name)},
        end if stored is not None and end != stored_end else None,
        _statements(merge, end),
        tuple(merge.problems),
    )


def changed_facts(
    said: Statement, stored: ETFFacts | None, *, source: str
) -> dict[str, Value] | None:
    """What a statement adds to what is stored of its day; None where that says it all already.

    What the file leaves open stays. Facts come with their source: that of the statement, or
    `source` where it names none; a source alone changes only where the statement names one.
    """
    if stored is None:
        return {"source": source, **said}
    before = {
        "expense_ratio": stored.expenseRatio,
        "assets_under_management": stored.assetsUnderManagement,
        "category": stored.category,
        "benchmark_index": stored.benchmarkIndex,
        "status": None if stored.status is None else str(stored.status),
        "source": stored.source,
    }
    changed = {name: value for name, value in said.items() if before[name] != value}
    return {"source": said.get("source", source), **changed} if changed else None


def _identity(merge: _Merge) -> dict[str, Value]:
    identity: dict[str, Value] = {}
    as_of = None if merge.stored is None else _day(merge.stored.asOfDate)
    for row in merge.rows:
        for name in IDENTITY:
            value: Value | None = getattr(row, name)
            is_newest = as_of is None or row.valid_from >= as_of
            if value is not None and (is_newest or _of_stored(merge.stored, name) is None):
                identity[name] = value
    for row in merge.rows:
        if (row.last_price is None) != (row.last_price_date is None):
            missing = "last_price" if row.last_price is None else "last_price_date"
            merge.problem(row, missing, "a last price and its date, both or neither")
    return identity


def _end(merge: _Merge) -> dt.date | None:
    """The first day without trading, of the file or as stored; what contradicts it is told."""
    ends = {row.delisted_date: row for row in merge.rows if row.delisted_date is not None}
    first = next(iter(ends), None)
    for row in list(ends.values())[1:]:
        merge.problem(row, "delisted_date", f"one end of a fund, {first} as in another row")
    end = first or (None if merge.stored is None else _day(merge.stored.delistedDate))
    for row in merge.rows:
        if row.status == "delisted" and end is None:
            merge.problem(row, "delisted_date", "the first day without trading of a delisted fund")
        elif row.status == "delisted" and end is not None and row.valid_from < end:
            merge.problem(row, "status", f"active before {end}, when it was delisted")
        elif row.status == "active" and first is not None and row.valid_from >= first:
            merge.problem(row, "status", f"delisted from {first} on")
    return end


def _check_life(merge: _Merge, identity: Mapping[str, Value], end: dt.date | None) -> None:
    """Neither its inception nor its last price may lie after its end."""
    if end is None:
        return
    for name in ("inception_date", "last_price_date"):
        day = identity.get(name, _of_stored(merge.stored, name))
        if isinstance(day, dt.date) and day > end:
            row = next((r for r in merge.rows if getattr(r, name) == day), merge.rows[-1])
            merge.problem(row, name, f"a day until {end}, when it was delisted ({day} is later)")


def _statements(merge: _Merge, end: dt.date | None) -> dict[dt.date, dict[str, Value]]:
    statements: dict[dt.date, dict[str, Value]] = {}
    for row in merge.rows:
        facts = {name: getattr(row, name) for name in FACTS if getattr(row, name) is not None}
        if facts:
            statements[row.valid_from] = facts | ({"source": row.source} if row.source else {})
    # an end is a statement of its own day, wherever the file tells it
    for row in merge.rows:
        if end is not None and row.delisted_date == end:
            told = {"source": row.source} if row.source else {}
            statements[end] = {**told, **statements.get(end, {}), "status": "delisted"}
    return statements


def _of_stored(stored: ETFInfo | None, name: str) -> Value | None:
    if stored is None:
        return None
    values: dict[str, Value | None] = {
        "name": stored.name,
        "issuer": stored.issuer,
        "inception_date": _day(stored.inceptionDate),
        "last_price": stored.lastPrice,
        "last_price_date": _day(stored.lastPriceDate),
        "exchange": stored.exchange,
        "currency": stored.currency,
        "asset_class": stored.assetClass,
        "sector": stored.sector,
        "geography": stored.geography,
        "investment_style": stored.investmentStyle,
    }
    return values[name]


def _day(moment: dt.datetime | None) -> dt.date | None:
    return None if moment is None else moment.date()
