"""Prices out of the table `market_data`, as arrays, and the state that they were in.

They do not go through the query engine, which is made for rows and not for series: the server puts
a whole symbol into one row, or has done so before (`packed_prices`). Everything that one call reads
is from one snapshot, so that the state it names is the one of its numbers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from etf_backtest.database import packed_prices
from etf_backtest.database.direct import direct_connection
from etf_backtest.database.packed_prices import StoredSeries, unpack
from etf_backtest.database.price_import import StoreReport, open_import
from etf_backtest.frozen_mapping import FrozenMapping
from etf_backtest.market.bars import SCALES, UNKNOWN, Bars

if TYPE_CHECKING:
    from decimal import Decimal

    import asyncpg

    from etf_backtest.database.url import DatabaseUrl
    from etf_backtest.market.bar import Bar

__all__ = [
    "Coverage",
    "DataState",
    "StoreReport",
    "StoredPrices",
    "StoredSeries",
    "SymbolState",
    "coverage",
    "load_series",
    "price_state",
    "store_bars",
]

_NUMBER: Final = "SELECT coalesce(max(number), 0) FROM price_revisions"
_STATES: Final = """
SELECT series.symbol, series.revision, revisions.id
FROM price_series AS series JOIN price_revisions AS revisions ON revisions.number = series.revision
WHERE series.symbol = ANY($1)
"""
# which revision had touched a symbol last when $2 was the newest
_STATES_AS_OF: Final = """
SELECT asked.symbol, touched.revision, revisions.id
FROM unnest($1::text[]) AS asked (symbol)
CROSS JOIN LATERAL (
    SELECT max(revision) AS revision FROM (
        SELECT revision FROM market_data WHERE symbol = asked.symbol AND revision <= $2
        UNION ALL
        SELECT CASE WHEN valid_to <= $2 THEN valid_to ELSE valid_from END FROM market_data_history
        WHERE symbol = asked.symbol AND valid_from <= $2
    ) AS versions
) AS touched
JOIN price_revisions AS revisions ON revisions.number = touched.revision
"""
_PACKED: Final = f"""
SELECT symbol, {", ".join(f"packed.{name}" for name in packed_prices.COLUMNS)}
FROM packed_prices AS packed JOIN price_series AS series USING (symbol, revision)
WHERE symbol = ANY($1) AND layout = {packed_prices.LAYOUT}
"""
_COVERAGE = """
SELECT symbol, min(date) AS first, max(date) AS last, count(*) AS sessions,
       count(close) AS closes, count(adjusted_close) AS adjusted_closes,
       array_agg(DISTINCT source ORDER BY source) AS sources
FROM market_data
GROUP BY symbol
ORDER BY symbol
"""


@dataclass(frozen=True, slots=True)
class SymbolState:
    """What a symbol's prices are: its last revision by number, and the id that no other has."""

    revision: int
    id: str


@dataclass(frozen=True, slots=True)
class DataState:
    """What prices were stored.

    Attributes
    ----------
    number : int
        Of the newest revision, of whatever symbols; 0 where there never was one.
    symbols : mapping of str to SymbolState
        Of the symbols that have had prices.
    """

    number: int
    symbols: Mapping[str, SymbolState]


@dataclass(frozen=True, slots=True)
class StoredPrices:
    """Series by symbol, and the state that they are of; a symbol without prices is missing."""

    series: Mapping[str, StoredSeries]
    state: DataState


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is stored of one symbol."""

    symbol: str
    first: dt.date
    last: dt.date
    sessions: int
    closes: int
    adjusted_closes: int
    sources: tuple[str, ...]


async def load_series(
    url: DatabaseUrl, symbols: Sequence[str], *, as_of: int | None = None
) -> StoredPrices:
    """Everything that is stored of `symbols`, or was when revision `as_of` was the newest.

    A symbol without prices is missing in the answer.
    """
    names = list(dict.fromkeys(symbols))
    async with (
        direct_connection(url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        state, changed = await _state(connection, names, as_of)
        current = [symbol for symbol in names if symbol not in changed]
        rows = await connection.fetch(_PACKED, current)
        packed = {row["symbol"] for row in rows}
        live = [name for name in current if name in state.symbols and name not in packed]
        if live or changed:
            # compiling the query takes ten times as long as running it for one symbol
            await connection.execute("SET LOCAL jit = off")
        if live:
            rows += await connection.fetch(packed_prices.LIVE, live)
        if changed:
            rows += await connection.fetch(packed_prices.AS_OF, changed, as_of)
    found = {row["symbol"]: unpack(row) for row in rows}
    return StoredPrices({name: found[name] for name in names if name in found}, state)


async def price_state(
    url: DatabaseUrl, symbols: Sequence[str], *, as_of: int | None = None
) -> DataState:
    """The state that `load_series` would read now."""
    async with (
        direct_connection(url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        state, _changed = await _state(connection, list(dict.fromkeys(symbols)), as_of)
    return state


async def _state(
    connection: asyncpg.Connection[asyncpg.Record], symbols: Sequence[str], as_of: int | None
) -> tuple[DataState, list[str]]:
    """The state of symbols, and which of them have changed since it."""
    number: int = await connection.fetchval(_NUMBER)
    found = list(await connection.fetch(_STATES, symbols))
    changed: list[str] = []
    if as_of is not None:
        number = min(number, as_of)
        changed = [row["symbol"] for row in found if row["revision"] > as_of]
        if changed:
            found = [row for row in found if row["revision"] <= as_of]
            found += await connection.fetch(_STATES_AS_OF, changed, as_of)
    states = {row["symbol"]: SymbolState(row["revision"], str(row["id"])) for row in found}
    ordered = {symbol: states[symbol] for symbol in symbols if symbol in states}
    return DataState(number, FrozenMapping(ordered)), changed


async def coverage(url: DatabaseUrl) -> tuple[Coverage, ...]:
    """What is stored, by symbol."""
    async with direct_connection(url) as connection:
        rows = await connection.fetch(_COVERAGE)
    return tuple(Coverage(**{**row, "sources": tuple(row["sources"])}) for row in rows)


async def store_bars(
    url: DatabaseUrl, bars: Sequence[Bar], *, source: str, split_adjusted: bool | None = False
) -> StoreReport:
    """Store all of `bars`, or, when anything is wrong with one of them, none; see `open_import`."""
    symbols = list(dict.fromkeys(bar.symbol for bar in bars))
    codes = {symbol: code for code, symbol in enumerate(symbols)}
    columns = {
        field: np.array([_whole(getattr(bar, field), scale) for bar in bars], dtype=np.int64)
        for field, scale in SCALES.items()
    }
    async with open_import(url, source=source, split_adjusted=split_adjusted) as store:
        await store.add(
            Bars.from_columns(
                symbols,
                np.array([codes[bar.symbol] for bar in bars], dtype=np.int32),
                np.array([bar.date for bar in bars], dtype="datetime64[D]"),
                **columns,
            )
        )
        return await store.finish()


def _whole(value: Decimal | int | None, scale: int) -> int:
    from etf_backtest.database.decimals import rounded

    if value is None:
        return UNKNOWN
    return value if isinstance(value, int) else int(rounded(value, scale=scale).scaleb(scale))
