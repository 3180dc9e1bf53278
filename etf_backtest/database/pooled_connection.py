"""A connection by way of pgbouncer, which may give each transaction another one to the server.

Without names for prepared statements asyncpg still sends a query in two steps, and the server is
free for others between them: then the second would meet a connection that knows nothing of the
first. In a transaction both go to one. Not imported before something connects: asyncpg is slow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection


class PooledConnection(Connection):
    """Each query is in a transaction: in the one that is open, or in one of its own."""

    async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
        """All rows."""
        if self.is_in_transaction():
            return await super().fetch(query, *args, **options)
        async with self.transaction():
            return await super().fetch(query, *args, **options)

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        """The first row."""
        if self.is_in_transaction():
            return await super().fetchrow(query, *args, **options)
        async with self.transaction():
            return await super().fetchrow(query, *args, **options)

    async def fetchval(self, query: str, *args: Any, **options: Any) -> Any:
        """A value of the first row."""
        if self.is_in_transaction():
            return await super().fetchval(query, *args, **options)
        async with self.transaction():
            return await super().fetchval(query, *args, **options)

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        """The tag of the last command."""
        if not args or self.is_in_transaction():  # without arguments it is one step
            return await super().execute(query, *args, **options)
        async with self.transaction():
            return await super().execute(query, *args, **options)
