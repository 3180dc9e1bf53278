"""Looking at everything, one check after the other; nothing is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etf_backtest.database.direct import direct_connection
from etf_backtest.database.doctor.activity import check_backtests
from etf_backtest.database.doctor.expected import check_missing
from etf_backtest.database.doctor.finding import Finding
from etf_backtest.database.doctor.rights import check_rights
from etf_backtest.database.doctor.rows import check_rows, check_sequences
from etf_backtest.database.doctor.schema import (
    DEPLOY,
    check_drift,
    check_indexes,
    check_migrations,
    check_queue,
    check_rules,
)
from etf_backtest.database.doctor.server import (
    check_connections,
    check_leftovers,
    check_room,
    check_size,
    check_version,
    versions,
)
from etf_backtest.database.doctor.upkeep import (
    check_statements,
    check_unused_indexes,
    check_vacuum,
)
from etf_backtest.database.queue.names import home_schema, queue_schema
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.settings import Settings

if TYPE_CHECKING:
    from etf_backtest.database.doctor.finding import Connection

Found = Finding | Iterable[Finding] | None
Check = Callable[[], Awaitable[Found]]


@dataclass(frozen=True, slots=True)
class Examination:
    """All findings, in the order in which they were made."""

    findings: tuple[Finding, ...]
    versions: Mapping[str, str]

    @property
    def is_well(self) -> bool:
        """Whether there is no error; there may be warnings."""
        return all(finding.severity != "error" for finding in self.findings)


async def examine(
    settings: Settings, url: DatabaseUrl, *, every_row: bool = True, drift: bool = True
) -> Examination:
    """Look at the server, the schema, the rows and the work that waits.

    Parameters
    ----------
    settings : Settings
        Of this machine.
    url : DatabaseUrl
        Of a database that lets us in.
    every_row : bool
        Ask every constraint of every row, which reads all tables.
    drift : bool
        Compare the tables with schema.prisma, which starts Node.
    """
    findings: list[Finding] = []
    async with (
        direct_connection(url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute("SET LOCAL statement_timeout = 0")
        server = await connection.fetchval("SELECT current_setting('server_version')")
        findings += await _on_the_server(connection, settings, url, every_row=every_row)
    findings += await check_migrations(url)
    if drift and not url.pooled:
        findings.append(await check_drift(settings, url))
    findings.append(await check_queue(url))
    return Examination(tuple(findings), versions(server))


async def _on_the_server(
    connection: Connection, settings: Settings, url: DatabaseUrl, *, every_row: bool
) -> list[Finding]:
    home, queue = home_schema(url), queue_schema(url)
    schemas = [home, queue]
    always: list[tuple[str, Check]] = [
        ("server", lambda: check_version(connection)),
        ("size", lambda: check_size(connection)),
        ("connections", lambda: check_connections(connection)),
        ("other databases", lambda: check_leftovers(connection)),
        ("disk", lambda: check_room(settings)),
    ]
    tables: list[tuple[str, Check]] = [
        ("indexes", lambda: check_indexes(connection, schemas)),
        ("rules", lambda: check_rules(connection, schemas)),
        ("made by migrations", lambda: check_missing(connection, home)),
        ("sequences", lambda: check_sequences(connection, schemas)),
        ("rights", lambda: check_rights(connection, url)),
        ("backtests", lambda: check_backtests(connection, home, queue)),
        ("vacuum", lambda: check_vacuum(connection, schemas)),
        ("unused indexes", lambda: check_unused_indexes(connection, schemas)),
        ("statements", lambda: check_statements(connection)),
    ]
    if every_row:
        tables.append(("rows", lambda: check_rows(connection, schemas)))
    there = await connection.fetchval(
        "SELECT to_regclass(format('%I.backtests', $1::text)) IS NOT NULL", home
    )
    findings: list[Finding] = []
    for name, check in [*always, *(tables if there else [])]:
        findings += await _let_in(connection, name, check)
    if not there:
        text = f"there are none of ours in the schema {home!r}"
        findings.append(Finding("tables", "error", text, DEPLOY))
    return findings


async def _let_in(connection: Connection, name: str, check: Check) -> list[Finding]:
    """What a check finds; where the role may not look, or the tables are older, that it is so."""
    import asyncpg

    try:
        async with connection.transaction():
            found = await check()
    except asyncpg.InsufficientPrivilegeError as error:
        return [_not_seen(name, error, "use the tables' owner")]
    except (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError) as error:
        return [_not_seen(name, error, DEPLOY)]
    if found is None:
        return []
    return [found] if isinstance(found, Finding) else list(found)


def _not_seen(name: str, error: Exception, remedy: str) -> Finding:
    return Finding(name, "warning", f"cannot be looked at: {error}", remedy)
