"""market_data in partitions, as docs/scaling/partition_market_data.sql makes it: all goes on."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

from etf_backtest.database import prisma_cli
from etf_backtest.database.connection import Database, connect
from etf_backtest.database.models import StrategyType
from etf_backtest.database.price_store import coverage, load_series, store_bars
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.services.backtest import run_backtest
from etf_backtest.services.portfolios import create_portfolio
from etf_backtest.services.verification import verify_backtest
from tests.integration.migrations.heard import Heard
from tests.integration.scaling.conftest import DAY, SettingsFor, bars

pytestmark = pytest.mark.each_postgres

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
SCRIPT = Path("docs/scaling/partition_market_data.sql")
SYMBOLS = [f"S{n}" for n in range(24)]
ROWS = "SELECT * FROM market_data ORDER BY symbol, date"


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def url(database_url: str, connection: Connection, repository: Path) -> DatabaseUrl:
    """A database with prices of 24 symbols, one of which was revised, then partitioned."""
    url = DatabaseUrl.parse(database_url)
    every = [bar for n, symbol in enumerate(SYMBOLS) for bar in bars(symbol, [n + 1.0, n + 2.0])]
    await store_bars(url, every, source="t")
    await store_bars(url, bars("S3", [4.0, 6.0]), source="t")
    before = await connection.fetch(ROWS)
    await connection.execute((repository / SCRIPT).read_text())
    assert await connection.fetch(ROWS) == before
    return url


@pytest.fixture
async def db(url: DatabaseUrl, settings_for: SettingsFor) -> AsyncIterator[Database]:
    async with connect(settings_for(url.render())) as database:
        yield database


async def test_rows_rules_defaults_and_triggers_are_those_of_the_table(
    url: DatabaseUrl, connection: Connection
) -> None:
    assert len(await coverage(url)) == 24
    partitions = await connection.fetch(
        "SELECT tableoid::regclass AS name, count(DISTINCT symbol) FROM market_data GROUP BY 1"
    )
    assert len(partitions) > 4  # 24 symbols over 8 partitions
    # checks, with the names that docs/database.md has
    insert = "INSERT INTO market_data (symbol, date, close, source) VALUES ('S1', $1, $2, 't')"
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await connection.execute(insert, DAY + dt.timedelta(9), Decimal(-1))
    assert refused.value.constraint_name == "market_data_close_positive"
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute(insert, DAY, Decimal(1))
    with pytest.raises(asyncpg.CheckViolationError, match="TRUNCATE on market_data is refused"):
        await connection.execute("TRUNCATE market_data")
    triggers = "SELECT tgname FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal"
    names = {row["tgname"] for row in await connection.fetch(triggers, "market_data")}
    assert names == {
        *("market_data_begin_revision", "market_data_set_revision", "market_data_set_updated_at"),
        *("market_data_keep_inserted", "market_data_keep_updated", "market_data_keep_deleted"),
        "market_data_no_truncate",
    }


async def test_an_import_again_changes_only_what_differs(
    url: DatabaseUrl, connection: Connection
) -> None:
    """Rows of two partitions stand at the same place in theirs; each gets its own new values."""
    new = {symbol: [n + 1.0, n + 2.5] for n, symbol in enumerate(SYMBOLS)}
    every = [bar for symbol, closes in new.items() for bar in bars(symbol, closes)]
    report = await store_bars(url, every, source="t")
    assert (report.inserted, report.updated, report.unchanged) == (0, 24, 24)
    assert report.revision == 3
    live = (await load_series(url, SYMBOLS)).series
    assert {symbol: live[symbol].closes.tolist() for symbol in SYMBOLS} == new
    again = await store_bars(url, every, source="t")
    assert (again.unchanged, again.revision) == (48, None)
    stored = await connection.fetch(
        "SELECT symbol, array_agg(close ORDER BY date) AS closes FROM market_data GROUP BY symbol"
    )
    assert {row["symbol"]: [float(close) for close in row["closes"]] for row in stored} == new


async def test_every_state_can_be_read_as_it_was(url: DatabaseUrl, connection: Connection) -> None:
    await store_bars(url, bars("S3", [4.0, 7.0]) + bars("NEW", [1.0]), source="t")
    await connection.execute("DELETE FROM market_data WHERE symbol = 'S3' AND date = $1", DAY)
    # a row that moves into another symbol's partition
    await connection.execute("UPDATE market_data SET symbol = 'NEW2' WHERE symbol = 'NEW'")
    closes = []
    for number in (1, 2, 3, 4):
        found = (await load_series(url, ["S3"], as_of=number)).series["S3"]
        closes.append(found.closes.tolist())
    assert closes == [[4.0, 5.0], [4.0, 6.0], [4.0, 7.0], [7.0]]
    for number, names in ((2, set()), (3, {"NEW"}), (4, {"NEW"}), (5, {"NEW2"})):
        found_names = set((await load_series(url, ["NEW", "NEW2"], as_of=number)).series)
        assert found_names == names
    counts = await connection.fetch(
        "SELECT inserted, updated, deleted FROM price_revisions WHERE number > 2 ORDER BY number"
    )
    assert [tuple(row) for row in counts] == [(1, 1, 0), (0, 0, 1), (0, 1, 0)]


async def test_a_partition_is_not_written_by_its_own_name(
    url: DatabaseUrl, connection: Connection
) -> None:
    (partition,) = await connection.fetchrow(
        "SELECT tableoid::regclass::text FROM market_data WHERE symbol = 'S1'"
    ) or ("",)
    for statement in (
        f"DELETE FROM {partition}",
        f"UPDATE {partition} SET close = 1",
        f"TRUNCATE {partition}",
        f"INSERT INTO {partition} SELECT * FROM market_data WHERE false",
    ):
        with pytest.raises(asyncpg.CheckViolationError, match="would not be kept"):
            await connection.execute(statement)


async def test_the_client_finds_rows_by_id_and_writes_them(db: Database) -> None:
    """The database no longer holds that an id is unique by itself; the client's queries go on."""
    row = await db.marketdata.find_first_or_raise(where={"symbol": "S1"})
    assert await db.marketdata.find_unique(where={"id": row.id}) == row
    day: Any = {"symbol_date": {"symbol": "S1", "date": row.date}}
    assert await db.marketdata.find_unique(where=day) == row
    changed = await db.marketdata.update(where={"id": row.id}, data={"close": Decimal(9)})
    assert changed is not None
    assert (changed.close, changed.revision) == (Decimal(9), 3)
    data: Any = {
        "create": {"symbol": "S1", "date": row.date, "close": Decimal(1), "source": "t"},
        "update": {"close": Decimal(8)},
    }
    by_id: Any = {"id": row.id}
    for where in (day, by_id):
        written = await db.marketdata.upsert(where=where, data=data)
        assert (written.id, written.close) == (row.id, Decimal(8))
    assert await db.marketdata.delete(where={"id": row.id}) is not None
    assert await db.marketdata.count(where={"symbol": "S1"}) == 1


async def test_a_backtest_is_run_and_verified(db: Database) -> None:
    """500 in S1 2 -> 3 and 500 in S3 4 -> 6: 750 + 750."""
    await db.strategy.create(
        {"name": "buy-and-hold", "type": StrategyType.buy_and_hold, "isSystem": True}
    )
    half = Decimal("0.5")
    await create_portfolio(
        db, name="p", allocations={"S1": half, "S3": half}, initial_capital=Decimal(1000)
    )
    run = await run_backtest(db, portfolio="p", strategy="buy-and-hold")
    assert run.result.equity.tolist() == pytest.approx([1000, 1500], rel=1e-12)
    assert (await verify_backtest(db, run.backtest.id)).identical


async def test_readers_look_into_one_partition(url: DatabaseUrl, connection: Connection) -> None:
    plan = await connection.fetch(
        "EXPLAIN SELECT close FROM market_data WHERE symbol = 'S1' AND date > '2024-1-1'"
    )
    lines = "\n".join(row[0] for row in plan)
    assert lines.count(" on market_data_") == 1


async def test_what_prisma_says_of_it(
    empty_database: str, settings_for: SettingsFor, repository: Path, heard: Heard
) -> None:
    settings, given = settings_for(empty_database), heard.on(repository)
    assert await prisma_cli.migrate_deploy(settings, empty_database, **given) == 0
    connection = await asyncpg.connect(empty_database)
    await connection.execute((repository / SCRIPT).read_text())
    await connection.close()
    heard.take()
    assert await prisma_cli.migrate_status(settings, empty_database, **given) == 0
    assert await prisma_cli.migrate_deploy(settings, empty_database, **given) == 0
    heard.take()
    # the one thing that it sees: schema.prisma says that the key is the id alone
    code = await prisma_cli.migrate_diff(
        settings, empty_database, from_="database", to="schema", exit_code=True, **given
    )
    said = [line.strip() for line in heard.take().splitlines()]
    assert (code, said) == (
        2,
        [
            "[*] Changed the `market_data` table",
            "[-] Dropped the primary key on columns (id, symbol)",
            "[+] Added primary key on columns (id)",
            ")",
        ],
    )
    # and what the migrations say is what the schema says, as before
    code = await prisma_cli.migrate_diff(settings, empty_database, exit_code=True, **given)
    assert (code, heard.take()) == (0, "No difference detected.\n")
