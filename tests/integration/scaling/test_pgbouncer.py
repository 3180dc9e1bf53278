"""The whole chain through pgbouncer in transaction mode, with two connections to the server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from etf_backtest.database import prisma_cli
from etf_backtest.database.connection import Database, connect
from etf_backtest.database.direct import direct_connection
from etf_backtest.database.models import PrismaError, StrategyType
from etf_backtest.database.price_import import open_import
from etf_backtest.database.price_store import coverage, load_series, store_bars
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import DatabaseUrlError
from etf_backtest.services.accounts import local_user
from etf_backtest.services.backtest import run_backtest
from etf_backtest.services.portfolios import create_portfolio
from etf_backtest.services.verification import verify_backtest
from tests.fixtures.pgbouncer import StartPgBouncer
from tests.integration.scaling.conftest import DAY, SettingsFor, bars

pytestmark = pytest.mark.each_postgres


@pytest.fixture
def pooled_url(database_url: str, start_pgbouncer: StartPgBouncer) -> str:
    return start_pgbouncer().url(database_url, "pgbouncer=true")


@pytest.fixture
async def db(pooled_url: str, settings_for: SettingsFor) -> AsyncIterator[Database]:
    async with connect(settings_for(pooled_url)) as database:
        yield database


async def test_import_run_and_verification(db: Database) -> None:
    """500 in AAA 100 -> 110 and 500 in BBB 50 -> 45: 550 + 450."""
    await store_bars(db.url, bars("AAA", [100, 120, 110]) + bars("BBB", [50, 45, 45]), source="t")
    await db.strategy.create(
        {"name": "buy-and-hold", "type": StrategyType.buy_and_hold, "isSystem": True}
    )
    half = Decimal("0.5")
    await create_portfolio(
        db, name="p", allocations={"AAA": half, "BBB": half}, initial_capital=Decimal(1000)
    )
    run = await run_backtest(db, portfolio="p", strategy="buy-and-hold", benchmark="AAA")
    assert run.result.equity.tolist() == pytest.approx([1000, 1050, 1000], rel=1e-12)
    assert (await verify_backtest(db, run.backtest.id)).identical
    again = await store_bars(db.url, bars("BBB", [50, 45, 46]), source="t")
    assert (again.inserted, again.updated, again.unchanged, again.revision) == (0, 1, 2, 2)
    before = (await load_series(db.url, ["BBB"], as_of=1)).series["BBB"]
    assert before.closes.tolist() == [50.0, 45.0, 45.0]
    assert [row.symbol for row in await coverage(db.url)] == ["AAA", "BBB"]


async def test_many_transactions_at_once_on_two_connections(db: Database) -> None:
    """Forty clients' statements go to whichever connection is free, and none meets another's."""
    user = await local_user(db)

    async def rename(n: int) -> str | None:
        async with db.tx() as transaction:
            await transaction.user.update(where={"id": user.id}, data={"firstName": f"name {n}"})
            await asyncio.sleep(0)
            found = await transaction.user.find_unique_or_raise(where={"id": user.id})
        return found.firstName

    names = await asyncio.gather(*(rename(n) for n in range(20)))
    assert names == [f"name {n}" for n in range(20)]
    counted, covered = await asyncio.gather(
        asyncio.gather(*(db.user.count() for _ in range(40))),
        asyncio.gather(*(coverage(db.url) for _ in range(10))),
    )
    assert (counted, covered) == ([1] * 40, [()] * 10)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  # one transaction
        async with db.tx() as transaction:
            await transaction.user.delete_many()
            raise ZeroDivisionError
    assert await db.user.count() == 1


async def test_queries_outside_of_transactions_are_whole(pooled_url: str) -> None:
    """Each is two steps for asyncpg, between which the server's connection must not change."""
    url = DatabaseUrl.parse(pooled_url)

    async def ask(n: int) -> list[int]:
        async with direct_connection(url) as connection:
            row = await connection.fetchrow("SELECT $1::int AS n", n)
            assert row is not None
            return [
                *[await connection.fetchval("SELECT $1::int + $2::int", n, m) for m in range(20)],
                (await connection.fetch("SELECT $1::int AS n", n))[0]["n"],
                row["n"],
            ]

    answers = await asyncio.gather(*(ask(n) for n in range(8)))
    assert answers == [[n + m for m in range(20)] + [n, n] for n in range(8)]


async def test_an_import_leaves_nothing_on_the_connections(
    pooled_url: str, database_url: str
) -> None:
    """Neither the revision's number, nor its lock, nor staging tables, nor memory settings."""
    url = DatabaseUrl.parse(pooled_url)
    imports = [store_bars(url, bars(f"S{n}", [n + 1.0, n + 2.0]), source="t") for n in range(4)]
    reports = await asyncio.gather(*imports)
    assert sorted(report.revision or 0 for report in reports) == [1, 2, 3, 4]
    left = """
        SELECT coalesce(current_setting('etf_backtest.price_revision', true), ''),
               coalesce(current_setting('etf_backtest.price_table', true), ''),
               current_setting('work_mem'), current_setting('lock_timeout'),
               to_regclass('staged_prices'),
               (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')
    """

    async def look() -> asyncpg.Record | None:
        async with direct_connection(url) as connection, connection.transaction():
            await connection.execute("SELECT pg_sleep(0.05)")  # so that both are in use
            return await connection.fetchrow(left)

    for row in await asyncio.gather(look(), look()):
        assert row is not None
        assert tuple(row) == ("", "", "4MB", "0", None, 0)
    # a row by another way, on the same connections, has a number of its own
    async with direct_connection(url) as connection:
        await connection.execute(
            "INSERT INTO market_data (symbol, date, close, source) VALUES ('X', $1, 1, 't')", DAY
        )
    async with direct_connection(DatabaseUrl.parse(database_url)) as connection:
        assert await connection.fetchval("SELECT revision FROM market_data WHERE symbol = 'X'") == 5


async def test_an_import_that_breaks_off_leaves_nothing(pooled_url: str) -> None:
    url = DatabaseUrl.parse(pooled_url)
    with pytest.raises(ZeroDivisionError):
        async with open_import(url, source="t"):
            raise ZeroDivisionError
    assert await coverage(url) == ()
    assert (await store_bars(url, bars("AAA", [1.0]), source="t")).inserted == 1


async def test_without_the_parameter_the_client_says_what_to_add(
    database_url: str, start_pgbouncer: StartPgBouncer, settings_for: SettingsFor
) -> None:
    """A pgbouncer before 1.20 knows no `options`; one that drops them loses the time zone."""
    pooler = start_pgbouncer()
    with pytest.raises(PrismaError, match="pgbouncer=true"):
        async with connect(settings_for(pooler.url(database_url))):
            pass
    name = DatabaseUrl.parse(database_url).database
    async with direct_connection(DatabaseUrl.parse(database_url)) as connection:
        await connection.execute(f"ALTER DATABASE {name} SET TimeZone = 'Asia/Tokyo'")
    dropping = start_pgbouncer(more="ignore_startup_parameters = options")
    with pytest.raises(PrismaError, match="pgbouncer=true"):
        async with connect(settings_for(dropping.url(database_url))):
            pass
    async with connect(settings_for(dropping.url(database_url, "pgbouncer=true"))) as db:
        assert (await db.query_raw("SHOW TimeZone"))[0] == {"TimeZone": "UTC"}


READING = """
import asyncio, sys
from etf_backtest.database.price_store import load_series
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import DatabaseUrlError
try:
    asyncio.run(load_series(DatabaseUrl.parse(sys.argv[1]), ["A"]))
except DatabaseUrlError as error:
    print(error, error.remedy)
"""


def test_without_the_parameter_reading_prices_says_what_to_add(
    database_url: str, start_pgbouncer: StartPgBouncer
) -> None:
    """The statements of a second process have the names that the first one's had."""
    pooler = start_pgbouncer(pool_size=1)

    def read(*parameters: str) -> str:
        command = [sys.executable, "-c", READING, pooler.url(database_url, *parameters)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert read() == ""
    said = read()
    assert "a connection pooler stands at 127.0.0.1" in said
    assert "add pgbouncer=true" in said
    assert read("pgbouncer=true") == ""


async def test_a_pooler_that_goes_unmentioned_gets_no_named_statements(
    database_url: str, start_pgbouncer: StartPgBouncer, settings_for: SettingsFor
) -> None:
    pooler = start_pgbouncer(pool_size=1, more="ignore_startup_parameters = options")
    url = pooler.url(database_url)
    async with connect(settings_for(url)) as one, connect(settings_for(url)) as other:
        for _ in range(3):
            assert await one.user.count() == 0
            assert await other.etfinfo.count() == 0
        assert await one.query_raw("SELECT name FROM pg_prepared_statements") == []


async def test_migrations_go_to_the_server_itself(
    pooled_url: str, settings_for: SettingsFor, repository: Path
) -> None:
    with pytest.raises(DatabaseUrlError, match="migrations go to the server itself") as refused:
        await prisma_cli.migrate_status(settings_for(pooled_url), pooled_url, directory=repository)
    assert "without pgbouncer=true" in (refused.value.remedy or "")
