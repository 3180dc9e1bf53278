"""A worker stops when it is asked to, whenever that is and whoever hears of it."""

from __future__ import annotations

import asyncio
import logging
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from etf_backtest.services.jobs.computing import ComputingChildren
from etf_backtest.services.jobs.options import WorkerOptions
from etf_backtest.services.jobs.running import BacktestRunner
from etf_backtest.services.worker import BacktestWorker
from tests.fixtures.cluster import Cluster
from tests.integration.worker.conftest import World
from tests.integration.worker.test_worker import at_work, until_there

# asleep while it is claimed, so that there is time to cancel it
SLOW_CLAIMS = (
    "CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END'",
    "CREATE TRIGGER a_slow_claim BEFORE UPDATE ON backtests FOR EACH ROW"
    " WHEN (NEW.status = 'running') EXECUTE FUNCTION be_slow()",
)
CLAIMED = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = $1"
REGISTERED = "SELECT FROM etf_backtest_queue.procrastinate_workers"


async def test_the_last_runs_of_once_are_given_back(
    world: World, with_strangers: Path, user_home: Path
) -> None:
    # two at once: the library finds no second job, and waits for the first to end
    backtest_id = await world.queue(strategy="waiting")
    async with at_work(world, once=True, concurrency=2, grace=0.2):
        await until_there(user_home / "waits")
    row = await world.row(backtest_id)
    assert (row.status, row.attempts) == ("pending", 0)
    assert await world.jobs() == [("todo", backtest_id)]


@pytest.mark.parametrize(("stops", "status"), [(True, "pending"), (False, "failed")])
async def test_one_cancelled_while_it_is_claimed_is_let_go(
    world: World, stops: bool, status: str
) -> None:
    for statement in SLOW_CLAIMS:
        await world.db.execute_raw(statement)
    backtest_id = await world.queue()
    runner = BacktestRunner(world.db, ComputingChildren(), WorkerOptions())
    running = asyncio.create_task(runner.run(backtest_id, stopping=lambda: stops))
    async with asyncio.timeout(10):
        while not await world.db.execute_raw(CLAIMED, world.db.url.database):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    running.cancel()
    await running  # without an error
    row = await world.row(backtest_id)
    # given back, it is not counted
    assert (row.status, row.attempts) == (status, 0 if stops else 1)


async def test_one_that_runs_nothing_does_not_wait_for_its_database(
    world: World, postgres: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "etf_backtest.services.jobs.library")
    worker = BacktestWorker(world.db, WorkerOptions(grace=30, stalled_after=1.5, poll=0.1))
    task = asyncio.create_task(worker.run())
    name = world.db.url.database
    async with asyncio.timeout(20):
        while not await world.db.execute_raw(REGISTERED):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        postgres.execute(
            f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false',
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        while "the database is away" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    began = time.monotonic()
    worker.stop()
    await task
    # one second for what is under way, one to say that it ends, and the time to end its connections
    assert time.monotonic() - began < 5


async def test_one_stopped_before_it_works_does_not_begin(world: World) -> None:
    backtest_id = await world.queue()
    worker = BacktestWorker(world.db, WorkerOptions())
    worker.stop()
    await worker.run()
    assert (await world.row(backtest_id)).status == "pending"


def test_it_stops_when_its_terminal_is_gone(queue_url: str, world: World, user_home: Path) -> None:
    terminal, its_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "etf_backtest", "worker"],
        env={**os.environ, "DATABASE_URL": queue_url},
        stdin=subprocess.DEVNULL,
        stderr=its_end,
        start_new_session=True,
    )
    os.close(its_end)
    said = b""
    while b"stops it" not in said:
        said += os.read(terminal, 1000)
    os.close(terminal)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_it_ends_while_it_waits_for_its_database() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "etf_backtest", "worker"],
        env={**os.environ, "DATABASE_URL": "postgresql://etf:etf@127.0.0.1:1/etf"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "tried again" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    # as after Ctrl-C: a container's first process has to see to the signal itself
    assert (process.returncode, "Traceback" in said) == (130, False)
