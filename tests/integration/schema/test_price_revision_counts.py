"""A revision says at its end what all statements of its transaction did, however many they were."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.integration.schema.rows import Connection

pytestmark = pytest.mark.each_postgres

DAY = "'2000-01-01'::date"


@pytest.fixture
async def prices(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def insert(prices: Connection, first: int, last: int) -> None:
    """A statement for each row, as an ORM writes them."""
    await prices.execute(
        f"DO $$ BEGIN FOR n IN {first}..{last} LOOP INSERT INTO market_data"
        f" (symbol, date, close, source) VALUES ('A', {DAY} + n, 10, 'test'); END LOOP; END $$"
    )


async def take_back(prices: Connection, first: int, last: int) -> None:
    """Insert, back to a savepoint."""
    await prices.execute("SAVEPOINT before")
    await insert(prices, first, last)
    await prices.execute("ROLLBACK TO SAVEPOINT before")


async def revisions(prices: Connection) -> list[tuple[int, int, int]]:
    rows = await prices.fetch(
        "SELECT inserted, updated, deleted FROM price_revisions ORDER BY number"
    )
    return [tuple(row) for row in rows]


async def test_counts_of_all_statements(prices: Connection) -> None:
    async with prices.transaction():
        await insert(prices, 1, 5)
        await prices.execute(f"UPDATE market_data SET close = 11 WHERE date > {DAY} + 2")
        await prices.execute(f"DELETE FROM market_data WHERE date > {DAY} + 4")
    await prices.execute("UPDATE market_data SET close = 12")
    # what the same transaction wrote is counted as often as it was written
    assert await revisions(prices) == [(5, 3, 1), (0, 4, 0)]


async def test_what_a_savepoint_takes_back_does_not_count(prices: Connection) -> None:
    async with prices.transaction():
        await take_back(prices, 1, 5)
        await insert(prices, 6, 7)
        await take_back(prices, 8, 9)
    assert await revisions(prices) == [(2, 0, 0)]


async def test_constraints_may_be_made_immediate(prices: Connection) -> None:
    async with prices.transaction():
        await insert(prices, 1, 2)
        await prices.execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert await revisions(prices) == [(2, 0, 0)]
        await insert(prices, 3, 5)
        await prices.execute("DELETE FROM market_data")
    assert await revisions(prices) == [(5, 0, 5)]


async def test_it_is_known_when_the_transaction_ends(prices: Connection) -> None:
    async with prices.transaction():
        await insert(prices, 1, 2)
        written = await prices.fetchval("SELECT clock_timestamp()")
        time.sleep(0.05)  # noqa: ASYNC251  # nobody else waits
    assert await prices.fetchval("SELECT known_at FROM price_revisions") > written


async def test_each_statement_takes_as_long_as_the_one_before(prices: Connection) -> None:
    """No growth with the number of statements: none passes the versions that others left."""
    async with prices.transaction():
        await insert(prices, 1, 4000)
        # the pages of the revision's row and of its series: one version each while it is written
        hidden = await prices.fetch(
            "SELECT pg_relation_size('price_revisions') AS revisions,"
            " pg_relation_size('price_series') AS series"
        )
        assert [tuple(row) for row in hidden] == [(8192, 8192)]
    assert await revisions(prices) == [(4000, 0, 0)]
