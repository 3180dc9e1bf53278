"""Whole series in binary: how the server puts them together, and what they mean here.

The same columns come from the rows of `market_data` (live) and from the table `packed_prices`,
where an import leaves them for everybody who reads later. Layout 1:

- dates: days since 2000-01-01, 4 bytes each; closes and adjusted closes: IEEE doubles, 8 bytes
  each, NaN where the source does not say; the most significant byte first;
- dividends and split ratios: a date and a double, 12 bytes, for each session whose dividend is not
  0 (whose ratio is not 1), with NaN where it is not known. Where it is known of no session this is
  said once, with the lowest of dates.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from etf_backtest.typing import DateArray, FloatArray

if TYPE_CHECKING:
    import asyncpg

LAYOUT: Final = 1
COLUMNS: Final = (
    *("sessions", "dates", "closes", "adjusted_closes", "dividends", "splits"),
    *("split_adjusted", "sources"),
)

_EPOCH = np.datetime64("2000-01-01", "D")
_NEVER = np.iinfo(np.int32).min
_SPARSE = np.dtype([("day", ">i4"), ("value", ">f8")])
_FLAGS: Mapping[str, bool | None] = {"f": False, "t": True, "?": None}


def _doubles(column: str) -> str:
    return f"string_agg(float8send(coalesce({column}::float8, 'NaN')), ''::bytea ORDER BY date)"


def _sparse(column: str, usual: int) -> str:
    return f"""CASE WHEN count({column}) = 0 THEN '\\x800000007ff8000000000000'::bytea
         ELSE coalesce(string_agg(date_send(date) || float8send(coalesce({column}::float8, 'NaN')),
                                  ''::bytea ORDER BY date)
                       FILTER (WHERE {column} IS DISTINCT FROM {usual}), ''::bytea) END"""


# One row a symbol. {rows} and {chosen} are a table or query, and a condition for its rows.
_SERIES = f"""
SELECT symbol, count(*)::integer AS sessions,
    string_agg(date_send(date), ''::bytea ORDER BY date) AS dates,
    {_doubles("close")} AS closes,
    {_doubles("adjusted_close")} AS adjusted_closes,
    {_sparse("dividend_amount", 0)} AS dividends,
    {_sparse("split_ratio", 1)} AS splits,
    concat(CASE WHEN bool_or(NOT split_adjusted) FILTER (WHERE close IS NOT NULL) THEN 'f' END,
           CASE WHEN bool_or(split_adjusted) FILTER (WHERE close IS NOT NULL) THEN 't' END,
           CASE WHEN bool_or(split_adjusted IS NULL) FILTER (WHERE close IS NOT NULL) THEN '?' END
    ) AS split_adjusted,
    CASE WHEN min(source COLLATE "C") = max(source COLLATE "C")
         THEN jsonb_build_array(jsonb_build_array(min(date), min(source COLLATE "C")))
         ELSE (
            SELECT jsonb_agg(jsonb_build_array(date, source) ORDER BY date) FROM (
                SELECT inner_rows.date, inner_rows.source,
                       lag(inner_rows.source) OVER (ORDER BY inner_rows.date) AS before
                FROM {{rows}} AS inner_rows
                WHERE inner_rows.symbol = stored.symbol
            ) AS runs
            WHERE before IS DISTINCT FROM source)
    END AS sources
FROM {{rows}} AS stored
WHERE stored.symbol = ANY($1)
GROUP BY symbol
"""

LIVE: Final = _SERIES.format(rows="market_data")
AS_OF: Final = _SERIES.format(
    rows="""(
    SELECT symbol, date, close, adjusted_close, dividend_amount, split_ratio, split_adjusted, source
    FROM market_data WHERE symbol = ANY($1) AND revision <= $2
    UNION ALL
    SELECT symbol, date, close, adjusted_close, dividend_amount, split_ratio, split_adjusted, source
    FROM market_data_history WHERE symbol = ANY($1) AND valid_from <= $2 AND valid_to > $2
)"""
)
_ASSIGNED = ", ".join(f"{name} = excluded.{name}" for name in ("revision", "layout", *COLUMNS))
PACK: Final = f"""
INSERT INTO packed_prices (symbol, revision, layout, {", ".join(COLUMNS)})
SELECT symbol, touched.revision, {LAYOUT}, {", ".join(f"series.{name}" for name in COLUMNS)}
FROM ({LIVE}) AS series JOIN price_series AS touched USING (symbol)
ON CONFLICT (symbol) DO UPDATE SET {_ASSIGNED}
"""


@dataclass(frozen=True, slots=True, eq=False)
class StoredSeries:
    """All that is stored of one symbol, oldest first; NaN is "the source does not say".

    Arrays have the shape (sessions of this symbol,) and are read-only: `dates` in datetime64[D],
    the others float64; prices and dividends per share, `split_ratios` in new shares per old share.
    """

    symbol: str
    dates: DateArray
    closes: FloatArray
    adjusted_closes: FloatArray
    dividends: FloatArray
    split_ratios: FloatArray
    sources: tuple[tuple[dt.date, str], ...]
    """Runs of rows from one source: the date of the first, and the source."""
    split_adjusted: frozenset[bool | None] = frozenset()
    """What the rows with a close say: divided by later splits, or not; None is not said."""


def unpack(row: asyncpg.Record | Mapping[str, Any]) -> StoredSeries:
    """The series of a row with `symbol` and `COLUMNS`."""
    days = np.frombuffer(row["dates"], ">i4").astype(np.int64)
    dates = _EPOCH + days.astype("timedelta64[D]")
    closes = np.frombuffer(row["closes"], ">f8").astype(np.float64)
    adjusted = np.frombuffer(row["adjusted_closes"], ">f8").astype(np.float64)
    dividends = _dense(row["dividends"], days, 0.0)
    splits = _dense(row["splits"], days, 1.0)
    for array in (dates, closes, adjusted, dividends, splits):
        array.flags.writeable = False
    sources: Sequence[tuple[str, str]] = json.loads(row["sources"])
    return StoredSeries(
        row["symbol"],
        dates,
        closes,
        adjusted,
        dividends,
        splits,
        tuple((dt.date.fromisoformat(date), source) for date, source in sources),
        frozenset(_FLAGS[flag] for flag in row["split_adjusted"]),
    )


def _dense(sparse: bytes, days: NDArray[np.int64], usual: float) -> FloatArray:
    values = np.full(days.size, usual)
    told = np.frombuffer(sparse, _SPARSE)
    if told.size == 1 and told["day"][0] == _NEVER:
        values[:] = np.nan
    elif told.size:
        values[np.searchsorted(days, told["day"].astype(np.int64))] = told["value"]
    return values
