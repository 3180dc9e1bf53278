"""What PostgreSQL's own statistics say: dead rows, indexes nobody uses, slow statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from etf_backtest.database.doctor.finding import Finding
from etf_backtest.errors.wording import listed, one_line, shortened

if TYPE_CHECKING:
    from etf_backtest.database.doctor.finding import Connection

MANY_ROWS: Final = 10_000
DEAD_FRACTION: Final = 0.4
DAYS_TO_JUDGE: Final = 7
SLOWEST: Final = 5

_VACUUM: Final = """
SELECT relid::regclass::text AS table, n_live_tup AS live, n_dead_tup AS dead,
       coalesce(last_vacuum, last_autovacuum, last_analyze, last_autoanalyze) IS NULL AS never
FROM pg_stat_user_tables
WHERE schemaname = ANY($1) AND n_live_tup + n_dead_tup >= $2
ORDER BY n_dead_tup DESC
"""
# keys and unique indexes enforce a rule, whether or not they are read
_UNUSED: Final = """
SELECT s.indexrelid::regclass::text AS index, pg_relation_size(s.indexrelid) AS bytes
FROM pg_stat_user_indexes s JOIN pg_index i ON i.indexrelid = s.indexrelid
WHERE s.schemaname = ANY($1) AND s.idx_scan = 0 AND NOT i.indisunique
ORDER BY 2 DESC
"""
_SINCE: Final = """
SELECT extract(epoch FROM now() - coalesce(stats_reset, pg_postmaster_start_time())) / 86400
FROM pg_stat_database WHERE datname = current_database()
"""
_STATEMENTS: Final = """
SELECT format('SELECT query, calls, mean_exec_time AS mean, total_exec_time AS total'
              ' FROM %I.pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid'
              ' WHERE d.datname = current_database() ORDER BY total_exec_time DESC LIMIT %s',
              n.nspname, $1::int)
FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
WHERE x.extname = 'pg_stat_statements'
"""
_HOW: Final = (
    "put pg_stat_statements into shared_preload_libraries, restart the server, and let a superuser "
    "run in this database: CREATE EXTENSION pg_stat_statements"
)


async def check_vacuum(connection: Connection, schemas: list[str]) -> Finding:
    """Large tables that were never cleaned up, or of which much is dead."""
    rows = await connection.fetch(_VACUUM, schemas, MANY_ROWS)
    bloated = [
        f"{row['table']} ({row['dead'] / (row['live'] + row['dead']):.0%} dead)"
        for row in rows
        if row["dead"] > DEAD_FRACTION * (row["live"] + row["dead"])
    ]
    never = [row["table"] for row in rows if row["never"]]
    if bloated:
        return Finding(
            "vacuum",
            "warning",
            f"many dead rows: {listed(bloated)}",
            f"VACUUM (ANALYZE) {bloated[0].partition(' (')[0]}; see whether autovacuum is on, and "
            "whether a long transaction holds it up",
        )
    if never:
        return Finding(
            "vacuum",
            "warning",
            f"never vacuumed or analyzed: {listed(never)}",
            f"VACUUM (ANALYZE) {never[0]}; soon after an import autovacuum does it by itself",
        )
    return Finding("vacuum", "ok", "no large table is neglected")


async def check_unused_indexes(connection: Connection, schemas: list[str]) -> Finding:
    """Indexes that no query has used since the statistics were reset."""
    days = float(await connection.fetchval(_SINCE) or 0)
    rows = await connection.fetch(_UNUSED, schemas)
    since = f"in the {days:,.1f} days of the statistics"
    if not rows:
        return Finding("unused indexes", "ok", f"every index was used {since}")
    largest = listed([f"{row['index']} ({row['bytes'] / 2**20:,.1f} MiB)" for row in rows[:3]])
    text = f"{len(rows)} not used {since}, the largest {largest}"
    if days < DAYS_TO_JUDGE:
        return Finding("unused indexes", "ok", f"{text}; too early to judge")
    return Finding(
        "unused indexes",
        "warning",
        text,
        "nothing has to be done; they cost room and time when rows are written",
    )


async def check_statements(connection: Connection) -> list[Finding]:
    """The statements that took most of the server's time."""
    import asyncpg

    statement = await connection.fetchval(_STATEMENTS, SLOWEST)
    if statement is None:
        return [Finding("statements", "ok", "pg_stat_statements is not there", _HOW)]
    try:
        async with connection.transaction():
            rows = await connection.fetch(statement)
    except asyncpg.ObjectNotInPrerequisiteStateError:
        return [Finding("statements", "ok", "pg_stat_statements is not loaded", _HOW)]
    return [
        Finding(
            "statements",
            "ok",
            f"{row['total'] / 1000:,.1f} s in {row['calls']:,} calls of {row['mean']:,.1f} ms: "
            f"{shortened(one_line(row['query']))}",
        )
        for row in rows
    ] or [Finding("statements", "ok", "none was counted yet")]
