"""From the row that is inserted to the start of its run, where a worker has nothing else to do."""

from __future__ import annotations

import asyncio

import numpy as np

from benchmarks.prices.server import Server, ask, execute
from benchmarks.prices.tables import show
from benchmarks.queue.jobs import prepared, queued, until_done, workers
from etf_backtest.database.url import DatabaseUrl

PAUSE = 0.1


async def latency(server: Server, *, jobs: int) -> None:
    """One job at a time, with pauses."""
    url = await prepared(server)
    rows = []
    for count in (1, 2):
        async with workers(url, count):
            rows.append((str(count), *await waited(url, min(jobs, 200))))
    show("Milliseconds from insert to start, one job every 0.1 s", ("workers", "p50", "p99"), rows)


async def waited(url: DatabaseUrl, jobs: int) -> tuple[str, str]:
    """Median and 99th percentile, as the database's clock has them."""
    (last,) = await ask(url, "SELECT coalesce(max(queued_at), now()) FROM backtests")
    for _ in range(jobs):
        await execute(url, queued(1))
        await asyncio.sleep(PAUSE)
    await until_done(url)
    times = await ask(
        url,
        "SELECT extract(epoch FROM started_at - queued_at) * 1000 FROM backtests"
        f" WHERE queued_at > '{last[0].isoformat()}'",
    )
    values = np.array([float(row[0]) for row in times])
    assert len(values) == jobs
    return f"{np.percentile(values, 50):.0f}", f"{np.percentile(values, 99):.0f}"
