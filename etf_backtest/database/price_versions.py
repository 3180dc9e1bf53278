"""The SQL of what stored prices were: versions of rows, beside those that they replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from etf_backtest.market.bars import SCALES

FIELDS: Final = (*SCALES, "split_adjusted")
"""What a row says about a session, beside where it says so."""
USED: Final = ("close", "adjusted_close", "dividend_amount", "split_ratio", "split_adjusted")
"""What total returns are made of, and so a backtest."""

_COLUMNS = ", ".join(FIELDS)
_VERSIONS = f"""
    SELECT symbol, date, source, {_COLUMNS}, revision AS valid_from, NULL::bigint AS valid_to
    FROM market_data WHERE symbol = ANY($1)
    UNION ALL
    SELECT symbol, date, source, {_COLUMNS}, valid_from, valid_to
    FROM market_data_history WHERE symbol = ANY($1)
"""


def _row(alias: str, names: Sequence[str]) -> str:
    return f"({', '.join(f'{alias}.{name}' for name in names)})"


def _pair(names: Sequence[str]) -> str:
    return ", ".join(f"o.{name} AS old_{name}, n.{name} AS new_{name}" for name in names)


# Each version beside the one that it replaced. Two that say the same are no change: a row may have
# got another id, or have been changed and changed back by one transaction.
_CHANGES = f"""
versions AS ({_VERSIONS}),
changes AS (
    SELECT coalesce(n.symbol, o.symbol) AS symbol, coalesce(n.date, o.date) AS date,
           coalesce(n.valid_from, o.valid_to) AS number,
           n.symbol IS NOT NULL AS is_new, o.symbol IS NOT NULL AS was_old,
           {_pair((*FIELDS, "source"))}
    FROM versions AS n
    FULL JOIN (SELECT * FROM versions WHERE valid_to IS NOT NULL) AS o
        ON o.symbol = n.symbol AND o.date = n.date AND o.valid_to = n.valid_from
    WHERE n.symbol IS NULL OR o.symbol IS NULL
        OR {_row("n", (*FIELDS, "source"))} IS DISTINCT FROM {_row("o", (*FIELDS, "source"))}
)
"""
_ON_DATE = "WHERE ($2::date IS NULL OR date = $2)"
REVISIONS: Final = f"""
WITH {_CHANGES}
SELECT r.number, r.id::text, r.known_at, r.source, r.provider, r.split_adjusted, r.details::text,
       c.added, c.changed, c.removed
FROM (
    SELECT number, count(*) FILTER (WHERE is_new AND NOT was_old) AS added,
           count(*) FILTER (WHERE is_new AND was_old) AS changed,
           count(*) FILTER (WHERE NOT is_new) AS removed
    FROM changes {_ON_DATE} GROUP BY number
) AS c JOIN price_revisions AS r USING (number)
ORDER BY r.number DESC LIMIT $3
"""
CHANGES: Final = f"""
WITH {_CHANGES}
SELECT c.*, r.known_at, r.source AS revision_source
FROM changes AS c JOIN price_revisions AS r USING (number)
{_ON_DATE} AND ($3::bigint IS NULL OR number = $3)
    AND (was_old OR $2::date IS NOT NULL)
ORDER BY number DESC, date DESC LIMIT $4
"""
# What is not the same in two states, whatever happened in between, and what did it last.
# Versions that stood in both are the same on both sides and left out from the beginning.
_BETWEEN = f"""
WITH versions AS (
    SELECT * FROM ({_VERSIONS}) AS every
    WHERE valid_from <= $3 AND coalesce(valid_to > $2, true)
      AND (valid_from > $2 OR valid_to <= $3)
),
old AS (SELECT * FROM versions WHERE valid_from <= $2 AND coalesce(valid_to > $2, true)),
new AS (SELECT * FROM versions WHERE valid_from <= $3 AND coalesce(valid_to > $3, true)),
-- a row that is gone, and did not come back: by what ended its last version
ended AS (
    SELECT symbol, date, max(valid_to) AS number FROM versions WHERE valid_to <= $3
    GROUP BY symbol, date
),
changes AS (
    SELECT coalesce(n.symbol, o.symbol) AS symbol, coalesce(n.date, o.date) AS date,
           coalesce(n.valid_from, ended.number) AS number,
           n.symbol IS NOT NULL AS is_new, o.symbol IS NOT NULL AS was_old,
           {_pair((*FIELDS, "source"))}
    FROM new AS n FULL JOIN old AS o ON o.symbol = n.symbol AND o.date = n.date
    LEFT JOIN ended ON ended.symbol = o.symbol AND ended.date = o.date
    WHERE (n.symbol IS NULL OR o.symbol IS NULL
           OR {_row("n", USED)} IS DISTINCT FROM {_row("o", USED)})
      AND coalesce(n.date, o.date) BETWEEN coalesce($4, '-infinity'::date)
                                       AND coalesce($5, 'infinity'::date)
)
"""
DIFFERENT: Final = f"""
{_BETWEEN}
SELECT c.*, r.known_at, r.source AS revision_source
FROM changes AS c JOIN price_revisions AS r USING (number)
ORDER BY date, symbol LIMIT $6
"""
COUNTS: Final = f"""
{_BETWEEN}
SELECT symbol, count(*) AS sessions FROM changes GROUP BY symbol
"""
AS_OF: Final = f"""
WITH versions AS ({_VERSIONS})
SELECT symbol, count(*) AS sessions, min(date) AS first, max(date) AS last,
       (array_agg(close ORDER BY date DESC))[1] AS last_close,
       (array_agg(adjusted_close ORDER BY date DESC))[1] AS last_adjusted_close,
       max(valid_from) AS revision
FROM versions WHERE valid_from <= $2 AND coalesce(valid_to > $2, true)
GROUP BY symbol ORDER BY symbol
"""
SYMBOLS: Final = """
SELECT symbol FROM price_series
UNION SELECT symbol FROM market_data_history WHERE valid_from <= $1 AND $1 < valid_to
ORDER BY symbol
"""
KNOWN: Final = "SELECT number, known_at FROM price_revisions"
