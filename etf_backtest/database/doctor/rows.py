"""Whether the rows obey the rules.

Constraints can be got past (session_replication_role, a disabled trigger), and then PostgreSQL
itself never looks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from etf_backtest.database.doctor.finding import Finding

if TYPE_CHECKING:
    from etf_backtest.database.doctor.finding import Connection

# each statement is put together by the server, which quotes what is a name
_CHECKS: Final = """
SELECT k.conrelid::regclass::text AS table, array_agg(k.conname::text ORDER BY k.conname) AS names,
       format('SELECT ARRAY[%s] FROM ONLY %s',
              string_agg(format('count(*) FILTER (WHERE NOT %s)', pg_get_expr(conbin, conrelid)),
                         ', ' ORDER BY k.conname),
              k.conrelid::regclass) AS statement
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY($1) AND k.contype = 'c' AND c.relkind = 'r'
GROUP BY k.conrelid ORDER BY 1
"""
_KEYS: Final = """
SELECT k.conrelid::regclass::text AS table, k.conname AS name,
       format('SELECT count(*) FROM ONLY %s r WHERE %s AND NOT EXISTS (SELECT FROM %s o WHERE %s)',
              k.conrelid::regclass,
              string_agg(format('r.%I IS NOT NULL', a.attname), ' AND '),
              k.confrelid::regclass,
              string_agg(format('o.%I = r.%I', b.attname, a.attname), ' AND ')) AS statement
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN unnest(k.conkey, k.confkey) AS u(here, there)
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.here
JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.there
WHERE n.nspname = ANY($1) AND k.contype = 'f' AND c.relkind = 'r'
GROUP BY k.oid, k.conrelid, k.conname, k.confrelid ORDER BY 1, 2
"""
_SEQUENCES: Final = """
SELECT d.objid::regclass::text AS sequence,
       format('SELECT coalesce((SELECT max(%I) FROM %s), 0) - s.last_value FROM %s s',
              a.attname, d.refobjid::regclass, d.objid::regclass) AS statement
FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_namespace n ON n.oid = s.relnamespace
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
  AND d.deptype IN ('a', 'i') AND n.nspname = ANY($1)
ORDER BY 1
"""
_SUMS: Final = """
SELECT format('SELECT count(*) FROM (SELECT FROM %I.portfolio_holdings GROUP BY portfolio_id'
              ' HAVING sum(allocation) > 1) p', $1::text)
"""


async def check_rows(connection: Connection, schemas: list[str]) -> list[Finding]:
    """Every CHECK and foreign key, asked of every row; the sum of a portfolio's allocations."""
    findings, asked = [], 0
    for table, names, statement in await connection.fetch(_CHECKS, schemas):
        counts = await connection.fetchval(statement)
        asked += len(names)
        findings += [
            _broken(table, name, count)
            for name, count in zip(names, counts, strict=True)
            if count > 0
        ]
    for table, name, statement in await connection.fetch(_KEYS, schemas):
        asked += 1
        if (count := await connection.fetchval(statement)) > 0:
            findings.append(_broken(table, name, count))
    statement = await connection.fetchval(_SUMS, schemas[0])
    if (count := await connection.fetchval(statement)) > 0:
        findings.append(_broken("portfolios", "portfolio_holdings_allocation_sum", count))
    return findings or [Finding("rows", "ok", f"all obey the {asked} constraints on them")]


async def check_sequences(connection: Connection, schemas: list[str]) -> Finding:
    """Sequences that would give out a number that a row has already."""
    behind = []
    for sequence, statement in await connection.fetch(_SEQUENCES, schemas):
        if (distance := await connection.fetchval(statement)) > 0:
            behind.append((sequence, distance))
    if behind:
        sequence, distance = behind[0]
        return Finding(
            "sequences",
            "error",
            f"behind their tables: {', '.join(name for name, _ in behind)}",
            f"setval('{sequence}', ...) to a number that is higher by {distance:,} or more",
        )
    return Finding("sequences", "ok", "none is behind its table")


def _broken(table: str, name: str, count: int) -> Finding:
    rows = f"{count:,} rows of {table} do" if count != 1 else f"1 row of {table} does"
    return Finding(
        "rows",
        "error",
        f"{rows} not obey {name}",
        "something got past the constraint: mend or delete them, or restore a backup",
    )
