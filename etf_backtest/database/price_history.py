"""What stored prices were before: revisions, the changes they made, and states of the past.

State n is what was stored when revision n was the newest: the rows of `market_data` whose revision
is at most n, and those of `market_data_history` with valid_from <= n < valid_to.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, LiteralString, TypeAlias

from etf_backtest.database.direct import direct_connection
from etf_backtest.database.price_versions import (
    AS_OF,
    CHANGES,
    COUNTS,
    DIFFERENT,
    FIELDS,
    KNOWN,
    REVISIONS,
    SYMBOLS,
)
from etf_backtest.typing import JsonObject

if TYPE_CHECKING:
    import asyncpg

    from etf_backtest.database.url import DatabaseUrl

Value: TypeAlias = Decimal | int | bool | None


@dataclass(frozen=True, slots=True)
class Revision:
    """One transaction that changed prices, and what it did to one symbol.

    Attributes
    ----------
    number : int
    id : str
    known_at : datetime
        When its last statement had written.
    source, provider : str or None
        What the import said of itself; None where somebody wrote without one.
    split_adjusted : bool or None
    details : dict
        Files and options of the import.
    added, changed, removed : int
        Sessions of the symbol.
    """

    number: int
    id: str
    known_at: dt.datetime
    source: str | None
    provider: str | None
    split_adjusted: bool | None
    details: JsonObject
    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a session's prices.

    Attributes
    ----------
    symbol : str
    date : date
    number : int
        Of the revision that did it.
    known_at : datetime
    was, became : mapping of str to value, or None
        By the names of `FIELDS`, where the two differ; None where nothing was (is) stored.
    was_source, source : str or None
        Of the row; of a row that was removed, `source` is that of the revision.
    """

    symbol: str
    date: dt.date
    number: int
    known_at: dt.datetime
    was: Mapping[str, Value] | None
    became: Mapping[str, Value] | None
    was_source: str | None
    source: str | None

    def fields(self) -> Iterator[tuple[str, Value, Value]]:
        """Yield name, old and new value of what differs and is said on one side."""
        for name in FIELDS:
            old, new = (
                None if side is None else side.get(name) for side in (self.was, self.became)
            )
            if old != new:
                yield name, old, new

    def to_dict(self) -> JsonObject:
        """The change, ready for JSON: decimals as strings, so that no digit is lost."""
        return {
            "symbol": self.symbol,
            "date": self.date.isoformat(),
            "revision": self.number,
            "known_at": self.known_at.isoformat(),
            "was": _as_json(self.was),
            "became": _as_json(self.became),
            "was_source": self.was_source,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class StoredThen:
    """What was stored of a symbol in a state."""

    symbol: str
    sessions: int
    first: dt.date
    last: dt.date
    last_close: Decimal | None
    last_adjusted_close: Decimal | None
    revision: int
    """The last that had touched it."""


@dataclass(frozen=True, slots=True)
class KnownState:
    """A state of the past: the number of its newest revision, 0 before the first, and its time."""

    number: int
    known_at: dt.datetime | None


async def revisions_of(
    url: DatabaseUrl, symbol: str, *, date: dt.date | None = None, limit: int | None = None
) -> tuple[Revision, ...]:
    """The revisions that changed something of a symbol, newest first; of one session if given."""
    async with direct_connection(url) as connection:
        rows = await connection.fetch(REVISIONS, [symbol], date, limit)
    return tuple(Revision(**{**row, "details": json.loads(row["details"])}) for row in rows)


async def changes_of(
    url: DatabaseUrl,
    symbol: str,
    *,
    date: dt.date | None = None,
    number: int | None = None,
    limit: int | None = None,
) -> tuple[Change, ...]:
    """Every change of a symbol's sessions, newest first; of one session or revision if given.

    That a row was added is told for one session only: all of them were, once.
    """
    async with direct_connection(url) as connection:
        rows = await connection.fetch(CHANGES, [symbol], date, number, limit)
    return tuple(_change(row) for row in rows)


async def changes_between(
    url: DatabaseUrl,
    symbols: Sequence[str],
    old: int,
    new: int,
    *,
    start: dt.date | None = None,
    end: dt.date | None = None,
    limit: int | None = None,
) -> tuple[dict[str, int], tuple[Change, ...]]:
    """The sessions whose prices are not the same in two states, in what returns are made of.

    Parameters
    ----------
    old, new : int
        Numbers of states; what a row was in the first, and what it is in the second.
    start, end : date, optional
        Of the sessions.
    limit : int, optional
        Of the changes that are listed, those of the earliest sessions.

    Returns
    -------
    dict of str to int
        How many sessions of each symbol; symbols without any are left out.
    tuple of Change
        By date and symbol. Revision and time are of what made the session as it is in `new`.
    """
    if new < old:
        counts, changes = await changes_between(
            url, symbols, new, old, start=start, end=end, limit=limit
        )
        return counts, tuple(_reversed(change) for change in changes)
    async with direct_connection(url) as connection:
        asked = (list(symbols), old, new, start, end)
        found = await connection.fetch(COUNTS, *asked)
        rows = await connection.fetch(DIFFERENT, *asked, limit)
    counts = {row["symbol"]: row["sessions"] for row in found}
    ordered = {each: counts[each] for each in symbols if each in counts}
    return ordered, tuple(_change(row) for row in rows)


async def stored_then(
    url: DatabaseUrl, number: int, symbols: Sequence[str] | None = None
) -> tuple[StoredThen, ...]:
    """What was stored in a state, by symbol; of all symbols where none are given."""
    async with (
        direct_connection(url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        if symbols is None:
            symbols = [row["symbol"] for row in await connection.fetch(SYMBOLS, number)]
        rows = await connection.fetch(AS_OF, list(symbols), number)
    return tuple(StoredThen(**row) for row in rows)


async def state_at(url: DatabaseUrl, moment: dt.datetime) -> KnownState:
    """The state that was stored at a moment."""
    return await _newest(url, "WHERE known_at <= $1", moment)


async def state_before(url: DatabaseUrl, number: int) -> KnownState:
    """The state that a number means: that of the newest revision up to it."""
    return await _newest(url, "WHERE number <= $1", number)


async def first_revision(url: DatabaseUrl) -> KnownState:
    """The oldest revision; number 0 where there is none."""
    async with direct_connection(url) as connection:
        row = await connection.fetchrow(f"{KNOWN} ORDER BY number LIMIT 1")
    return KnownState(0, None) if row is None else KnownState(*row)


async def _newest(url: DatabaseUrl, condition: LiteralString, value: object) -> KnownState:
    async with direct_connection(url) as connection:
        row = await connection.fetchrow(f"{KNOWN} {condition} ORDER BY number DESC LIMIT 1", value)
    return KnownState(0, None) if row is None else KnownState(*row)


def _change(row: asyncpg.Record) -> Change:
    both = row["was_old"] and row["is_new"]
    differ = [name for name in FIELDS if not both or row[f"old_{name}"] != row[f"new_{name}"]]
    return Change(
        row["symbol"],
        row["date"],
        row["number"],
        row["known_at"],
        {name: row[f"old_{name}"] for name in differ} if row["was_old"] else None,
        {name: row[f"new_{name}"] for name in differ} if row["is_new"] else None,
        row["old_source"],
        row["new_source"] if row["is_new"] else row["revision_source"],
    )


def _reversed(change: Change) -> Change:
    return Change(
        change.symbol,
        change.date,
        change.number,
        change.known_at,
        change.became,
        change.was,
        change.source,
        change.was_source,
    )


def _as_json(values: Mapping[str, Value] | None) -> JsonObject | None:
    if values is None:
        return None
    return {
        name: str(value) if isinstance(value, Decimal) else value for name, value in values.items()
    }
