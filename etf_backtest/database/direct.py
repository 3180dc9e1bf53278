"""Connections that do not go through the query engine: for series, states and exports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from etf_backtest.errors import DatabaseUrlError

if TYPE_CHECKING:
    import asyncpg

    from etf_backtest.database.url import DatabaseUrl


@asynccontextmanager
async def direct_connection(url: DatabaseUrl) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """One connection to the database, closed at the end.

    Raises
    ------
    DatabaseUrlError
        A connection pooler stands between, and the URL does not say so.
    """
    import asyncpg  # late: importing it costs more than most commands' own work

    connection = await asyncpg.connect(**url.asyncpg_arguments())
    try:
        yield connection
    except (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError) as error:
        reason = str(error).partition("\n")[0]
        raise DatabaseUrlError(
            "DATABASE_URL",
            f"a connection pooler stands at {url.server} and mixes statements up ({reason})",
            remedy="add pgbouncer=true to the parameters of the URL, or connect to the server "
            "itself",
        ) from error
    finally:
        await connection.close()
