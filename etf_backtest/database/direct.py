"""Connections that do not go through the query engine: for series, states and exports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

    from etf_backtest.database.url import DatabaseUrl


@asynccontextmanager
async def direct_connection(url: DatabaseUrl) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """One connection to the database, closed at the end."""
    import asyncpg  # late: importing it costs more than most commands' own work

    connection = await asyncpg.connect(**url.asyncpg_arguments())
    try:
        yield connection
    finally:
        await connection.close()
