"""Workers whose database is not there, not ready, or taken away from under them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import psutil
import pytest

from etf_backtest.database.connection import connect
from etf_backtest.database.queue import install_queue
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import QueueMissingError
from etf_backtest.services.worker import BacktestWorker
from etf_backtest.settings import Settings
from tests.fixtures.cluster import Cluster
from tests.integration.faults.conftest import AtWork
from tests.integration.faults.processes import Workers
from tests.integration.faults.world import NAME, World

LOST_FOR = 4.0
COPY = f"{NAME}_copy"
ELSEWHERE = f"{NAME}_elsewhere"
RENAMED = (
    f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS false",
    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{NAME}'",
    f"ALTER DATABASE {NAME} RENAME TO {ELSEWHERE}",
)
RENAMED_BACK = (
    f"ALTER DATABASE {ELSEWHERE} RENAME TO {NAME}",
    f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS true",
)
DROPPED = (f"DROP DATABASE {NAME} WITH (FORCE)",)
# as after a restore: another database by the old name, which does not know the worker
RESTORED = (f"ALTER DATABASE {COPY} RENAME TO {NAME}",)


def seconds_used(worker: psutil.Process) -> float:
    """Seconds of processor that a worker and its children have used."""
    times = [each.cpu_times() for each in (worker, *worker.children(recursive=True))]
    return sum(time.user + time.system for time in times)


async def test_a_database_that_is_taken_away_and_comes_back(
    own_postgres: Cluster, workers: Workers
) -> None:
    world = await World.make(own_postgres)
    own_postgres.execute(f"CREATE DATABASE {COPY} TEMPLATE {NAME}")
    workers.start("one", world.url)
    await world.until(await world.add("before"), "completed", within=30)
    worker = psutil.Process(workers.running["one"].pid)
    shares = []
    for taken, returned in ((RENAMED, RENAMED_BACK), (DROPPED, RESTORED)):
        own_postgres.execute(*taken)
        used, began = seconds_used(worker), time.monotonic()
        await asyncio.sleep(LOST_FOR)
        shares.append((seconds_used(worker) - used) / (time.monotonic() - began))
        own_postgres.execute(*returned)
        await world.until(await world.add("after"), "completed", within=60)
    assert workers.stop() == {"one": 0}
    log = workers.log("one")
    # once each time, in one line
    assert log.count("the database is away, and is tried again: ") == 2, log
    assert log.count("the database is back after") == 2, log
    assert "Traceback" not in log
    # it waits, and does nothing else
    assert max(shares) < 0.2
    assert (await world.verdict()).jobs_left == 0


async def test_a_queue_that_is_not_installed_yet(
    database_url: str, settings_for: Callable[[str], Settings], at_work: AtWork
) -> None:
    async with connect(settings_for(database_url)) as db:
        with pytest.raises(QueueMissingError, match="migrate deploy"):
            await BacktestWorker(db).run()
    await install_queue(DatabaseUrl.parse(database_url))
    world = await World.fill(database_url)
    async with at_work(database_url):
        await world.until(await world.add("now"), "completed")
