"""What the database's queue is like, beside the library of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from etf_backtest.database.direct import direct_connection
from etf_backtest.database.queue.library import (
    EXTRA,
    QueueLibrary,
    checksum,
    installed_library,
    migration_order,
)
from etf_backtest.database.queue.names import queue_schema
from etf_backtest.database.url import DatabaseUrl

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

FUNCTIONS: Final = "etf_backtest/functions.sql"
"""What our functions are noted as, beside the library's migrations."""
_SCRIPTS: Final = Path(__file__).with_name("sql")


def read_script(name: str) -> str:
    """A SQL script of ours."""
    return (_SCRIPTS / name).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class QueueState:
    """Of one database, as seen from this machine."""

    schema: str
    is_installed: bool
    library_version: str | None
    """This machine's; None where the extra `worker` is not installed."""
    pending: tuple[str, ...] = ()
    """What the library here, and we, would change in a queue that is installed."""
    unknown: tuple[str, ...] = ()
    """What was applied that the library here does not know: a newer one has been there."""
    edited: tuple[str, ...] = ()
    """Migrations that the library here has with another text than was applied."""

    @property
    def is_newer(self) -> bool:
        """Whether the queue is newer than this machine's library."""
        return bool(self.unknown)

    @property
    def is_ready(self) -> bool:
        """Whether a worker of this machine can work on it."""
        known = self.library_version is not None and not self.is_newer
        return self.is_installed and known and not self.pending

    @property
    def must_deploy(self) -> bool:
        """Whether `migrate deploy` on this machine has something to do."""
        if self.library_version is None or self.is_newer:
            return False
        return bool(self.pending) or not self.is_installed

    def describe(self) -> str:
        """One line, with what to do."""
        where = f"The queue of backtests (schema {self.schema})"
        if self.library_version is None:
            found = "is installed" if self.is_installed else "is not installed"
            return f"{where} {found}; procrastinate is not installed here: {EXTRA}"
        if self.is_newer:
            return (
                f"{where} is newer than this machine's procrastinate {self.library_version}: "
                "update it (pip install --upgrade 'etf-backtest[worker]')"
            )
        if not self.is_installed:
            return f"{where} is not installed: etf-backtest migrate deploy"
        if self.pending:
            return f"{where} lacks {', '.join(self.pending)}: etf-backtest migrate deploy"
        return f"{where} is up to date with procrastinate {self.library_version}"


async def queue_state(url: DatabaseUrl) -> QueueState:
    """Compare the database's queue with what this machine would install."""
    schema = queue_schema(url)
    async with direct_connection(url) as connection:
        noted = await read_notes(connection, schema)
    return compare(schema, noted, installed_library())


def compare(
    schema: str, noted: dict[str, bytes] | None, library: QueueLibrary | None
) -> QueueState:
    """Compare what is noted in a database (None: nothing is installed) with a library."""
    version = None if library is None else library.version
    if noted is None or library is None:
        return QueueState(schema, noted is not None, version)
    ours = {FUNCTIONS: read_script("functions.sql")}
    pending = [name for name in library.migrations if name not in noted]
    pending += [name for name, script in ours.items() if noted.get(name) != checksum(script)]
    unknown = noted.keys() - library.migrations.keys() - ours.keys()
    return QueueState(
        schema,
        is_installed=True,
        library_version=version,
        pending=tuple(pending),
        unknown=tuple(sorted(unknown, key=migration_order)),
        edited=tuple(
            name
            for name, script in library.migrations.items()
            if name in noted and noted[name] != checksum(script)
        ),
    )


async def read_notes(connection: Connection, schema: str) -> dict[str, bytes] | None:
    """What is noted as applied, with checksums; None where there is no queue."""
    table: str | None = await connection.fetchval(
        "SELECT to_regclass(format('%I.installed_migrations', $1::text))::text", schema
    )
    if table is None:
        return None
    # the server quoted the table's name
    rows = await connection.fetch(f"SELECT name, checksum FROM {table}")
    return {row["name"]: row["checksum"] for row in rows}
