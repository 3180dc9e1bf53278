"""Somebody who keeps a transaction open, with a lock or with an old view of the data."""

from __future__ import annotations

import asyncio

from tests.integration.faults.conftest import AtWork
from tests.integration.faults.world import World

JOBS = 30
LOCK = "SELECT FROM backtests WHERE id = $1::uuid FOR UPDATE"
SIZE = """
SELECT sum(pg_total_relation_size(oid)) FROM pg_class
WHERE relnamespace = 'etf_backtest_queue'::regnamespace AND relkind = 'r'
"""


async def test_a_locked_row_holds_up_nobody_else(world: World, at_work: AtWork) -> None:
    """One worker that runs one backtest at a time: it must not wait for the lock."""
    locked = await world.add("locked", priority=9)
    async with world.connected() as somebody:
        transaction = somebody.transaction()
        await transaction.start()
        await somebody.execute(LOCK, locked)
        async with at_work(world.url):
            others = [await world.add(f"other {number}") for number in range(3)]
            for backtest_id in others:
                await world.until(backtest_id, "completed", within=20)
            assert (await world.row(locked))["status"] == "pending"
            await transaction.rollback()
            row = await world.until(locked, "completed", "failed")
    assert (row["status"], row["attempts"]) == ("completed", 1)
    verdict = await world.verdict()
    assert verdict.endings == {"completed": (4, 4)}
    assert (verdict.metrics, verdict.mismatched, verdict.jobs_left) == (4, 0, 0)


async def test_a_row_that_is_locked_while_it_runs(world: World, at_work: AtWork) -> None:
    """Locked for longer than the lease: the result is stored when the lock is gone."""
    backtest_id = await world.add("locked")
    async with world.connected() as somebody, at_work(world.url):
        while True:
            transaction = somebody.transaction()
            await transaction.start()
            await somebody.execute(LOCK, backtest_id)
            if (await world.row(backtest_id))["status"] == "running":
                break
            await transaction.rollback()
        await asyncio.sleep(2.5)  # the lease is 1.5 s
        await transaction.rollback()
        row = await world.until(backtest_id, "completed", "failed")
        following = await world.until(await world.add("next"), "completed", "failed")
    assert (row["status"], row["attempts"], following["status"]) == ("completed", 1, "completed")
    assert (await world.verdict()).endings == {"completed": (2, 2)}


async def test_an_old_snapshot_stops_nothing(world: World, at_work: AtWork) -> None:
    """While it is open nothing can be removed; afterwards all of it can, and space is reused."""
    async with world.connected() as somebody, world.connected() as connection:
        snapshot = somebody.transaction(isolation="repeatable_read")
        await snapshot.start()
        assert await somebody.fetchval("SELECT count(*) FROM backtests") == 0
        async with at_work(world.url):
            sizes = []
            for _ in range(2):
                await world.queue(JOBS)
                await world.until_true("bool_and(completed_at IS NOT NULL) FROM backtests")
                sizes.append(await connection.fetchval(SIZE))
            assert await somebody.fetchval("SELECT count(*) FROM backtests") == 0
            await snapshot.rollback()
            await connection.execute("VACUUM etf_backtest_queue.procrastinate_jobs")
            await connection.execute("VACUUM etf_backtest_queue.procrastinate_events")
            await world.queue(JOBS)
            await world.until_true("bool_and(completed_at IS NOT NULL) FROM backtests")
            sizes.append(await connection.fetchval(SIZE))
    assert (await world.verdict()).jobs_left == 0
    assert sizes[2] <= sizes[1]
