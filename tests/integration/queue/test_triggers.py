"""Whoever writes a pending backtest has queued it; the jobs follow the rows."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import MetaData, Table, insert, text
from sqlalchemy.ext.asyncio import create_async_engine

from etf_backtest.database.connection import connect
from etf_backtest.database.queue import JOB_QUEUE, TASK
from tests.fixtures.own_settings import settings_of
from tests.integration.queue.jobs import (
    INSERT,
    INSERT_MANY,
    SCHEMA,
    Connection,
    add,
    fetch_job,
    identity,
    jobs,
    on_queue,
    set_status,
)
from tests.integration.schema.rows import PORTFOLIO, STRATEGY, USER, insert_one_of_each

ROW: dict[str, Any] = {
    "userId": USER.strip("'"),
    "portfolioId": PORTFOLIO.strip("'"),
    "strategyId": STRATEGY.strip("'"),
    "name": "by Prisma",
    "startDate": "2014-01-02T00:00:00Z",
    "endDate": "2022-12-28T00:00:00Z",
    "initialCapital": "1000",
}


@pytest.fixture
async def second(queue_url: str) -> AsyncIterator[Connection]:
    """Another session."""
    connection = await asyncpg.connect(queue_url)
    yield connection
    await connection.close()


@pytest.mark.each_postgres
async def test_a_job_says_what_the_worker_needs(connection: Connection) -> None:
    await add(connection, 1)
    row = await connection.fetchrow(f"SELECT * FROM {SCHEMA}.procrastinate_jobs")
    assert row is not None
    assert dict(row) | {"id": 0} == {
        "id": 0,
        "queue_name": JOB_QUEUE,
        "task_name": TASK,
        "priority": 0,
        "lock": identity(1),
        "queueing_lock": identity(1),
        "args": f'{{"backtest_id": "{identity(1)}"}}',
        "status": "todo",
        "scheduled_at": None,
        "attempts": 0,
        "abort_requested": False,
        "worker_id": None,
    }


async def test_prismas_create_and_create_many_queue(
    queue_url: str, connection: Connection, user_home: Path
) -> None:
    settings = settings_of(queue_url, user_home)
    async with connect(settings) as db:
        await db.backtest.create(ROW | {"id": identity(1), "priority": 5})  # type: ignore[arg-type]  # a dict
        await db.backtest.create_many(
            [ROW | {"id": identity(number)} for number in (2, 3)]  # type: ignore[misc]  # dicts
        )
    assert await jobs(connection) == [(1, "todo", 5), (2, "todo", 0), (3, "todo", 0)]


async def test_sqlalchemy_queues(queue_url: str, connection: Connection) -> None:
    engine = create_async_engine(queue_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as session:
        table = await session.run_sync(
            lambda sync: Table("backtests", MetaData(), autoload_with=sync)
        )
        ids = (await session.execute(text("SELECT user_id, id FROM portfolios"))).one()
        strategy = (await session.execute(text("SELECT id FROM strategies"))).scalar_one()
        row = {"user_id": ids[0], "portfolio_id": ids[1], "strategy_id": strategy, "name": "x"}
        dates = (await session.execute(text("SELECT date '2014-01-02', date '2022-12-28'"))).one()
        row |= {"start_date": dates[0], "end_date": dates[1], "initial_capital": 1000}
        await session.execute(
            insert(table), [row | {"id": uuid.UUID(identity(number))} for number in (1, 2)]
        )
    await engine.dispose()
    assert sorted(await jobs(connection)) == [(1, "todo", 0), (2, "todo", 0)]


@pytest.mark.each_postgres
async def test_sql_queues_from_any_search_path(connection: Connection) -> None:
    await connection.execute("CREATE SCHEMA elsewhere; SET search_path = elsewhere")
    await add(connection, 1)
    await connection.execute("SET search_path = ''")
    await add(connection, 2)
    await set_status(connection, 2, "failed", "pending")
    assert await jobs(connection) == [(1, "todo", 0), (2, "todo", 0)]


async def test_a_schema_that_somebody_else_made_is_not_obeyed(
    database_url: str,
) -> None:
    """What it holds would run with the rights of whoever inserts a backtest: a superuser's here."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "CREATE ROLE mallory;"
            f" GRANT CREATE ON DATABASE {database_url.rpartition('/')[2]} TO mallory;"
            " SET ROLE mallory;"
            f" CREATE SCHEMA {SCHEMA};"
            f" CREATE FUNCTION {SCHEMA}.defer_backtests(uuid[]) RETURNS void LANGUAGE plpgsql"
            " AS $$BEGIN ALTER ROLE mallory SUPERUSER; END$$;"
            f" CREATE FUNCTION {SCHEMA}.forget_backtests(uuid[]) RETURNS void LANGUAGE plpgsql"
            " AS $$BEGIN ALTER ROLE mallory SUPERUSER; END$$;"
            " RESET ROLE;"
        )
        await insert_one_of_each(connection, before="performance_metrics")
        await connection.execute("DELETE FROM backtests")
        query = "SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'"
        assert await connection.fetchval(query) is False
        await connection.execute("DROP OWNED BY mallory; DROP ROLE mallory")
    finally:
        await connection.close()


@pytest.mark.each_postgres
async def test_a_role_that_may_only_write_backtests_queues(connection: Connection) -> None:
    """It sees nothing of the queue, and what everybody may call harms nobody."""
    async with connection.transaction():
        await connection.execute(
            "CREATE ROLE queue_writer;"
            " GRANT SELECT ON users, portfolios, strategies TO queue_writer;"
            " GRANT SELECT, INSERT, UPDATE, DELETE ON backtests TO queue_writer;"
            " SET LOCAL ROLE queue_writer"
        )
        await add(connection, 1, 2, 3)
        await set_status(connection, 2, "failed", "pending")
        await connection.execute("DELETE FROM backtests WHERE id = $1", identity(3))
        for function in ("defer", "forget", "cancel"):
            await connection.execute(
                f"SELECT {SCHEMA}.{function}_backtests($1)", [identity(1), identity(9)]
            )
        assert await connection.fetchval(f"SELECT {SCHEMA}.live_workers()") == 0
        for denied in (
            "SELECT FROM procrastinate_jobs",
            "DELETE FROM installed_migrations",
            "SELECT defer_waiting()",
            "SELECT defer_pending('{}')",
            "SELECT procrastinate_cancel_job_v1(1, true, true)",
            "CREATE TABLE mine ()",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with connection.transaction():
                    await connection.execute(f"SET LOCAL search_path = {SCHEMA}; {denied}")
        await connection.execute("RESET ROLE")
        assert await jobs(connection) == [(1, "todo", 0), (2, "todo", 0), (3, "cancelled", 0)]
        await connection.execute("DROP OWNED BY queue_writer; DROP ROLE queue_writer")


@pytest.mark.each_postgres
async def test_what_is_pending_again_has_a_job_again(connection: Connection) -> None:
    await add(connection, 1, 2)
    await fetch_job(connection)
    await set_status(connection, 1, "running")
    assert await jobs(connection) == [(1, "doing", 0), (2, "todo", 0)]
    await set_status(connection, 1, "pending")
    assert await jobs(connection) == [(1, "doing", 0), (2, "todo", 0), (1, "todo", 0)]
    await set_status(connection, 2, "failed", "pending")
    assert await jobs(connection) == [(1, "doing", 0), (2, "todo", 0), (1, "todo", 0)]


async def test_what_is_not_pending_gets_no_job(connection: Connection) -> None:
    await add(connection, 1, status="running")
    await connection.execute("UPDATE backtests SET name = 'other'")
    await set_status(connection, 1, "failed")
    assert await jobs(connection) == []


@pytest.mark.each_postgres
async def test_a_waiting_job_follows_its_rows_priority(connection: Connection) -> None:
    await add(connection, 1, 2)
    await connection.execute("UPDATE backtests SET priority = 7 WHERE id = $1", identity(2))
    assert await jobs(connection) == [(1, "todo", 0), (2, "todo", 7)]
    await fetch_job(connection)
    assert await jobs(connection) == [(1, "todo", 0), (2, "doing", 7)]


async def test_whoever_tries_again_does_not_wait_for_the_librarys_back_off(
    connection: Connection,
) -> None:
    await add(connection, 1)
    await on_queue(
        connection, "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour'"
    )
    await set_status(connection, 1, "failed", "pending")
    scheduled = await connection.fetchval(
        f"SELECT scheduled_at FROM {SCHEMA}.procrastinate_jobs WHERE status = 'todo'"
    )
    assert scheduled is None
    assert await jobs(connection) == [(1, "todo", 0)]


@pytest.mark.each_postgres
async def test_deleted_rows_are_forgotten(connection: Connection) -> None:
    """One that runs is aborted; the rest of a user's are cancelled with the user."""
    await add(connection, 1, 2, 3)
    await fetch_job(connection)
    await set_status(connection, 1, "running")
    await connection.execute("DELETE FROM backtests WHERE id = $1", identity(2))
    assert await jobs(connection) == [(1, "doing", 0), (2, "cancelled", 0), (3, "todo", 0)]
    await connection.execute("DELETE FROM users")
    assert await connection.fetchval("SELECT count(*) FROM backtests") == 0
    assert await jobs(connection) == [(1, "doing", 0), (2, "cancelled", 0), (3, "cancelled", 0)]
    aborted = await connection.fetch(
        f"SELECT lock FROM {SCHEMA}.procrastinate_jobs WHERE abort_requested"
    )
    assert [row["lock"] for row in aborted] == [identity(1)]


@pytest.mark.each_postgres
async def test_cancelling_is_for_what_is_to_be_cancelled(connection: Connection) -> None:
    await add(connection, 1, 2)
    await set_status(connection, 2, "failed")
    await connection.execute(f"SELECT {SCHEMA}.cancel_backtests($1)", [identity(1), identity(2)])
    assert await jobs(connection) == [(1, "todo", 0), (2, "cancelled", 0)]


async def test_a_rollback_leaves_no_job(connection: Connection) -> None:
    transaction = connection.transaction()
    await transaction.start()
    await add(connection, 1)
    assert await jobs(connection) == [(1, "todo", 0)]
    await transaction.rollback()
    assert await jobs(connection) == []


@pytest.mark.each_postgres
@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_a_job_that_one_cannot_see_breaks_nothing(
    connection: Connection, second: Connection, isolation: Any
) -> None:
    """What has happened to jobs since the transaction began is not its business.

    1 lost its job and gets it back from a sweep. That of 2 was fetched, and its row is pending
    still: one job too many is a look at the row too many, no more.
    """
    await add(connection, 1, 2)
    await on_queue(connection, "DELETE FROM procrastinate_jobs WHERE lock = $1", identity(1))
    async with connection.transaction(isolation=isolation):
        assert await connection.fetchval("SELECT count(*) FROM backtests") == 2
        await fetch_job(second)
        assert await second.fetchval(f"SELECT {SCHEMA}.defer_waiting()") == 1
        await connection.execute("UPDATE backtests SET priority = 3")
        await connection.execute(INSERT, identity(3), "pending")
    assert await jobs(connection) == [
        (2, "doing", 0),
        (1, "todo", 0),
        (2, "todo", 3),
        (3, "todo", 0),
    ]


@pytest.mark.each_postgres
async def test_two_who_queue_the_same_make_one_job(
    connection: Connection, second: Connection
) -> None:
    await add(connection, 1)
    await on_queue(connection, "DELETE FROM procrastinate_jobs")
    defer = f"SELECT {SCHEMA}.defer_backtests($1)"
    async with connection.transaction():
        await connection.execute(defer, [identity(1)])
        waiting = asyncio.create_task(second.execute(defer, [identity(1)]))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    await waiting
    assert await jobs(connection) == [(1, "todo", 0)]


@pytest.mark.each_postgres
async def test_a_sweep_finds_what_has_no_job_and_waits_for_nobody(
    connection: Connection, second: Connection
) -> None:
    await add(connection, 1, 2, 3, 4)
    await fetch_job(connection)
    await on_queue(connection, "DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    await set_status(connection, 4, "running")
    sweep = f"SELECT {SCHEMA}.defer_waiting()"
    async with connection.transaction():
        await connection.execute("UPDATE backtests SET name = 'x' WHERE id = $1", identity(2))
        assert await second.fetchval(sweep, timeout=5) == 1
    assert await second.fetchval(sweep) == 1
    assert await second.fetchval(sweep) == 0
    assert await jobs(connection) == [(1, "doing", 0), (3, "todo", 0), (2, "todo", 0)]


async def test_ten_thousand_rows_take_a_time_that_grows_with_them(
    connection: Connection,
) -> None:
    """Eight times the rows take no more than twenty times as long (quadratic is 64), or 3 s.

    The tables were never analyzed, as after a deployment, and the session has known them empty.
    """
    loop = asyncio.get_running_loop()
    sweep = f"SELECT {SCHEMA}.defer_waiting()"
    seconds: dict[str, list[float]] = {}
    for rows in (1250, 10_000):
        for name, statement in (
            ("insert", INSERT_MANY.replace("$1", str(rows))),
            ("sweep of none", sweep),
            ("lose the jobs", f"TRUNCATE {SCHEMA}.procrastinate_jobs CASCADE"),
            ("sweep", sweep),
            ("delete", "DELETE FROM backtests"),
        ):
            begun = loop.time()
            await connection.execute(statement)
            seconds.setdefault(name, []).append(loop.time() - begun)
    assert {
        name: (few, many) for name, (few, many) in seconds.items() if many > max(20 * few, 3)
    } == {}
    assert (
        await connection.fetchval(
            f"SELECT count(*) FROM {SCHEMA}.procrastinate_jobs WHERE status = 'cancelled'"
        )
        == 10_000
    )
