"""Databases of the benchmark's own, each a copy of one with every migration applied."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from etf_backtest.database.url import DatabaseUrl

MIGRATIONS = Path(__file__).resolve().parents[2] / "prisma" / "migrations"


async def execute(url: DatabaseUrl, *statements: str) -> None:
    """Execute statements on a connection of their own, one transaction each."""
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def ask(url: DatabaseUrl, query: str) -> list[asyncpg.Record]:
    """The rows of a query."""
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()


@dataclass(slots=True)
class Server:
    """A server, and the databases that were made on it."""

    url: DatabaseUrl
    _prefix: str = field(default_factory=lambda: f"etf_backtest_bench_{uuid.uuid4().hex[:6]}")
    _made: list[str] = field(default_factory=list)

    async def fresh(self, *, like: str | None = None) -> DatabaseUrl:
        """A new database with all tables; what was written before is on the disk by then."""
        name = f"{self._prefix}_{len(self._made)}"
        template = like or f"{self._prefix}_0"
        self._made.append(name)
        await execute(self.url, f"CREATE DATABASE {name} TEMPLATE {template}", "CHECKPOINT")
        return self.url.with_database(name)

    async def drop(self, database: DatabaseUrl) -> None:
        """Remove a database."""
        await execute(self.url, f"DROP DATABASE IF EXISTS {database.database} WITH (FORCE)")

    async def migrate(self) -> None:
        """Make the database that the others are copies of."""
        first = await self.fresh(like="template0")
        scripts = sorted(MIGRATIONS.glob("*/migration.sql"))
        await execute(first, *(script.read_text(encoding="utf-8") for script in scripts))

    async def remove(self) -> None:
        """Remove every database that was made."""
        for name in self._made:
            await execute(self.url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@asynccontextmanager
async def scratch(url: DatabaseUrl) -> AsyncIterator[Server]:
    """The server of `url`, for databases that are removed at the end."""
    server = Server(url)
    try:
        await server.migrate()
        yield server
    finally:
        await server.remove()
