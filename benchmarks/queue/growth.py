"""The same with a million finished rows in the table."""

from __future__ import annotations

import time

from benchmarks.prices.server import Server, execute
from benchmarks.prices.tables import middle, seconds, show
from benchmarks.queue.jobs import COLUMNS, OF_ROW, client, jobs_a_second, prepared, workers
from benchmarks.queue.latency import waited
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.services.stored_backtests import list_backtests

AT_ONCE = 100_000
ROUNDS = 3


def finished(rows: int) -> str:
    """The statement that inserts so many completed rows, with small results."""
    return (
        f"{COLUMNS}, status, results, queued_at) {OF_ROW}, 'completed',"
        " jsonb_build_object('schema', 2, 'final_value', number),"
        " now() - interval '30 days' + number * interval '1 second'"
        f" FROM generate_series(1, {rows}) AS number, portfolios p, strategies s"
    )


async def growth(server: Server, *, jobs: int, rows: int) -> None:
    """Jobs a second, latency and a list, before and after."""
    url = await prepared(server)
    before = await _figures(url, jobs)
    began = time.perf_counter()
    for _ in range(rows // AT_ONCE):
        await execute(url, finished(AT_ONCE))
    await execute(url, "VACUUM ANALYZE backtests")
    print(f"\n{rows:,} finished rows were inserted in {time.perf_counter() - began:.0f} s")
    after = await _figures(url, jobs)
    head = ("finished rows", "jobs/s", "insert to start p50", "p99 ms", "list of 50, ms")
    show("Growth, one worker", head, [("none", *before), (f"{rows:,}", *after)])


async def _figures(url: DatabaseUrl, jobs: int) -> tuple[str, str, str, str]:
    async with workers(url, 1):
        speed = middle([await jobs_a_second(url, jobs // 2) for _ in range(ROUNDS)])
        p50, p99 = await waited(url, min(jobs, 100))
    async with client(url) as db:
        await list_backtests(db)
        listed = middle([await seconds(lambda: list_backtests(db)) for _ in range(5)])
    return f"{speed:.1f}", p50, p99, f"{listed * 1000:.1f}"
