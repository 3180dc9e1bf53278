"""The migrations that a database has had, read on a connection that is open already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etf_backtest.database.identifiers import Composed, quote_identifier

if TYPE_CHECKING:
    import asyncpg


async def applied_migrations(
    connection: asyncpg.Connection[asyncpg.Record], schema: str
) -> list[tuple[str, str]]:
    """Name and checksum of each that stands, in order of name; none where none was ever tried."""
    there = await connection.fetchval(
        "SELECT to_regclass(format('%I._prisma_migrations', $1::text)) IS NOT NULL", schema
    )
    if not there:
        return []
    statement = Composed(
        "SELECT migration_name, checksum"
        f" FROM {quote_identifier(schema)}._prisma_migrations"
        " WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY 1"
    )
    return [(row[0], row[1]) for row in await connection.fetch(str(statement))]
