"""Staged prices into `market_data`: what is new is inserted, what differs updated, nothing else.

Everything here is one transaction, under the lock that every writer of prices takes. So what one
statement has seen the next one finds, and no row has to be tried twice.
"""

from __future__ import annotations

from typing import Final

from etf_backtest.market.bars import SCALES

STAGING: Final = """
CREATE TEMPORARY TABLE staged_prices (
    id uuid, origin integer, symbol varchar(20), date date, open numeric(10,4),
    high numeric(10,4), low numeric(10,4), close numeric(10,4), adjusted_close numeric(10,4),
    volume bigint, dividend_amount numeric(12,6), split_ratio numeric(18,12)
) ON COMMIT DROP;
CREATE TEMPORARY TABLE staged_origins (
    origin integer, source varchar(50), split_adjusted boolean
) ON COMMIT DROP
"""

# what sorts and hash joins of a million rows may take; by default it is a few megabytes
MEMORY: Final = "SELECT set_config('work_mem', '64MB', true)"

# the same lock as the trigger market_data_begin_revision takes
LOCK: Final = """
SELECT pg_advisory_xact_lock((8317987::bigint << 32) | 'market_data'::regclass::oid::bigint)
"""
LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', $1, true)"
HOLDER: Final = """
SELECT activity.pid, activity.usename, activity.application_name, activity.xact_start
FROM pg_locks AS locks JOIN pg_stat_activity AS activity USING (pid)
WHERE locks.locktype = 'advisory' AND locks.granted AND locks.classid = 8317987
  AND locks.objid = 'market_data'::regclass AND locks.objsubid = 1
  AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

TWICE: Final = """
SELECT symbol, date FROM staged_prices GROUP BY symbol, date HAVING count(*) > 1 LIMIT 1
"""

STORED_SYMBOLS: Final = """
SELECT coalesce(array_agg(symbol), '{}') FROM unnest($1::text[]) AS asked (symbol)
WHERE EXISTS (SELECT FROM market_data AS stored WHERE stored.symbol = asked.symbol)
"""

_FIELDS = ", ".join(SCALES)
_INSERT = f"""
INSERT INTO market_data (id, symbol, date, {_FIELDS}, source, split_adjusted)
SELECT id, symbol, date, {_FIELDS}, source, split_adjusted
"""
INSERT_ALL: Final = _INSERT + "FROM staged_prices JOIN staged_origins USING (origin)"
IN_ORDER: Final = " ORDER BY symbol, date"

# What the source does not say leaves what is stored. Whether a close is adjusted for splits goes
# with the close; a source that does not say it leaves it where its close is the stored one.
_MERGED = ",\n    ".join(f"coalesce(staged.{field}, stored.{field}) AS {field}" for field in SCALES)
_SPLIT_ADJUSTED = """CASE WHEN staged.close IS NULL AND stored.id IS NOT NULL
             OR origins.split_adjusted IS NULL AND staged.close = stored.close
         THEN stored.split_adjusted ELSE origins.split_adjusted END"""
_SAID = ", ".join(f"coalesce(staged.{field}, stored.{field})" for field in SCALES)
_STORED = ", ".join(f"stored.{field}" for field in SCALES)
MERGE: Final = f"""
CREATE TEMPORARY TABLE merged_prices ON COMMIT DROP AS
SELECT staged.id, stored.tableoid AS stored_in, stored.ctid AS stored, staged.symbol, staged.date,
    {_MERGED},
    {_SPLIT_ADJUSTED} AS split_adjusted, origins.source
FROM staged_prices AS staged JOIN staged_origins AS origins USING (origin)
LEFT JOIN market_data AS stored
    ON stored.symbol = staged.symbol AND stored.date = staged.date
    AND stored.symbol = ANY($1) AND stored.date BETWEEN $2 AND $3
WHERE stored.id IS NULL
   OR ({_SAID}, {_SPLIT_ADJUSTED})
      IS DISTINCT FROM ({_STORED}, stored.split_adjusted)
"""

# The planner knows nothing of temporary tables and of those that triggers see: never row by row.
MANY: Final = 10_000
NO_LOOPS: Final = "SELECT set_config('enable_nestloop', 'off', true)"

COUNT_MERGED: Final = "SELECT count(*) - count(stored), count(stored) FROM merged_prices"
INSERT_NEW: Final = _INSERT + "FROM merged_prices WHERE stored IS NULL" + IN_ORDER
_SET = ", ".join(f"{field} = merged.{field}" for field in (*SCALES, "split_adjusted", "source"))
# each partition of a table that has partitions counts its places from 0
UPDATE: Final = f"""
UPDATE market_data AS stored SET {_SET} FROM merged_prices AS merged
WHERE stored.ctid = merged.stored AND stored.tableoid = merged.stored_in
"""

# Of the rules of the table only these can be broken by two sides that keep them.
REMOVE_CONTRADICTORY: Final = """
DELETE FROM merged_prices
WHERE stored IS NOT NULL
  AND (low > open OR low > high OR low > close OR high < open OR high < close)
RETURNING symbol, date, open::text, high::text, low::text, close::text
"""

COMPLETE_REVISION: Final = """
UPDATE price_revisions SET source = $1, provider = $2, split_adjusted = $3, details = $4
WHERE number = current_price_revision()
RETURNING number
"""
TOUCHED: Final = """
SELECT coalesce(array_agg(symbol), '{}') FROM price_series
WHERE revision = current_price_revision()
"""
