"""A database with the queue and prices, and workers in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from etf_backtest.database.connection import connect
from etf_backtest.services.jobs.options import WorkerOptions
from etf_backtest.services.worker import BacktestWorker
from etf_backtest.settings import Settings
from tests.fixtures.own_settings import settings_of
from tests.integration.faults.processes import Workers
from tests.integration.faults.world import World
from tests.integration.worker import strangers

QUICK = {"poll": 0.05, "stalled_after": 1.5, "grace": 0.2, "back_off": 0.2}
"""Options with which nothing takes long."""
AtWork: TypeAlias = Callable[..., AbstractAsyncContextManager[BacktestWorker]]


@pytest.fixture
async def world(queue_url: str) -> World:
    """On the server that all tests share."""
    return await World.fill(queue_url)


@pytest.fixture
def settings_for(user_home: Path) -> Callable[[str], Settings]:
    """Settings of who uses the database of a URL."""

    def make(url: str) -> Settings:
        return settings_of(url, user_home)

    return make


@pytest.fixture
def at_work(settings_for: Callable[[str], Settings]) -> AtWork:
    """A worker in this process that works until the end of the block."""

    @asynccontextmanager
    async def begin(url: str, **options: Any) -> AsyncIterator[BacktestWorker]:
        async with connect(settings_for(url)) as db:
            worker = BacktestWorker(db, WorkerOptions(**{**QUICK, **options}))
            task = asyncio.create_task(worker.run())
            try:
                yield worker
            finally:
                worker.stop()
                await asyncio.wait_for(task, 20)

    return begin


@pytest.fixture
def with_strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path with strategies of strangers."""
    strangers.install(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    """Workers that are processes; a worker that says nothing for two seconds counts as dead."""
    workers = Workers(tmp_path, ("--concurrency", "1", "--stalled-after", "2"))
    yield workers
    workers.end()
