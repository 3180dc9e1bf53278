"""A database with the queue, a connection to it, and one of everything that a backtest needs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.integration.queue.jobs import Connection
from tests.integration.schema.rows import insert_one_of_each


@pytest.fixture
async def connection(queue_url: str) -> AsyncIterator[Connection]:
    """A connection to a database where a user has a portfolio and a strategy, and no backtest."""
    connection = await asyncpg.connect(queue_url)
    await insert_one_of_each(connection, before="backtests")
    yield connection
    await connection.close()
