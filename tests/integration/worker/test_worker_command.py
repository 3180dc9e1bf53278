"""`etf-backtest worker`, as a process and in ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import run_command, run_here
from tests.integration.worker.conftest import World
from tests.integration.worker.test_worker import until_there


async def test_once_runs_what_is_queued(world: World, queue_url: str) -> None:
    await world.queue("good")
    await world.queue("bad \x1b[31m", benchmark="NOPE")
    ran = run_command("worker", "--once", "--concurrency", "2", url=queue_url)
    assert ran.out == ""
    good, bad = (row.id[:8] for row in await world.db.backtest.find_many(order={"name": "desc"}))
    assert f"backtest {good} 'good' started\n" in ran.err
    assert f"backtest {good} 'good' completed in " in ran.err
    assert f"backtest {bad} 'bad \\x1b[31m' failed in " in ran.err
    assert ran.err.endswith("the worker has stopped\n")
    assert await world.jobs() == []


async def test_a_signal_stops_it_and_another_at_once(
    world: World, queue_url: str, with_strangers: Path, user_home: Path
) -> None:
    await world.queue(strategy="waiting")
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "etf_backtest", "worker", "--grace", "60"],
        env={**os.environ, "DATABASE_URL": queue_url, "PYTHONPATH": str(with_strangers)},
        stderr=subprocess.PIPE,
        text=True,
    )
    await until_there(user_home / "waits")
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    said = ""
    while "stopping: " not in said:
        said = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "stopped at once" in rest
    assert "Traceback" not in rest


def test_what_is_missing_is_said(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run_here("worker", "--once", url=database_url, code=1)
    assert "the database has no queue" in ran.err
    assert "etf-backtest migrate deploy" in ran.err
    monkeypatch.setitem(sys.modules, "procrastinate", None)
    ran = run_here("worker", "--once", url=database_url, code=1)
    assert "pip install 'etf-backtest[worker]'" in ran.err
