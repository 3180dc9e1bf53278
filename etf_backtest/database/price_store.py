"""Prices in the table `market_data`: in through COPY, out as arrays.

Neither goes through the query engine, which is made for rows and not for series. Prices become
binary floating point here, and are rounded here to the scale of their column, half to even.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from etf_backtest.database.decimals import rounded
from etf_backtest.errors import ContradictoryPricesError
from etf_backtest.market.bar import PRICE_FIELDS, Bar

if TYPE_CHECKING:
    import asyncpg

    from etf_backtest.database.url import DatabaseUrl

_PRICE_SCALE = 4
_DIVIDEND_SCALE = 6
_RATIO_SCALE = 12

_STAGING = """
CREATE TEMPORARY TABLE staged_bars (
    symbol text NOT NULL, date date NOT NULL, open numeric, high numeric, low numeric,
    close numeric, adjusted_close numeric, volume bigint, dividend_amount numeric,
    split_ratio numeric
) ON COMMIT DROP
"""

# What the source does not say leaves what is stored; a row that would not change is not written.
_MERGE = """
WITH merged AS (
    INSERT INTO market_data AS stored (symbol, date, open, high, low, close, adjusted_close,
                                       volume, dividend_amount, split_ratio, source)
    SELECT symbol, date, open, high, low, close, adjusted_close, volume, dividend_amount,
           split_ratio, $1
    FROM staged_bars
    ORDER BY symbol, date
    ON CONFLICT (symbol, date) DO UPDATE SET
        open = coalesce(excluded.open, stored.open),
        high = coalesce(excluded.high, stored.high),
        low = coalesce(excluded.low, stored.low),
        close = coalesce(excluded.close, stored.close),
        adjusted_close = coalesce(excluded.adjusted_close, stored.adjusted_close),
        volume = coalesce(excluded.volume, stored.volume),
        dividend_amount = coalesce(excluded.dividend_amount, stored.dividend_amount),
        split_ratio = coalesce(excluded.split_ratio, stored.split_ratio),
        source = excluded.source
    WHERE (coalesce(excluded.open, stored.open), coalesce(excluded.high, stored.high),
           coalesce(excluded.low, stored.low), coalesce(excluded.close, stored.close),
           coalesce(excluded.adjusted_close, stored.adjusted_close),
           coalesce(excluded.volume, stored.volume),
           coalesce(excluded.dividend_amount, stored.dividend_amount),
           coalesce(excluded.split_ratio, stored.split_ratio))
          IS DISTINCT FROM
          (stored.open, stored.high, stored.low, stored.close, stored.adjusted_close,
           stored.volume, stored.dividend_amount, stored.split_ratio)
    RETURNING (xmax = 0) AS inserted
)
SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE NOT inserted) FROM merged
"""

_SERIES = """
SELECT symbol, date, close::float8, adjusted_close::float8, dividend_amount::float8,
       split_ratio::float8, source
FROM market_data
WHERE symbol = ANY($1)
ORDER BY symbol, date
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
class StoreReport:
    """What an import did to the store, in rows."""

    inserted: int
    updated: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """All that is stored of one symbol, oldest first; NaN is "the source does not say".

    Arrays have the shape (sessions of this symbol,) and are read-only: `dates` in datetime64[D],
    the others float64; prices and dividends per share, `split_ratios` in new shares per old share.
    """

    symbol: str
    dates: NDArray[np.datetime64]
    closes: NDArray[np.float64]
    adjusted_closes: NDArray[np.float64]
    dividends: NDArray[np.float64]
    split_ratios: NDArray[np.float64]
    sources: tuple[tuple[dt.date, str], ...]
    """Runs of rows from one source: the date of the first, and the source."""


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


async def store_bars(url: DatabaseUrl, bars: Sequence[Bar], *, source: str) -> StoreReport:
    """Store all of `bars`, or, when anything is wrong with one of them, none.

    Storing the same bars again changes nothing. A field that a bar leaves out keeps its stored
    value.

    Parameters
    ----------
    url : DatabaseUrl
        The database, with all migrations applied.
    bars : sequence of Bar
        Validated, with no (symbol, date) twice.
    source : str
        Written to each row that is inserted or changed, at most 50 characters.

    Raises
    ------
    ContradictoryPricesError
        A row breaks a rule of the table, by itself or together with what is stored; nothing is
        stored.
    """
    from asyncpg import CheckViolationError

    async with _connection(url) as connection:
        try:
            async with connection.transaction():
                await connection.execute(_STAGING)
                await connection.copy_records_to_table(
                    "staged_bars", records=_records(bars), columns=list(Bar._fields)
                )
                row = await connection.fetchrow(_MERGE, source)
        except CheckViolationError as error:
            raise ContradictoryPricesError(
                error.constraint_name or "of market_data", row=_failing_row(error.detail)
            ) from error
    assert row is not None  # noqa: S101  # an aggregate without GROUP BY always has one row
    inserted, updated = row
    return StoreReport(inserted, updated, len(bars) - inserted - updated)


async def load_series(url: DatabaseUrl, symbols: Sequence[str]) -> dict[str, StoredSeries]:
    """Everything that is stored of `symbols`.

    A symbol without prices is missing in the answer.
    """
    async with _connection(url) as connection:
        rows = await connection.fetch(_SERIES, list(symbols))
    by_symbol: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        by_symbol.setdefault(row["symbol"], []).append(row)
    return {symbol: _series(symbol, series) for symbol, series in by_symbol.items()}


async def coverage(url: DatabaseUrl) -> tuple[Coverage, ...]:
    """What is stored, by symbol."""
    async with _connection(url) as connection:
        rows = await connection.fetch(_COVERAGE)
    return tuple(Coverage(**{**row, "sources": tuple(row["sources"])}) for row in rows)


@asynccontextmanager
async def _connection(url: DatabaseUrl) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    import asyncpg  # late: importing it costs more than most commands' own work

    connection = await asyncpg.connect(**url.asyncpg_arguments())
    try:
        yield connection
    finally:
        await connection.close()


def _failing_row(detail: str | None) -> str | None:
    """Symbol, date and prices of PostgreSQL's "Failing row contains (id, symbol, date, ...)"."""
    _, _, row = (detail or "").partition("(")
    values = row.split(", ")
    if len(values) < 8:
        return None
    prices = zip(PRICE_FIELDS, values[3:8], strict=True)
    known = ", ".join(f"{name} {value}" for name, value in prices if value != "null")
    return f"{values[1]}, {values[2]}: {known}"


def _records(bars: Sequence[Bar]) -> Iterator[tuple[object, ...]]:
    """Bars as rows for COPY, rounded half to even to the scale of their column."""
    for bar in bars:
        prices = (_rounded(getattr(bar, field), _PRICE_SCALE) for field in PRICE_FIELDS)
        yield (
            bar.symbol,
            bar.date,
            *prices,
            bar.volume,
            _rounded(bar.dividend_amount, _DIVIDEND_SCALE),
            _rounded(bar.split_ratio, _RATIO_SCALE),
        )


def _rounded(value: Decimal | None, scale: int) -> Decimal | None:
    return None if value is None else rounded(value, scale=scale)


def _series(symbol: str, rows: Sequence[asyncpg.Record]) -> StoredSeries:
    _symbols, dates, *columns, sources = zip(*rows, strict=True)
    days = np.array(dates, dtype="datetime64[D]")
    # None becomes NaN
    closes, adjusted_closes, dividends, splits = (
        np.array(column, dtype=np.float64) for column in columns
    )
    for array in (days, closes, adjusted_closes, dividends, splits):
        array.flags.writeable = False
    runs = (next(run) for _, run in groupby(zip(dates, sources, strict=True), itemgetter(1)))
    return StoredSeries(symbol, days, closes, adjusted_closes, dividends, splits, tuple(runs))
