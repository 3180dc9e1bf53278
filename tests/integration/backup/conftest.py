"""Databases with rows in every table, and empty ones, on both kinds of server."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from etf_backtest.database.url import DatabaseUrl
from tests.fixtures.cluster import Cluster
from tests.fixtures.postgres import EMBEDDED, Servers
from tests.integration.schema.rows import PORTFOLIO, STRATEGY, USER, insert, insert_one_of_each

Rows = dict[str, list[str]]
NewDatabase = Callable[[str], DatabaseUrl]
_numbers = itertools.count(1)

# what COPY's text has to escape, and what ends it
AWKWARD = "E'a\\tb\\\\.\\n\\\\.\\nc ''d'' \\\\N \"e\" \\u00fc \\U0001F4B0'"
ROWS = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1
"""


@pytest.fixture
def new_database(_servers: Servers) -> Iterator[NewDatabase]:
    """Make an empty database on a server of a kind; all are dropped at the end."""
    made: list[tuple[Cluster, str]] = []

    def make(kind: str = EMBEDDED) -> DatabaseUrl:
        cluster, name = _servers.shared(kind), f"backup_{next(_numbers)}"
        cluster.execute(f"CREATE DATABASE {name}")
        made.append((cluster, name))
        return DatabaseUrl.parse(cluster.url(name))

    yield make
    for cluster, name in made:
        cluster.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
async def filled(queue_url: str) -> DatabaseUrl:
    """A migrated database with the queue, and a row or more in every table."""
    url = DatabaseUrl.parse(queue_url)
    await fill(url)
    return url


async def fill(url: DatabaseUrl) -> None:
    """Rows in every table, some of them awkward, and a past of prices."""

    async def write(connection: asyncpg.Connection[Any]) -> None:
        await insert_one_of_each(connection)
        await connection.execute("SELECT setval('price_revisions_number_seq', 1000)")
        await insert(connection, "portfolios", id="gen_random_uuid()", name=AWKWARD)
        await insert(
            connection,
            "backtests",
            id="gen_random_uuid()",
            user_id=USER,
            portfolio_id=PORTFOLIO,
            strategy_id=STRATEGY,
            status="'completed'",
            results="""'{"schema": 2, "nan": null, "x": 1e-300, "y": 0.10}'""",
        )
        await connection.execute("UPDATE market_data SET close = close + 1")

    await on(url, write)


async def on(url: DatabaseUrl, use: Callable[[asyncpg.Connection[Any]], Awaitable[Any]]) -> Any:
    """Do something on a connection of its own."""
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    try:
        return await use(connection)
    finally:
        await connection.close()


async def fetchval(url: DatabaseUrl, statement: str) -> Any:
    """The first value that a statement gives."""
    return await on(url, lambda connection: connection.fetchval(statement))


async def rows(url: DatabaseUrl) -> Rows:
    """Every row of every table as text, sorted."""

    async def read(connection: asyncpg.Connection[Any]) -> Rows:
        await connection.execute("SET timezone = 'UTC'")
        found: Rows = {}
        for (table,) in await connection.fetch(ROWS):
            texts = await connection.fetch(f"SELECT t::text FROM {table} t ORDER BY 1")
            found[table] = [row[0] for row in texts]
        return found

    result: Rows = await on(url, read)
    return result


async def databases(url: DatabaseUrl, beginning: str) -> set[str]:
    """The names of those that belong to a test's own, whatever became of them."""
    names = await fetchval(url, "SELECT array_agg(datname::text) FROM pg_database")
    return {name for name in names if name == beginning or name.startswith(f"{beginning}_")}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Where a backup goes."""
    return tmp_path / "a backup.dump"
