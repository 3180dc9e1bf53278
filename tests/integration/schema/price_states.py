"""What prices were in a state, read from the tables as their definition says."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Final, TypeAlias

from tests.integration.schema.rows import Connection

State: TypeAlias = "dict[tuple[str, dt.date], tuple[Decimal | None, str]]"
"""Close and source by symbol and date."""

DAY: Final = dt.date(2024, 1, 2)
NEXT: Final = dt.date(2024, 1, 3)
LATER: Final = dt.date(2024, 1, 4)

_STATE: Final = """
SELECT symbol, date, close, source FROM market_data WHERE revision <= $1
UNION ALL
SELECT symbol, date, close, source FROM market_data_history
WHERE valid_from <= $1 AND $1 < valid_to
"""


async def state(connection: Connection, number: int) -> State:
    """State `number`; no session may be in it twice."""
    rows = await connection.fetch(_STATE, number)
    found = {(row["symbol"], row["date"]): (row["close"], row["source"]) for row in rows}
    assert len(found) == len(rows)
    return found


async def stored(connection: Connection) -> State:
    """What is stored now."""
    rows = await connection.fetch("SELECT symbol, date, close, source FROM market_data")
    return {(row["symbol"], row["date"]): (row["close"], row["source"]) for row in rows}


async def latest(connection: Connection) -> int:
    """The number of the state that is stored now; 0 where nothing ever was."""
    number: int = await connection.fetchval("SELECT coalesce(max(number), 0) FROM price_revisions")
    return number


async def kept(connection: Connection) -> int:
    """How many versions there are that are stored no more."""
    number: int = await connection.fetchval("SELECT count(*) FROM market_data_history")
    return number


async def last_touched(connection: Connection) -> dict[str, int]:
    """The last revision of each symbol."""
    rows = await connection.fetch("SELECT symbol, revision FROM price_series")
    return {row["symbol"]: row["revision"] for row in rows}


def row(symbol: str, date: dt.date, close: str, source: str = "test") -> State:
    """A state of one row."""
    return {(symbol, date): (Decimal(close), source)}
