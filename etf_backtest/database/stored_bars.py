"""Stored rows as they are, to the last place: for exports and checks."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from etf_backtest.database.direct import direct_connection
from etf_backtest.market.bars import SCALES, UNKNOWN, Bars
from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.typing import FloatArray

if TYPE_CHECKING:
    import asyncpg

    from etf_backtest.database.url import DatabaseUrl

EPOCH = np.datetime64("2000-01-01")
"""PostgreSQL counts days from here."""

_NOW = "market_data"
_THEN = """(
    SELECT * FROM (
        SELECT symbol, date, open, high, low, close, adjusted_close, volume, dividend_amount,
               split_ratio, split_adjusted, source
        FROM market_data WHERE symbol = ANY($1) AND revision <= $4
        UNION ALL
        SELECT symbol, date, open, high, low, close, adjusted_close, volume, dividend_amount,
               split_ratio, split_adjusted, source
        FROM market_data_history
        WHERE symbol = ANY($1) AND valid_from <= $4 AND valid_to > $4
    ) AS versions
)"""
_COLUMNS = ",\n    ".join(
    f"string_agg(int8send(coalesce(({field} * 1e{scale})::int8, {UNKNOWN + 1} - 1)),"
    f" ''::bytea ORDER BY date) AS {field}"
    for field, scale in SCALES.items()
)
_ROWS = """
SELECT symbol,
    string_agg(date_send(date), ''::bytea ORDER BY date) AS dates,
    string_agg(CASE WHEN split_adjusted THEN 't' WHEN NOT split_adjusted THEN 'f' ELSE '?' END,
               '' ORDER BY date) AS split_adjusted,
    {columns}
FROM {rows} AS stored
WHERE symbol = ANY($1) AND date BETWEEN $2 AND $3
GROUP BY symbol
ORDER BY symbol
"""


@dataclass(frozen=True, slots=True, eq=False)
class StoredBars(FrozenArrays):
    """All stored rows of one symbol, oldest first.

    Attributes
    ----------
    bars : Bars
    split_adjusted : ndarray of float64, shape (rows,)
        Whether the close is divided by later splits: 1, or 0 as traded, or NaN where not said.
    """

    bars: Bars
    split_adjusted: FloatArray

    @property
    def said(self) -> frozenset[bool | None]:
        """What stands in `split_adjusted`, each once."""
        flags = np.unique(self.split_adjusted[~np.isnan(self.split_adjusted)])
        unsaid = {None} if np.isnan(self.split_adjusted).any() else set()
        return frozenset({bool(flag) for flag in flags} | unsaid)


async def stored_bars(
    url: DatabaseUrl,
    symbols: Sequence[str],
    *,
    start: dt.date | None = None,
    end: dt.date | None = None,
    as_of: int | None = None,
) -> AsyncGenerator[StoredBars]:
    """Yield the rows of each symbol that has any, by symbol, all from one snapshot.

    Parameters
    ----------
    symbols : sequence of str
    start, end : date, optional
        The first and the last day to have.
    as_of : int, optional
        The number of a price revision: rows as they were stored in that state.
    """
    sql = _ROWS.format(columns=_COLUMNS, rows=_NOW if as_of is None else _THEN)
    arguments = [list(symbols), start or dt.date.min, end or dt.date.max]
    if as_of is not None:
        arguments.append(as_of)
    async with direct_connection(url) as connection, connection.transaction(readonly=True):
        # a few symbols at once: no more than these are in memory
        async for row in connection.cursor(sql, *arguments, prefetch=4):
            yield _bars(row)


def _bars(row: asyncpg.Record) -> StoredBars:
    dates = EPOCH + np.frombuffer(row["dates"], ">i4").astype("timedelta64[D]")
    numbers = {field: np.frombuffer(row[field], ">i8").astype(np.int64) for field in SCALES}
    flags = np.frombuffer(row["split_adjusted"].encode("ascii"), np.uint8)
    said = np.select([flags == ord("t"), flags == ord("f")], [1.0, 0.0], np.nan)
    codes = np.zeros(dates.size, np.int32)
    return StoredBars(Bars.from_columns((row["symbol"],), codes, dates, **numbers), said)
