"""A worker on a real database: what is queued ends completed or failed, exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from etf_backtest.database.connection import connect
from etf_backtest.database.direct import direct_connection
from etf_backtest.database.models import PrismaError
from etf_backtest.services.backtest import run_backtest
from etf_backtest.services.jobs import running
from etf_backtest.services.jobs.library import DatabaseClock
from etf_backtest.services.jobs.options import WorkerOptions
from etf_backtest.services.request import RunArguments
from etf_backtest.services.submission import cancel_backtest, submit_backtest
from etf_backtest.services.worker import BacktestWorker
from etf_backtest.settings import Settings
from etf_backtest.typing import JsonObject
from tests.integration.queue.jobs import Connection
from tests.integration.worker.conftest import END, START, World

UNIT = {"poll": 0.05, "stalled_after": 1.5, "grace": 0.2, "back_off": 0.2}
"""Options with which nothing takes long."""


@pytest.fixture
async def connection(world: World) -> AsyncIterator[Connection]:
    async with direct_connection(world.db.url) as connection:
        yield connection


@contextlib.asynccontextmanager
async def at_work(world: World, **options: Any) -> AsyncIterator[BacktestWorker]:
    """A worker that works until the end of the block."""
    worker = BacktestWorker(world.db, WorkerOptions(**{**UNIT, **options}))
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await asyncio.wait_for(task, 20)


async def until_status(world: World, backtest_id: str, *statuses: str, within: float = 10) -> None:
    async with asyncio.timeout(within):
        status = None
        while status not in statuses:
            await asyncio.sleep(0.03)
            with contextlib.suppress(PrismaError):  # the engine may have been killed just now
                status = (await world.row(backtest_id)).status


async def until_there(path: Path) -> None:
    async with asyncio.timeout(15):
        while not path.exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.02)


async def test_a_queued_run_is_what_a_direct_one_is(world: World) -> None:
    arguments: RunArguments = {
        "portfolio": "p",
        "strategy": "momentum",
        "start": dt.date(2024, 1, 10),
        "end": dt.date(2024, 3, 1),
        "benchmark": "AAA",
        "risk_free": 0.02,
        "rebalance": "weekly",
    }
    await world.db.execute_raw(
        'UPDATE strategies SET parameters = \'{"look_back": 3, "skip": 0, "top_n": 1}\''
        " WHERE name = 'momentum'"
    )
    direct = await run_backtest(world.db, **arguments)
    queued = await submit_backtest(world.db, **arguments)
    await world.work()
    one, other = await world.row(direct.backtest.id), await world.row(queued.id)
    assert other.status == "completed"
    assert one.results == other.results
    assert cast("JsonObject", other.results)["fingerprint"] == direct.result.fingerprint
    own = {"id", "backtestId", "createdAt", "updatedAt"}
    assert one.metrics is not None
    assert other.metrics is not None
    assert one.metrics.model_dump(exclude=own) == other.metrics.model_dump(exclude=own)
    for column in ("dataRevision", "engineVersion", "conventionsVersion", "options", "name"):
        assert getattr(one, column) == getattr(other, column)
    assert await world.jobs() == []


async def test_bad_rows_fail_with_their_reason_and_hold_nobody_up(
    world: World, with_strangers: Path
) -> None:
    await world.queue("no benchmark", benchmark="NOPE", priority=9)
    await world.queue("no such rule", options={"lagg": 1}, priority=9)
    await world.queue("bad rule", options={"lag": -1}, priority=9)
    await world.queue("bad proxies", options={"proxies": 3}, priority=9)
    await world.queue("too early", start="1999-01-01", priority=9)
    await world.queue("unknown class", strategy="absent", priority=9)
    for name in ("raising", "dying", "looping", "sleepless"):
        await world.queue(name, strategy=name, priority=8)
    await world.queue("theirs", portfolio="other")
    await world.queue("late", priority=-5)
    await world.queue("capital", capital="777.77", options={"initial_capital": 5})
    await world.queue("soon", priority=100)
    (stranger,) = await world.db.query_raw(
        "INSERT INTO users (email, password_hash) VALUES ('eve@example.org', '!')"
        " RETURNING id::text"
    )
    await world.db.execute_raw(
        "UPDATE portfolios SET user_id = $1::uuid WHERE name = 'other'", stranger["id"]
    )
    await world.queue("inactive")
    await world.db.execute_raw(
        "WITH gone AS (INSERT INTO users (email, password_hash, is_active)"
        " VALUES ('bob@example.org', '!', false) RETURNING id)"
        " UPDATE backtests SET user_id = gone.id FROM gone WHERE name = 'inactive'"
    )
    await world.work(timeout=3.0, concurrency=2, back_off=0.1)
    endings = await world.endings()
    expected = {
        "no benchmark": "NOPE: the benchmark has no prices",
        "no such rule": "the stored options: lagg",
        "bad rule": "the stored options: lag",
        "bad proxies": "the stored options: proxies: expected true or false, received 3",
        "too early": "1999-01-01",
        "unknown class": "there is no strategy 'absent'",
        "raising": r"KeyError: 'no such\nthing'",
        "dying": "its computation died twice (exit code 3: about to die)",
        "looping": "it took longer than 3 s",
        "sleepless": "it took longer than 3 s",
        "theirs": "there is no portfolio",
        "inactive": "its owner's account is not active",
        "late": "completed",
        "capital": "completed",
        "soon": "completed",
    }
    for name, reason in expected.items():
        assert reason in endings.pop(name), name
    assert endings == {}
    kept = await world.db.backtest.find_many(order={"startedAt": "asc"})
    rows = {row.name: row for row in kept}
    # by priority, and by the order of insertion
    begun = [name for name in rows if name in ("soon", "no benchmark", "raising", "late")]
    assert begun == ["soon", "no benchmark", "raising", "late"]
    equity = cast("dict[str, list[float]]", rows["capital"].results)["equity"]
    assert equity[0] == 777.77
    assert rows["no benchmark"].attempts == 1
    assert await world.jobs() == []


async def test_two_workers_do_each_job_once(world: World, settings: Settings) -> None:
    await world.db.query_raw(
        "INSERT INTO backtests (user_id, portfolio_id, strategy_id, name, start_date, end_date,"
        " initial_capital) SELECT p.user_id, p.id, s.id, 'job ' || n, $1::date, $2::date, 1000"
        " FROM portfolios p, strategies s, generate_series(1, 30) n"
        " WHERE p.name = 'p' AND s.name = 'equal_weight'",
        START,
        END,
    )
    async with connect(settings) as second:
        await asyncio.gather(world.work(concurrency=2), World(second, world.user).work())
    rows = await world.db.backtest.find_many(include={"metrics": True})
    assert {(row.status, row.attempts, row.metrics is None) for row in rows} == {
        ("completed", 1, False)
    }


async def test_cancelled_while_it_computes(
    world: World, with_strangers: Path, user_home: Path
) -> None:
    async with at_work(world):
        told = await world.queue(strategy="waiting")
        await until_there(user_home / "waits")
        await cancel_backtest(world.db, told)
        following = await world.queue("following")
        await until_status(world, following, "completed")
        # somebody who knows nothing of the queue: found when the claim is renewed
        (user_home / "waits").unlink()
        untold = await world.queue(strategy="waiting")
        await until_there(user_home / "waits")
        await world.db.execute_raw(
            "UPDATE backtests SET status = 'failed', error_message = 'no' WHERE id = $1::uuid",
            untold,
        )
        await until_status(world, await world.queue("last"), "completed")
    assert (await world.row(told)).errorMessage == "cancelled"
    assert (await world.row(untold)).errorMessage == "no"
    assert await world.jobs() == []


async def test_stopping_gives_running_jobs_back(
    world: World, with_strangers: Path, user_home: Path
) -> None:
    async with at_work(world):
        backtest_id = await world.queue(strategy="waiting")
        await until_there(user_home / "waits")
    row = await world.row(backtest_id)
    assert (row.status, row.attempts) == ("pending", 0)
    assert await world.jobs() == [("todo", backtest_id)]
    (user_home / "go").touch()
    await world.work()
    row = await world.row(backtest_id)
    assert (row.status, row.attempts) == ("completed", 1)


FULL = """
CREATE SEQUENCE tries;
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('tries') <= TG_ARGV[0]::int THEN
        RAISE 'no space left on device' USING ERRCODE = 'disk_full';
    END IF;
    RETURN NEW;
END $$;
"""


async def test_what_may_pass_is_tried_again_later(
    world: World, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "STORE_PAUSES", (0.01,))
    await connection.execute(FULL)
    await connection.execute(
        "CREATE TRIGGER full_disk BEFORE INSERT ON performance_metrics"
        " FOR EACH ROW EXECUTE FUNCTION full_disk(3)"
    )
    async with at_work(world):
        backtest_id = await world.queue()
        await until_status(world, backtest_id, "completed")
    row = await world.row(backtest_id)
    # twice in the first attempt, once in the second, which then stores it
    assert row.attempts == 2
    assert row.startedAt is not None
    assert (row.startedAt - row.queuedAt).total_seconds() > 0.2  # the back-off
    await connection.execute("ALTER SEQUENCE tries MINVALUE -1000 RESTART -1000")
    async with at_work(world, most_attempts=2):
        backtest_id = await world.queue()
        await until_status(world, backtest_id, "failed")
    row = await world.row(backtest_id)
    assert "no space left on device" in (row.errorMessage or "")
    assert (row.errorMessage or "").endswith("(tried 2 times)")
    assert await world.jobs() == []


async def test_it_outlives_its_connections_and_its_engine(
    world: World, with_strangers: Path, user_home: Path, connection: Connection
) -> None:
    async with at_work(world):
        waiting = await world.queue(strategy="waiting")
        await until_there(user_home / "waits")
        pid = world.db._engine.process_id  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGKILL)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        (user_home / "go").touch()
        await until_status(world, waiting, "completed")
        await until_status(world, await world.queue("after"), "completed")
    assert await world.jobs() == []


async def test_a_killed_worker_is_replaced_by_another(
    world: World, with_strangers: Path, user_home: Path, queue_url: str
) -> None:
    foreign = await world.queue("foreign")
    await world.db.execute_raw("UPDATE backtests SET status = 'running'")
    waiting = await world.queue(strategy="waiting")
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "etf_backtest", "worker", "--stalled-after", "1.5"],
        env={
            **os.environ,
            "DATABASE_URL": queue_url,
            "PYTHONPATH": str(with_strangers),
            "XDG_CACHE_HOME": str(user_home),
        },
        stderr=subprocess.DEVNULL,
    )
    await until_there(user_home / "waits")
    process.kill()
    process.wait()
    # a row of a dead worker's, of which the queue has lost the job, and one that it never had
    lost, forgotten = await world.queue("lost"), await world.queue("forgotten")
    await world.db.execute_raw(
        "UPDATE backtests SET status = 'running', attempt_id = gen_random_uuid(), attempts = 1,"
        " lease_expires_at = clock_timestamp() - interval '1 s' WHERE id = $1::uuid",
        lost,
    )
    async with world.db.tx() as transaction:
        await transaction.execute_raw("SET LOCAL search_path = etf_backtest_queue")
        await transaction.execute_raw(
            "DELETE FROM procrastinate_jobs WHERE lock IN ($1, $2)", lost, forgotten
        )
    (user_home / "go").touch()
    async with at_work(world):
        # after 1.5 s of silence, at the next pass
        for backtest_id in (waiting, lost, forgotten):
            await until_status(world, backtest_id, "completed")
    row = await world.row(waiting)
    assert (row.attempts, (await world.row(lost)).attempts) == (2, 2)
    assert (await world.row(foreign)).status == "running"
    assert await world.db.performancemetrics.count() == 3
    assert await world.jobs() == []


async def test_times_are_the_databases(world: World) -> None:
    class Here:
        async def execute_query_one_async(self, query: str) -> dict[str, dt.datetime]:
            (row,) = await world.db.query_raw(query)
            return {"now": dt.datetime.fromisoformat(row["now"])}

    clock = DatabaseClock(lambda: dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    await clock.measure(Here())  # type: ignore[arg-type]
    # this machine's clock is the database's here
    assert abs(clock.now() - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=1)
