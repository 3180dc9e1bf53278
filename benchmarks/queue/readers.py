"""Two hundred readers at once, on a pool of five connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import asyncpg
import numpy as np

from benchmarks.prices.server import Server
from benchmarks.prices.tables import show
from benchmarks.queue.jobs import client, jobs_a_second, prepared, workers
from etf_backtest.services.stored_backtests import list_backtests

READERS, READS, POOL = 200, 5, 5
PLAIN = """
SELECT b.id, b.name, b.status, b.created_at, m.*, p.name AS portfolio, s.name AS strategy
FROM backtests b LEFT JOIN performance_metrics m ON m.backtest_id = b.id
JOIN portfolios p ON p.id = b.portfolio_id JOIN strategies s ON s.id = b.strategy_id
ORDER BY b.created_at DESC LIMIT 1
"""


async def readers(server: Server) -> None:
    """A user's latest backtest with its metrics, through the client, beside asyncpg."""
    url = await prepared(server)
    async with workers(url, 1):
        await jobs_a_second(url, 20)
    rows = []
    pooled = replace(url, parameters=(*url.parameters, ("connection_limit", str(POOL))))
    async with client(pooled) as db:
        rows.append(("etf_backtest", *await measured(lambda: list_backtests(db, limit=1))))
    async with asyncpg.create_pool(min_size=POOL, max_size=POOL, **url.asyncpg_arguments()) as pool:
        rows.append(("asyncpg, one statement", *await measured(lambda: pool.fetch(PLAIN))))
    title = f"{READERS} readers, {READS} reads each, {POOL} connections"
    show(title, ("", "reads/s", "p50 ms", "p99 ms"), rows)


async def measured(read: Callable[[], Awaitable[object]]) -> tuple[str, str, str]:
    """Reads a second, and how long one waits."""
    times: list[float] = []

    async def reader() -> None:
        for _ in range(READS):
            began = time.perf_counter()
            await read()
            times.append(time.perf_counter() - began)

    await read()
    began = time.perf_counter()
    await asyncio.gather(*(reader() for _ in range(READERS)))
    total = time.perf_counter() - began
    p50, p99 = np.percentile(np.array(times) * 1000, [50, 99])
    return f"{len(times) / total:.0f}", f"{p50:.0f}", f"{p99:.0f}"
