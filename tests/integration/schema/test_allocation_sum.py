"""The allocations of a portfolio sum to at most 1 at the end of every transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest

from tests.integration.schema.rows import PORTFOLIO, Connection, insert, insert_one_of_each

pytestmark = pytest.mark.each_postgres

CONSTRAINT = "portfolio_holdings_allocation_sum"
OTHER = "'00000000-0000-4000-8000-00000000000b'"
NOW = "SET CONSTRAINTS ALL IMMEDIATE"


@pytest.fixture
async def portfolio(connection: Connection) -> Connection:
    """A portfolio that holds 0.6 SPY, and an empty one."""
    await insert_one_of_each(connection, before="strategies")
    await insert(connection, "portfolios", id=OTHER, name="'other'")
    return connection


async def hold(connection: Connection, symbol: str, allocation: str) -> None:
    await insert(
        connection, "portfolio_holdings", symbol=f"'{symbol}'", allocation=f"'{allocation}'"
    )


async def test_exactly_one_is_allowed(portfolio: Connection) -> None:
    await hold(portfolio, "AGG", "0.4")
    await portfolio.execute(NOW)
    total = f"SELECT sum(allocation) = 1 FROM portfolio_holdings WHERE portfolio_id = {PORTFOLIO}"
    assert await portfolio.fetchval(total)


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO portfolio_holdings (portfolio_id, symbol, allocation)"
        f" VALUES ({PORTFOLIO}, 'AGG', 0.4001)",
        "INSERT INTO portfolio_holdings (portfolio_id, symbol, allocation)"
        f" SELECT {PORTFOLIO}, 'A' || n, 0.1 FROM generate_series(1, 5) AS n",
        f"INSERT INTO portfolio_holdings VALUES"
        f" (gen_random_uuid(), {OTHER}, 'AGG', 0.5), (gen_random_uuid(), {OTHER}, 'GLD', 0.51)",
    ],
)
async def test_more_than_one_is_refused(portfolio: Connection, change: str) -> None:
    await portfolio.execute(change)
    with pytest.raises(asyncpg.CheckViolationError, match=r"which is more than 1") as caught:
        await portfolio.execute(NOW)
    assert caught.value.constraint_name == CONSTRAINT
    assert caught.value.table_name == "portfolio_holdings"


async def test_only_the_end_of_the_transaction_counts(portfolio: Connection) -> None:
    await hold(portfolio, "AGG", "0.9")
    await portfolio.execute("UPDATE portfolio_holdings SET allocation = 0.1 WHERE symbol = 'SPY'")
    await portfolio.execute(NOW)
    total = f"SELECT sum(allocation) = 1 FROM portfolio_holdings WHERE portfolio_id = {PORTFOLIO}"
    assert await portfolio.fetchval(total)


@pytest.mark.parametrize(("allocation", "fits"), [("0.4", True), ("0.5", False)])
async def test_a_holding_moves_to_another_portfolio(
    portfolio: Connection, allocation: str, *, fits: bool
) -> None:
    await insert(
        *(portfolio, "portfolio_holdings"),
        portfolio_id=OTHER,
        symbol="'AGG'",
        allocation=allocation,
    )
    await portfolio.execute(NOW)
    move = f"UPDATE portfolio_holdings SET portfolio_id = {PORTFOLIO} WHERE symbol = 'AGG'"
    if fits:
        await portfolio.execute(move)
        return
    with pytest.raises(asyncpg.CheckViolationError):
        await portfolio.execute(move)


async def test_it_holds_whatever_the_search_path(portfolio: Connection) -> None:
    await portfolio.execute("SET search_path = ''")
    await portfolio.execute(
        "INSERT INTO public.portfolio_holdings (portfolio_id, symbol, allocation)"
        f" VALUES ({PORTFOLIO}, 'AGG', 0.5)"
    )
    with pytest.raises(asyncpg.CheckViolationError):
        await portfolio.execute(NOW)


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO portfolio_holdings (portfolio_id, symbol, allocation)"
        f" VALUES ({PORTFOLIO}, 'AGG', 0.1)",
        "UPDATE portfolio_holdings SET allocation = 0.5",
        "DELETE FROM portfolio_holdings",
    ],
)
async def test_a_changed_holding_changes_the_portfolio(database_url: str, change: str) -> None:
    connection = await asyncpg.connect(database_url)
    await insert_one_of_each(connection, before="strategies")
    before = await connection.fetchval("SELECT updated_at FROM portfolios")
    await asyncio.sleep(0.002)  # the column counts in milliseconds
    await connection.execute(change)
    assert await connection.fetchval("SELECT updated_at FROM portfolios") > before
    await connection.close()


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[tuple[Connection, Connection]]:
    """Two connections, on a portfolio without holdings."""
    async with AsyncExitStack() as stack:
        connections = []
        for _ in range(2):
            connection = await asyncpg.connect(database_url)
            stack.push_async_callback(connection.close)
            connections.append(connection)
        await insert_one_of_each(connections[0], before="portfolio_holdings")
        yield connections[0], connections[1]


@pytest.mark.parametrize(
    ("first_level", "second_level"),
    [
        ("read committed", "read committed"),
        ("repeatable read", "repeatable read"),
        ("serializable", "serializable"),
        ("read committed", "repeatable read"),
    ],
)
async def test_two_transactions_cannot_add_up_unseen(
    two: tuple[Connection, Connection], first_level: str, second_level: str
) -> None:
    """Each adds 0.6, which alone is fine, before either commits."""
    first, second = two
    await first.execute(f"BEGIN ISOLATION LEVEL {first_level}")
    await second.execute(f"BEGIN ISOLATION LEVEL {second_level}")
    await hold(first, "SPY", "0.6")
    await hold(second, "AGG", "0.6")

    ends = await asyncio.gather(
        first.execute("COMMIT"), second.execute("COMMIT"), return_exceptions=True
    )

    refused = [end for end in ends if end != "COMMIT"]
    assert len(refused) == 1
    assert isinstance(refused[0], asyncpg.CheckViolationError | asyncpg.SerializationError)
    assert await first.fetchval("SELECT sum(allocation)::text FROM portfolio_holdings") == "0.6000"


async def test_the_second_waits_for_the_first(two: tuple[Connection, Connection]) -> None:
    first, second = two
    await first.execute("BEGIN")
    await hold(first, "SPY", "0.6")
    await first.execute(NOW)
    await second.execute("BEGIN")
    await hold(second, "AGG", "0.4")
    waiting = asyncio.create_task(second.execute("COMMIT"))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    await first.execute("COMMIT")
    # 0.6 and 0.4 fit
    assert await waiting == "COMMIT"
