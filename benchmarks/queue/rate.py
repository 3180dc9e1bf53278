"""How many jobs a second."""

from __future__ import annotations

import asyncio
import time

from benchmarks.prices.server import Server
from benchmarks.prices.tables import middle, show
from benchmarks.queue.jobs import END, START, client, jobs_a_second, prepared, workers
from etf_backtest.database.connection import Database
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.services.backtest import run_backtest

ROUNDS = 3
LAYOUTS = ((1, 1), (2, 1), (4, 1), (1, 2), (1, 4))
"""Processes, and jobs at a time in each."""


async def rate(server: Server, *, jobs: int) -> None:
    """Workers, beside the same work called directly."""
    url = await prepared(server)
    direct = await called_directly(url, jobs // 2)
    rows: list[tuple[str, str, str]] = [
        ("`run_backtest` in a loop", f"{direct:.1f}", "1.00"),
    ]
    at_once = await called_directly(url, jobs // 2, at_once=4)
    rows.append(("`run_backtest`, four at a time", f"{at_once:.1f}", f"{at_once / direct:.2f}"))
    for count, concurrency in LAYOUTS:
        async with workers(url, count, concurrency=concurrency):
            speed = middle([await jobs_a_second(url, jobs) for _ in range(ROUNDS)])
        title = f"{count} worker{'s' if count > 1 else ''}, {concurrency} at a time"
        rows.append((title, f"{speed:.1f}", f"{speed / direct:.2f}"))
    show(f"{jobs} short jobs (2 funds, 239 sessions)", ("", "jobs/s", "direct = 1"), rows)


async def called_directly(url: DatabaseUrl, jobs: int, *, at_once: int = 1) -> float:
    """Jobs a second without a queue."""
    async with client(url) as db:
        await _run(db)

        async def some() -> None:
            for _ in range(jobs // at_once):
                await _run(db)

        began = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(at_once)))
        return jobs / (time.perf_counter() - began)


async def _run(db: Database) -> None:
    await run_backtest(db, portfolio="core", strategy="hold", start=START, end=END)
