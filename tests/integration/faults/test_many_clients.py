"""More clients than connections."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from etf_backtest.database.connection import Database, connect
from etf_backtest.database.models import PrismaError
from etf_backtest.errors import DatabaseConnectionError
from etf_backtest.services.stored_backtests import find_backtest, list_backtests
from etf_backtest.services.submission import submit_backtest
from etf_backtest.settings import Settings
from tests.fixtures.cluster import Cluster
from tests.integration.faults.world import World

SettingsFor = Callable[[str], Settings]
CLIENTS = 200
POOL = 5
SLOTS = 8
"""Connections that a small server takes, of which PostgreSQL keeps three for administrators."""
PROCESSES = 16
ADA = "ada@example.org"


async def submit(db: Database, number: int) -> str:
    row = await submit_backtest(
        db, portfolio="core", strategy="equal_weight", name=f"{number}", user=ADA
    )
    return row.status


async def test_two_hundred_clients_on_five_connections(
    world: World, settings_for: SettingsFor
) -> None:
    shown = await world.add("shown")
    async with world.connected() as connection:
        await connection.execute("UPDATE users SET subscription_tier = 'premium'")
    async with connect(settings_for(f"{world.url}?connection_limit={POOL}")) as db:

        async def client(number: int) -> str:
            if number % 4 == 0:
                return await submit(db, number)
            if number % 4 == 1:
                return (await find_backtest(db, shown, user=ADA)).name
            return type(await list_backtests(db, user=ADA)).__name__

        most = 0

        async def count() -> None:
            nonlocal most
            while True:
                most = max(most, await world.connections())
                await asyncio.sleep(0.05)

        counting = asyncio.create_task(count())
        async with asyncio.timeout(60):
            answers = await asyncio.gather(*map(client, range(CLIENTS)))
        counting.cancel()
        await asyncio.wait([counting])
    assert Counter(answers) == {"pending": 50, "shown": 50, "list": 100}
    # those of the engine, and as many for whole series of prices
    assert most <= 2 * POOL
    # each is queued, once
    assert await world.statuses() == {"pending": 51}
    assert (await world.verdict()).jobs_left == 51


async def test_more_processes_than_the_server_takes(
    own_postgres: Cluster, settings_for: SettingsFor
) -> None:
    own_postgres.execute(f"ALTER SYSTEM SET max_connections = {SLOTS}")
    own_postgres.execute("ALTER SYSTEM SET max_wal_senders = 0")
    own_postgres.restart()
    world = await World.make(own_postgres)
    refusals: list[str] = []
    all_have_knocked = asyncio.Event()
    knocked = 0

    def knock() -> None:
        nonlocal knocked
        knocked += 1
        if knocked == PROCESSES:
            all_have_knocked.set()

    async def client(number: int) -> None:
        """What a command does: an engine of its own, one connection, and an end."""
        async with connect(settings_for(world.url)) as db:
            knock()
            await all_have_knocked.wait()
            await submit(db, number)

    async def patient_client(number: int) -> None:
        """Who tries again when he is refused."""
        while True:
            try:
                return await client(number)
            except (DatabaseConnectionError, PrismaError) as error:
                refusals.append(str(error))
                knock()
            await all_have_knocked.wait()
            await asyncio.sleep(0.2)

    async with asyncio.timeout(60):
        await asyncio.gather(*map(patient_client, range(PROCESSES)))
    assert await world.statuses() == {"pending": PROCESSES}
    assert (await world.verdict()).jobs_left == PROCESSES
    # at least so many as there was no connection for, and each says so: most when they connect,
    # some when they ask for prices
    assert len(refusals) >= PROCESSES - SLOTS
    assert {"too many clients" in refusal or "reserved" in refusal for refusal in refusals} == {
        True
    }
