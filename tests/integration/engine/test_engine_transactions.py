"""Interactive transactions, and the pool that they take their connections from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, LiteralString

import pytest

from etf_backtest.database.client import Prisma
from etf_backtest.database.client.errors import (
    DataError,
    RawQueryError,
    TransactionError,
    TransactionExpiredError,
    UniqueViolationError,
)
from tests.integration.engine.database import (
    Database,
    a_portfolio,
    a_user,
    connected,
    engine_of,
    engine_pid,
)
from tests.integration.engine.relay import relay

MINUTE = timedelta(minutes=1)


@pytest.mark.each_postgres
async def test_a_transaction_commits_or_leaves_nothing(client: Database) -> None:
    async with client.tx() as transaction:
        assert transaction.is_transaction()
        await a_user(transaction)
        assert await transaction.user.count() == 1
        assert await client.user.count() == 0
    assert await client.user.count() == 1
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  # one transaction
        async with client.tx() as transaction:
            await transaction.user.delete_many()
            raise ZeroDivisionError
    assert await client.user.count() == 1


async def test_an_error_inside_rolls_back_all(client: Database) -> None:
    with pytest.raises(UniqueViolationError):  # noqa: PT012  # one transaction
        async with client.tx() as transaction:
            await a_user(transaction)
            await a_user(transaction)
    assert await client.user.count() == 0


async def test_an_unknown_transaction_is_an_error_and_not_the_end(client: Database) -> None:
    engine, pid = engine_of(client), engine_pid(client)
    ghost = client._copy()
    ghost._tx_id = "no-such-id"  # type: ignore[assignment]  # TransactionId
    with pytest.raises(TransactionError, match="Transaction not found"):
        await ghost.user.count()
    for end in (engine.commit_transaction, engine.rollback_transaction):
        with pytest.raises(TransactionError, match="Transaction not found"):
            await end("x" * 200)
    assert await client.user.count() == 0
    assert engine_pid(client) == pid


async def test_a_finished_transaction_cannot_be_used(client: Database) -> None:
    pid = engine_pid(client)
    manager = client.tx()
    transaction = await manager.start()
    await manager.commit()
    with pytest.raises(TransactionExpiredError, match=r"already closed: .* a committed"):
        await transaction.user.count()
    with pytest.raises(TransactionExpiredError):
        await manager.commit()
    manager = client.tx()
    transaction = await manager.start()
    await manager.rollback()
    with pytest.raises(TransactionExpiredError, match=r"already closed: .* a rolled back"):
        await transaction.user.count()
    assert engine_pid(client) == pid


async def test_an_idle_transaction_expires(client: Database) -> None:
    with pytest.raises(TransactionExpiredError, match="timeout for this transaction was 100 ms"):  # noqa: PT012  # one transaction
        async with client.tx(timeout=timedelta(milliseconds=100)) as transaction:
            await a_user(transaction)
            await asyncio.sleep(0.2)
            await transaction.user.count()
    assert await client.user.count() == 0


async def test_the_timeout_ends_a_running_statement(client: Database) -> None:
    began = time.monotonic()
    with pytest.raises(TransactionExpiredError, match="already closed"):  # noqa: PT012  # one transaction
        async with client.tx(timeout=timedelta(milliseconds=200)) as transaction:
            await a_user(transaction)
            await transaction.query_raw("SELECT pg_sleep(20)")
    assert time.monotonic() - began < 5
    assert await client.user.count() == 0


@pytest.mark.each_postgres
@pytest.mark.parametrize("late", [0.4, 1.4])
async def test_a_timeout_that_comes_late_cancels_nobody_else(
    database_url: str, late: float
) -> None:
    # 1.4 s: longer than the engine waits for it
    async with (
        relay(database_url, cancel_after=late) as through,
        connected(through.url, "connection_limit=1") as client,
    ):
        with pytest.raises(TransactionExpiredError):
            async with client.tx(timeout=timedelta(milliseconds=50)) as transaction:
                await transaction.query_raw("SELECT pg_sleep(0.2)")
        # the statement ended by itself; the next one gets a connection, but not the cancellation
        assert await client.query_raw("SELECT 1 AS one FROM pg_sleep(1)") == [{"one": 1}]
        before, after = ("cancel", "rollback") if late < 1 else ("rollback", "cancel")
        assert through.seen == [before, after]


async def test_max_wait_holds_on_an_exhausted_pool(database_url: str) -> None:
    async with connected(database_url, "connection_limit=1", "pool_timeout=30") as client:
        async with client.tx(timeout=MINUTE):
            began = time.monotonic()
            with pytest.raises(TransactionError, match="within 300 ms"):
                await client.tx(max_wait=timedelta(milliseconds=300)).start()
            assert 0.25 < time.monotonic() - began < 3
        # the connection that came too late went back
        assert await client.user.count() == 0
        async with client.tx() as transaction:
            assert await transaction.user.count() == 0


async def test_a_short_wait_does_not_queue_behind_a_long_one(database_url: str) -> None:
    async with connected(database_url, "connection_limit=1") as client:
        async with client.tx(timeout=MINUTE):
            long = asyncio.create_task(client.tx(max_wait=MINUTE).start())
            await asyncio.sleep(0.05)
            began = time.monotonic()
            with pytest.raises(TransactionError, match="within 200 ms"):
                await client.tx(max_wait=timedelta(milliseconds=200)).start()
            assert time.monotonic() - began < 3
        transaction = await long
        assert await transaction.user.count() == 0


async def test_a_commit_that_fails_gives_its_connection_back(database_url: str) -> None:
    async with connected(database_url, "connection_limit=1", "pool_timeout=1") as client:
        portfolio = await a_portfolio(client)
        data: Any = [
            {"portfolioId": portfolio.id, "symbol": symbol, "allocation": Decimal("0.6")}
            for symbol in ("SPY", "QQQ")
        ]
        for _ in range(3):
            with pytest.raises(DataError) as refused:
                async with client.tx() as transaction:
                    await transaction.portfolioholding.create_many(data)
            assert refused.value.code == "P2004"
            with pytest.raises(DataError):
                async with client.batch_() as batch:
                    batch.portfolioholding.create_many(data)
            assert await client.portfolioholding.count() == 0


async def test_an_exhausted_pool_is_an_error_after_pool_timeout(database_url: str) -> None:
    async with connected(database_url, "connection_limit=2", "pool_timeout=1") as client:
        async with client.tx(timeout=MINUTE), client.tx(timeout=MINUTE):
            began = time.monotonic()
            with pytest.raises(DataError) as exhausted:
                await client.user.count()
            assert 0.9 < time.monotonic() - began < 4
            assert exhausted.value.code == "P2024"
            assert exhausted.value.meta["connection_limit"] == 2
            assert exhausted.value.meta["timeout"] == 1
        assert await client.user.count() == 0


async def test_many_transactions_share_few_connections(database_url: str) -> None:
    async with connected(database_url, "connection_limit=3") as client:

        async def one(number: int) -> None:
            async with client.tx(max_wait=MINUTE, timeout=MINUTE) as transaction:
                await a_user(transaction, f"user{number}@example.com")
                async with transaction.batch_() as batch:
                    batch.user.update_many(where={}, data={"firstName": "x"})

        await asyncio.gather(*(one(number) for number in range(25)))
        assert await client.user.count() == 25


async def test_a_cancelled_start_leaves_no_transaction(database_url: str) -> None:
    async with connected(database_url, "connection_limit=1") as client:
        async with client.tx(timeout=MINUTE):
            starting = asyncio.create_task(client.tx(max_wait=MINUTE, timeout=MINUTE).start())
            await asyncio.sleep(0.1)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
        assert await client.user.count() == 0


async def test_a_failed_statement_does_not_cost_the_connection(database_url: str) -> None:
    async with connected(database_url, "connection_limit=1") as client:
        [before] = await client.query_raw("SELECT pg_backend_pid() AS pid")
        with pytest.raises(RawQueryError):
            await client.query_raw("SELECT 1/0")
        with pytest.raises(RawQueryError):
            async with client.tx() as transaction:
                await transaction.query_raw("SELECT 1/0")
        assert await client.query_raw("SELECT pg_backend_pid() AS pid") == [before]


async def test_a_transaction_begun_by_hand_does_not_swallow_what_follows(database_url: str) -> None:
    async with connected(database_url, "connection_limit=1") as client:
        await client.execute_raw("BEGIN")
        await a_user(client)
        async with connected(database_url) as other:
            assert await other.user.count() == 1


PID = "SELECT pg_backend_pid() AS pid"


@pytest.mark.each_postgres
@pytest.mark.parametrize(
    ("change", "setting", "expected"),
    [
        ("SET TimeZone = 'Asia/Tokyo'", "TimeZone", "UTC"),
        ("SELECT set_config('TimeZone', 'Asia/Tokyo', false)", "TimeZone", "UTC"),
        ("DO $$ BEGIN SET DateStyle = 'German'; END $$", "DateStyle", "ISO, MDY"),
        ("set statement_timeout = 1", "statement_timeout", "0"),
        ("SET search_path = pg_catalog", "search_path", '"$user", public'),
    ],
)
async def test_what_is_set_for_a_session_is_not_for_the_next_user(
    database_url: str, change: LiteralString, setting: str, expected: str
) -> None:
    show: LiteralString = "SELECT current_setting($1) AS value"
    async with connected(database_url, "connection_limit=1") as client:
        [before] = await client.query_raw(PID)
        await client.execute_raw(change)
        assert await client.query_raw(show, setting) == [{"value": expected}]
        assert await client.query_raw(PID) != [before]
        async with client.tx() as transaction:
            await transaction.execute_raw(change)
        assert await client.query_raw(show, setting) == [{"value": expected}]


async def test_what_is_set_for_a_transaction_does_not_cost_the_connection(
    database_url: str,
) -> None:
    async with connected(database_url, "connection_limit=1") as client:
        [before] = await client.query_raw(PID)
        async with client.tx() as transaction:
            await transaction.execute_raw("SET LOCAL TimeZone = 'Asia/Tokyo'")
            await transaction.execute_raw("SET LOCAL statement_timeout = 1000")
        assert await client.query_raw(PID) == [before]


@pytest.mark.each_postgres
@pytest.mark.parametrize("change", ["TimeZone = 'Asia/Tokyo'", "DateStyle = 'SQL, DMY'"])
async def test_times_under_other_settings_are_refused_and_not_wrong(
    client: Database, change: LiteralString
) -> None:
    then = datetime(2024, 1, 1, tzinfo=UTC)
    await client.user.create({"email": "a@example.com", "passwordHash": "x", "createdAt": then})

    async def changed(query: Callable[[Prisma], Awaitable[object]]) -> object:
        async with client.tx() as transaction:
            await transaction.execute_raw("SET LOCAL " + change)
            return await query(transaction)

    for refused in (
        lambda tx: tx.user.find_many(),
        lambda tx: tx.user.count(where={"createdAt": then}),
        lambda tx: tx.query_raw("SELECT created_at FROM users"),
        lambda tx: tx.query_raw("SELECT ARRAY['2024-01-01'::date] AS days"),
    ):
        with pytest.raises(DataError, match="TimeZone or DateStyle") as error:
            await changed(refused)
        assert error.value.code is None
    assert await changed(lambda tx: tx.user.count()) == 1
    sql: LiteralString = (
        "SELECT to_char(created_at AT TIME ZONE 'Asia/Tokyo', 'HH24:MI') AS it FROM users"
    )
    assert await changed(lambda tx: tx.query_raw(sql)) == [{"it": "09:00"}]
    assert (await client.user.find_first_or_raise()).createdAt == then


async def test_two_statements_are_not_one_query(client: Database) -> None:
    with pytest.raises(RawQueryError, match="multiple commands"):
        await client.execute_raw("DELETE FROM users; DELETE FROM etf_info")


@pytest.mark.each_postgres
async def test_a_migration_does_not_break_prepared_statements(database_url: str) -> None:
    async with connected(database_url, "connection_limit=1") as client:
        for _ in range(3):
            assert await client.query_raw("SELECT * FROM etf_info") == []
        await client.execute_raw("ALTER TABLE etf_info ADD COLUMN more int")
        assert await client.query_raw("SELECT * FROM etf_info") == []
        assert await client.etfinfo.count() == 0
        names = await client.query_raw("SELECT name FROM pg_prepared_statements")
        assert names


async def test_prepared_statements_can_be_turned_off(database_url: str) -> None:
    async with connected(database_url, "connection_limit=1", "pgbouncer=true") as client:
        for _ in range(3):
            await client.etfinfo.count()
        assert await client.query_raw("SELECT name FROM pg_prepared_statements") == []


async def test_batches_commit_together(client: Database) -> None:
    async with client.batch_() as batch:
        batch.user.create({"email": "a@example.com", "passwordHash": "x"})
        batch.user.create_many([{"email": "b@example.com", "passwordHash": "x"}])
        batch.execute_raw("UPDATE users SET first_name = $1", "raw")
    assert [u.firstName for u in await client.user.find_many()] == ["raw", "raw"]
    with pytest.raises(UniqueViolationError):  # noqa: PT012  # one transaction
        async with client.batch_() as batch:
            batch.user.delete_many()
            batch.user.create({"email": "a@example.com", "passwordHash": "x"})
            batch.user.create({"email": "A@example.com", "passwordHash": "x"})
    assert await client.user.count() == 2
    async with client.batch_():
        pass
    with pytest.raises(RawQueryError) as refused:  # noqa: PT012  # one transaction
        async with client.batch_() as batch:
            batch.user.delete_many()
            batch.execute_raw("UPDATE users SET email = 'implausible'")
            batch.execute_raw("INSERT INTO users (email, password_hash) VALUES ('x', 'x')")
    assert refused.value.meta["code"] == "23514"
    assert await client.user.count() == 2
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  # one transaction
        async with client.batch_() as batch:
            batch.user.delete_many()
            raise ZeroDivisionError
    assert await client.user.count() == 2
