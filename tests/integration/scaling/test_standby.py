"""Reading from a hot standby, which streaming replication keeps up with its primary."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from decimal import Decimal

import asyncpg
import pytest

from etf_backtest.database.connection import connect
from etf_backtest.database.models import PrismaError, StrategyType
from etf_backtest.database.price_store import coverage, load_series, store_bars
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import PricesNotStoredError
from etf_backtest.services.backtest import run_backtest
from etf_backtest.services.portfolios import create_portfolio
from etf_backtest.services.stored_backtests import list_backtests
from etf_backtest.services.verification import verify_backtest
from tests.fixtures.cluster import Cluster
from tests.fixtures.postgres import migrate
from tests.integration.scaling.conftest import SettingsFor, bars

pytestmark = pytest.mark.each_postgres

WITHIN = 20
"""Seconds for the standby to come up with the primary."""


@pytest.fixture
def standby(own_postgres: Cluster) -> Iterator[Cluster]:
    """A second server that was copied from the first and follows it."""
    own_postgres.stop()
    standby = Cluster(own_postgres.binaries, pristine=own_postgres.data)
    own_postgres.start()
    primary = f"host={own_postgres.host} port={own_postgres.port} user={own_postgres.user}"
    with (standby.data / "postgresql.conf").open("a") as configuration:
        configuration.write(f"primary_conninfo = '{primary} password={own_postgres.password}'\n")
    (standby.data / "standby.signal").touch()
    standby.start()
    yield standby
    standby.remove()


@pytest.fixture
async def primary_url(own_postgres: Cluster) -> str:
    """A migrated database on the primary."""
    own_postgres.execute("CREATE DATABASE prices")
    url = own_postgres.url("prices")
    await migrate(url)
    return url


async def caught_up(primary: str, standby: Cluster) -> None:
    """Wait until the standby shows what the primary has."""
    writer = await asyncpg.connect(primary)
    # the servers of the tests commit without waiting for the log: this writes all of it out
    position = await writer.fetchval("SELECT pg_switch_wal()")
    await writer.close()
    reader = await asyncpg.connect(standby.url())
    deadline = time.monotonic() + WITHIN
    while await reader.fetchval("SELECT pg_last_wal_replay_lsn() < $1::pg_lsn", position):
        assert time.monotonic() < deadline, standby.log.read_text()
        await asyncio.sleep(0.02)
    await reader.close()


async def test_a_standby_is_read_and_not_written(
    standby: Cluster, primary_url: str, settings_for: SettingsFor
) -> None:
    """All of AAA, 100 -> 110, from 1000: 1100."""
    primary = DatabaseUrl.parse(primary_url)
    await store_bars(primary, bars("AAA", [100.0, 105.0]), source="t")
    await store_bars(primary, bars("AAA", [100.0, 110.0]), source="t")
    async with connect(settings_for(primary_url)) as db:
        await db.strategy.create(
            {"name": "buy-and-hold", "type": StrategyType.buy_and_hold, "isSystem": True}
        )
        await create_portfolio(
            db, name="p", allocations={"AAA": Decimal(1)}, initial_capital=Decimal(1000)
        )
        run = await run_backtest(db, portfolio="p", strategy="buy-and-hold")
    await caught_up(primary_url, standby)

    url = DatabaseUrl.parse(standby.url("prices"))
    stored = await load_series(url, ["AAA"])
    assert stored.series["AAA"].closes.tolist() == [100.0, 110.0]
    assert stored.state == (await load_series(primary, ["AAA"])).state
    before = await load_series(url, ["AAA"], as_of=1)
    assert before.series["AAA"].closes.tolist() == [100.0, 105.0]
    assert [row.sessions for row in await coverage(url)] == [2]

    with pytest.raises(PricesNotStoredError, match="is read-only") as refused:
        await store_bars(url, bars("BBB", [1.0]), source="t")
    assert refused.value.remedy == "import on the primary"

    async with connect(settings_for(url.render())) as db:
        assert [row.id for row in await list_backtests(db)] == [run.backtest.id]
        assert (await verify_backtest(db, run.backtest.id)).identical
        with pytest.raises(PrismaError, match=r"read-only .*: write to the primary"):
            await run_backtest(db, portfolio="p", strategy="buy-and-hold")


async def test_a_database_that_is_only_read_is_told_the_same(
    database_url: str, postgres: Cluster
) -> None:
    name = DatabaseUrl.parse(database_url).database
    await store_bars(DatabaseUrl.parse(database_url), bars("AAA", [100.0]), source="t")
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    url = DatabaseUrl.parse(database_url)
    assert (await load_series(url, ["AAA"])).series["AAA"].closes.tolist() == [100.0]
    with pytest.raises(PricesNotStoredError, match="is read-only"):
        await store_bars(url, bars("BBB", [1.0]), source="t")
