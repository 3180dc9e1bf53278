"""Connections that do not go through the query engine: for series, states and exports."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, cast
from weakref import WeakKeyDictionary

from etf_backtest.errors import DatabaseConnectionError, DatabaseUrlError

if TYPE_CHECKING:
    import asyncpg

    from etf_backtest.database.url import DatabaseUrl

_kept: ContextVar[tuple[DatabaseUrl, asyncpg.Pool[asyncpg.Record]] | None] = ContextVar(
    "_kept", default=None
)
"""Connections that are open already, for who reads again and again."""
_room: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[DatabaseUrl, asyncio.Semaphore]] = (
    WeakKeyDictionary()
)
_holds_one: ContextVar[bool] = ContextVar("_holds_one", default=False)
_CLOSE_WITHIN: Final = 2.0
"""Seconds, where the server does not answer any more."""


@asynccontextmanager
async def kept_connections(url: DatabaseUrl, *, most: int) -> AsyncIterator[None]:
    """Within it, and in tasks that begin in it, direct connections to `url` are used again.

    Opening one takes longer than what most of them are opened for. No more than `most` are open.
    """
    import asyncpg

    pool = await asyncpg.create_pool(**url.asyncpg_arguments(), min_size=0, max_size=most)
    token = _kept.set((url, pool))
    try:
        yield
    finally:
        _kept.reset(token)
        try:
            async with asyncio.timeout(_CLOSE_WITHIN):
                await pool.close()
        except (OSError, asyncpg.InterfaceError, asyncpg.PostgresError):  # OSError: no answer, too
            pool.terminate()


@asynccontextmanager
async def direct_connection(url: DatabaseUrl) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """One connection to the database, closed at the end (see `kept_connections`).

    At most `connection_limit` of the URL are open at once in a process; who asks for another waits,
    unless one is open around the call: that would wait for itself.

    Raises
    ------
    DatabaseConnectionError
        The server takes no more connections, or none just now.
    DatabaseUrlError
        A connection pooler stands between, and the URL does not say so.
    """
    import asyncpg  # late: importing it costs more than most commands' own work

    try:
        async with _connected(url) as connection:
            yield connection
    except (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError) as error:
        reason = str(error).partition("\n")[0]
        raise DatabaseUrlError(
            "DATABASE_URL",
            f"a connection pooler stands at {url.server} and mixes statements up ({reason})",
            remedy="add pgbouncer=true to the parameters of the URL, or connect to the server "
            "itself",
        ) from error


@asynccontextmanager
async def _connected(url: DatabaseUrl) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:

    kept = _kept.get()
    if kept is not None and kept[0] == url:
        async with kept[1].acquire() as lent:
            yield cast("asyncpg.Connection[asyncpg.Record]", lent)
        return
    if _holds_one.get():
        async with _opened(url) as connection:
            yield connection
        return
    async with _room_for(url):
        _holds_one.set(True)
        try:
            async with _opened(url) as connection:
                yield connection
        finally:
            _holds_one.set(False)


@asynccontextmanager
async def _opened(url: DatabaseUrl) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    import asyncpg

    try:
        connection = await asyncpg.connect(**url.asyncpg_arguments())
    except (asyncpg.TooManyConnectionsError, asyncpg.CannotConnectNowError) as error:
        reason = str(error).partition("\n")[0]
        raise DatabaseConnectionError(url.server, reason, sqlstate=error.sqlstate) from error
    try:
        yield connection
    finally:
        await connection.close()


def _room_for(url: DatabaseUrl) -> asyncio.Semaphore:
    rooms = _room.setdefault(asyncio.get_running_loop(), {})
    if url not in rooms:
        limit = url.parameter("connection_limit")
        # the engine's own standard, which has as many beside these
        most = int(limit) if limit and limit.isdecimal() else 2 * (os.cpu_count() or 1) + 1
        rooms[url] = asyncio.Semaphore(max(1, most))
    return rooms[url]
