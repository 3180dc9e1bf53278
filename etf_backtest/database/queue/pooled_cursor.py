"""Finding the queue's tables by way of pgbouncer, which lets no session have settings of its own.

Each transaction may be on another connection to the server, so each begins by saying where the
tables are.
"""

from __future__ import annotations

from typing import Any, Self

from psycopg import AsyncCursor, sql
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow


def pooled_cursor(schema: str) -> type[AsyncCursor[DictRow]]:
    """A class of cursors that look into `schema`; for the driver's `cursor_factory`."""
    # enable_sort: see `connector`
    path = sql.SQL("SET LOCAL search_path = {}; SET LOCAL enable_sort = off").format(
        sql.Identifier(schema)
    )

    class PooledCursor(AsyncCursor[DictRow]):
        async def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
            connection = self.connection
            begins = connection.info.transaction_status == TransactionStatus.IDLE
            if begins and not connection.autocommit:
                await super().execute(path)
            return await super().execute(query, params, **options)

    return PooledCursor
