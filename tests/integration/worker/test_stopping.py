"""A worker stops when it is asked to, whenever that is and whoever hears of it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

from etf_backtest.services.jobs.options import WorkerOptions
from etf_backtest.services.worker import BacktestWorker
from tests.integration.worker.conftest import World
from tests.integration.worker.test_worker import at_work, until_there


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
