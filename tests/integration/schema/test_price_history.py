"""No way to write prices goes past their history."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args

import asyncpg
import pytest
from sqlalchemy import select
from sqlalchemy.engine import Connection as SyncConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import Session

from etf_backtest.database.connection import connect
from tests.fixtures.own_settings import settings_of
from tests.integration.schema.price_states import (
    DAY,
    LATER,
    NEXT,
    State,
    kept,
    last_touched,
    latest,
    row,
    state,
    stored,
)
from tests.integration.schema.rows import Connection

pytestmark = pytest.mark.each_postgres

Isolation = Literal["read_committed", "repeatable_read", "serializable"]
BEFORE: State = {**row("AAA", DAY, "10"), **row("AAA", NEXT, "11"), **row("BBB", DAY, "20")}
INSERT = "INSERT INTO market_data (symbol, date, close, source) VALUES "
A1, A2, B1 = BEFORE
INSTEAD = " ON CONFLICT (symbol, date) DO UPDATE SET close = excluded.close"
UPDATE = "UPDATE market_data SET close = "
AAA_TODAY = " WHERE symbol = 'AAA' AND date = '2024-01-02'"


@pytest.fixture
async def prices(database_url: str) -> AsyncIterator[Connection]:
    """A connection to a database of the test's own, in which one revision wrote `BEFORE`."""
    connection = await asyncpg.connect(database_url)
    await connection.executemany(
        "INSERT INTO market_data (symbol, date, close, source) VALUES ($1, $2, $3, $4)",
        [(*key, *values) for key, values in BEFORE.items()],
    )
    yield connection
    await connection.close()


def changed(**closes: str | None) -> State:
    """`BEFORE` with other closes on `DAY`, by symbol; None: without that row."""
    new = {**BEFORE, **{(name, DAY): (Decimal(x), "test") for name, x in closes.items() if x}}
    return {key: new[key] for key in new if key[1] != DAY or closes.get(key[0], "") is not None}


# name: statements of one transaction, what is stored after it, versions kept, symbols touched
PATHS: dict[str, tuple[str, State, int, set[str]]] = {
    "insert": (INSERT + "('CCC', '2024-01-02', 30, 'test')", changed(CCC="30"), 0, {"CCC"}),
    "insert, and instead of": (
        INSERT + "('AAA', '2024-01-02', 12, 'b'), ('CCC', '2024-01-02', 30, 'test')" + INSTEAD,
        changed(AAA="12", CCC="30"),
        1,
        {"AAA", "CCC"},
    ),
    "insert, or nothing": (
        INSERT + "('AAA', '2024-01-02', 12, 'b') ON CONFLICT DO NOTHING",
        BEFORE,
        0,
        set(),
    ),
    "update": (UPDATE + "12" + AAA_TODAY, changed(AAA="12"), 1, {"AAA"}),
    "update from": (
        UPDATE + "given.close FROM (VALUES ('AAA', 12), ('BBB', 22)) AS given (symbol, close)"
        " WHERE market_data.symbol = given.symbol AND date = '2024-01-02'",
        changed(AAA="12", BBB="22"),
        2,
        {"AAA", "BBB"},
    ),
    "update that changes nothing": ("UPDATE market_data SET close = close", BEFORE, 0, set()),
    "update of no row": (UPDATE + "1 WHERE symbol = 'ZZZ'", BEFORE, 0, set()),
    "update of the revision": ("UPDATE market_data SET revision = 7", BEFORE, 0, set()),
    "update of the symbol": (
        "UPDATE market_data SET symbol = 'CCC'" + AAA_TODAY,
        {A2: BEFORE[A2], B1: BEFORE[B1], **row("CCC", DAY, "10")},
        1,
        {"AAA", "CCC"},
    ),
    "update of the date": (
        "UPDATE market_data SET date = '2024-01-04'" + AAA_TODAY,
        {A2: BEFORE[A2], B1: BEFORE[B1], **row("AAA", LATER, "10")},
        1,
        {"AAA"},
    ),
    "update of the id": (
        "UPDATE market_data SET id = gen_random_uuid() WHERE symbol = 'BBB'",
        BEFORE,
        1,
        {"BBB"},
    ),
    "update of the id, and of another row": (
        "UPDATE market_data SET id = CASE symbol WHEN 'BBB' THEN gen_random_uuid() ELSE id END,"
        " close = CASE symbol WHEN 'BBB' THEN close ELSE close + 1 END",
        {**changed(AAA="11"), A2: (Decimal(12), "test")},
        3,
        {"AAA", "BBB"},
    ),
    "update of the source": (
        "UPDATE market_data SET source = 'b' WHERE symbol = 'BBB'",
        {**BEFORE, B1: (Decimal(20), "b")},
        1,
        {"BBB"},
    ),
    "delete": ("DELETE FROM market_data" + AAA_TODAY, changed(AAA=None), 1, {"AAA"}),
    "delete of everything": ("DELETE FROM market_data", {}, 3, {"AAA", "BBB"}),
    "merge": (
        "MERGE INTO market_data AS m USING (VALUES ('AAA', date '2024-01-02', 12),"
        " ('BBB', '2024-01-02', 0), ('CCC', '2024-01-02', 30)) AS n (symbol, date, close)"
        " ON m.symbol = n.symbol AND m.date = n.date"
        " WHEN MATCHED AND n.close = 0 THEN DELETE"
        " WHEN MATCHED THEN UPDATE SET close = n.close"
        " WHEN NOT MATCHED THEN INSERT (symbol, date, close, source)"
        " VALUES (n.symbol, n.date, n.close, 'test')",
        changed(AAA="12", BBB=None, CCC="30"),
        2,
        {"AAA", "BBB", "CCC"},
    ),
    "moved by one statement": (
        "WITH gone AS (DELETE FROM market_data WHERE symbol = 'BBB' RETURNING *) "
        "INSERT INTO market_data (symbol, date, close, source)"
        " SELECT 'CCC', date, close, source FROM gone",
        {A1: BEFORE[A1], A2: BEFORE[A2], **row("CCC", DAY, "20")},
        1,
        {"BBB", "CCC"},
    ),
    "several statements": (
        f"{UPDATE}12{AAA_TODAY}; {UPDATE}13{AAA_TODAY}; DELETE FROM market_data{AAA_TODAY};"
        f" {INSERT}('AAA', '2024-01-02', 14, 'test'); {UPDATE}15{AAA_TODAY}",
        changed(AAA="15"),
        1,
        {"AAA"},
    ),
    "there and back": (f"{UPDATE}12{AAA_TODAY}; {UPDATE}10{AAA_TODAY}", BEFORE, 1, {"AAA"}),
    "inserted and removed": (
        INSERT + "('CCC', '2024-01-02', 3, 'test'); DELETE FROM market_data WHERE symbol = 'CCC'",
        BEFORE,
        0,
        {"CCC"},
    ),
    "after a savepoint that was rolled back": (
        f"SAVEPOINT s; {UPDATE}12 WHERE symbol = 'BBB'; ROLLBACK TO s; {UPDATE}12{AAA_TODAY}",
        changed(AAA="12"),
        1,
        {"AAA"},
    ),
    "before a savepoint that was rolled back": (
        f"{UPDATE}12{AAA_TODAY}; SAVEPOINT s; {UPDATE}13{AAA_TODAY}; ROLLBACK TO s",
        changed(AAA="12"),
        1,
        {"AAA"},
    ),
    "after an error that was caught": (
        "DO $$ BEGIN UPDATE market_data SET close = 0; EXCEPTION WHEN check_violation THEN"
        " UPDATE market_data SET close = 12 WHERE symbol = 'AAA' AND date = '2024-01-02'; END $$",
        changed(AAA="12"),
        1,
        {"AAA"},
    ),
}


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_leaves_what_was(prices: Connection, path: str) -> None:
    statements, expected, versions, symbols = PATHS[path]
    first, was_touched = await latest(prices), await last_touched(prices)
    async with prices.transaction():
        await prices.execute(statements)
    assert await stored(prices) == expected
    assert await state(prices, first) == BEFORE
    assert await kept(prices) == versions
    number = await latest(prices)
    assert await state(prices, number) == expected
    assert (number > first) == bool(symbols)
    touched = await last_touched(prices)
    assert touched == was_touched | dict.fromkeys(symbols, number)


async def test_a_copy(prices: Connection) -> None:
    first = await latest(prices)
    await prices.copy_records_to_table(
        "market_data",
        records=[("CCC", DAY, Decimal(30), "test"), ("AAA", LATER, Decimal(13), "test")],
        columns=["symbol", "date", "close", "source"],
    )
    number = await latest(prices)
    new = {**row("CCC", DAY, "30"), **row("AAA", LATER, "13")}
    assert await state(prices, number) == await stored(prices) == BEFORE | new
    assert await state(prices, first) == BEFORE
    revision = await prices.fetchrow("SELECT * FROM price_revisions WHERE number = $1", number)
    assert revision is not None
    assert (revision["inserted"], revision["updated"], revision["deleted"]) == (2, 0, 0)


async def test_the_prisma_client(prices: Connection, database_url: str, user_home: Path) -> None:
    first = await latest(prices)
    settings = settings_of(database_url, user_home)
    day = dt.datetime.combine(DAY, dt.time(tzinfo=dt.UTC))
    key = {"symbol_date": {"symbol": "AAA", "date": day}}
    async with connect(settings) as db:
        await db.marketdata.create(
            {"symbol": "CCC", "date": day, "close": Decimal(1), "source": "p"}
        )
        await db.marketdata.update({"close": Decimal(12)}, where=key)  # type: ignore[arg-type]
        await db.marketdata.upsert(
            where=key,  # type: ignore[arg-type]
            data={
                "create": {"symbol": "AAA", "date": day, "close": Decimal(1), "source": "p"},
                "update": {"close": Decimal(13)},
            },
        )
        await db.marketdata.delete_many(where={"symbol": "BBB"})
        read = await db.marketdatahistory.find_many(order={"validTo": "asc"})
    assert [(old.symbol, old.close) for old in read] == [
        ("AAA", Decimal(10)),
        ("AAA", Decimal(12)),
        ("BBB", Decimal(20)),
    ]
    closes = [
        {key: values[0] for key, values in (await state(prices, number)).items()}
        for number in range(first, await latest(prices) + 1)
    ]
    begun = {A1: Decimal(10), A2: Decimal(11), B1: Decimal(20)}
    created = begun | {("CCC", DAY): Decimal(1)}
    last = {A1: Decimal(13), A2: Decimal(11), ("CCC", DAY): Decimal(1)}
    expected = [begun, created, created | {A1: Decimal(12)}, created | {A1: Decimal(13)}, last]
    assert [each for n, each in enumerate(closes) if not n or each != closes[n - 1]] == expected


async def test_sqlalchemy(prices: Connection, database_url: str) -> None:
    first = await latest(prices)

    def write(connection: SyncConnection) -> None:
        base = automap_base()
        base.prepare(autoload_with=connection)
        table = base.classes["market_data"]
        with Session(connection) as session:
            session.add(table(symbol="CCC", date=DAY, close=Decimal(1), source="test"))
            mine = select(table).where(table.symbol == "AAA", table.date == DAY)
            session.scalars(mine).one().close = Decimal(12)
            session.delete(session.scalars(select(table).where(table.symbol == "BBB")).one())
            session.flush()

    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(write)
    finally:
        await engine.dispose()
    assert await state(prices, first) == BEFORE
    now = changed(AAA="12", BBB=None, CCC="1")
    assert await state(prices, await latest(prices)) == await stored(prices) == now
    assert await kept(prices) == 2


@pytest.mark.parametrize("isolation", get_args(Isolation))
async def test_writers_come_one_after_the_other(
    prices: Connection, database_url: str, isolation: Isolation
) -> None:
    """The second has no number before the first is seen: numbers ascend as states appear."""
    first = await latest(prices)
    other = await asyncpg.connect(database_url)
    begun, waiting = prices.transaction(), other.transaction(isolation=isolation)
    await begun.start()
    await waiting.start()
    await other.fetchval("SELECT count(*) FROM market_data")  # its snapshot, where it keeps one
    await prices.execute(UPDATE + "12" + AAA_TODAY)
    second = asyncio.create_task(other.execute(UPDATE + "21 WHERE symbol = 'BBB'"))
    done, _ = await asyncio.wait([second], timeout=0.3)
    assert not done
    reader = await asyncpg.connect(database_url)
    assert await latest(reader) == first  # and does not wait
    await begun.commit()
    await second
    assert await latest(reader) == first + 1
    assert await state(reader, first + 1) == changed(AAA="12")
    await waiting.commit()
    assert await latest(reader) == first + 2
    assert await state(reader, first) == BEFORE
    assert await state(reader, first + 1) == changed(AAA="12")
    assert await state(reader, first + 2) == changed(AAA="12", BBB="21")
    times = await reader.fetch("SELECT known_at FROM price_revisions ORDER BY number")
    assert [time["known_at"] for time in times] == sorted(time["known_at"] for time in times)
    await reader.close()
    await other.close()


async def test_the_second_writer_of_a_row_keeps_what_the_first_wrote(
    prices: Connection, database_url: str
) -> None:
    first = await latest(prices)
    other = await asyncpg.connect(database_url)
    begun = prices.transaction()
    await begun.start()
    await prices.execute(UPDATE + "12" + AAA_TODAY)
    second = asyncio.create_task(other.execute(UPDATE + "close + 1" + AAA_TODAY))
    await asyncio.wait([second], timeout=0.2)
    await begun.commit()
    await second
    closes = [(await state(prices, first + n))[A1][0] for n in range(3)]
    assert closes == [10, 12, 13]
    # one that has read the row before cannot write it: nothing is lost, it has to be tried again
    stale = other.transaction(isolation="repeatable_read")
    await stale.start()
    await other.fetchval("SELECT count(*) FROM market_data")
    await prices.execute(UPDATE + "14" + AAA_TODAY)
    with pytest.raises(asyncpg.SerializationError):
        await other.execute(UPDATE + "15" + AAA_TODAY)
    await stale.rollback()
    assert await state(prices, await latest(prices)) == changed(AAA="14")
    await other.close()


async def test_a_writer_that_gives_up_leaves_nothing(prices: Connection) -> None:
    first = await latest(prices)
    with pytest.raises(asyncpg.CheckViolationError):
        await prices.execute(UPDATE + "-1" + AAA_TODAY)
    begun = prices.transaction()
    await begun.start()
    await prices.execute("DELETE FROM market_data")
    await begun.rollback()
    assert await latest(prices) == first
    assert await kept(prices) == 0
    assert await stored(prices) == await state(prices, first) == BEFORE


async def test_a_revision_is_known_when_its_last_statement_has_written(prices: Connection) -> None:
    async with prices.transaction():
        await prices.execute(UPDATE + "12" + AAA_TODAY)
        await prices.execute("SELECT pg_sleep(0.05)")
        halfway = await prices.fetchval("SELECT clock_timestamp()")
        await prices.execute(UPDATE + "13" + AAA_TODAY)
    known = await prices.fetchval("SELECT max(known_at) FROM price_revisions")
    assert halfway < known < await prices.fetchval("SELECT clock_timestamp()")


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("TRUNCATE market_data", "market_data_kept"),
        ("TRUNCATE market_data_history", "market_data_history_kept"),
        ("UPDATE market_data_history SET close = 1", "market_data_history_kept"),
        ("DELETE FROM market_data_history", "market_data_history_kept"),
        ("TRUNCATE price_revisions", "price_revisions_kept"),
        ("DELETE FROM price_revisions", "price_revisions_kept"),
        ("UPDATE price_revisions SET source = 'somebody else'", "price_revisions_kept"),
        (
            "INSERT INTO market_data (symbol, date, close, source, revision)"
            " VALUES ('CCC', '2024-01-02', 1, 'test', 1)",
            "market_data_revision_set_by_database",
        ),
    ],
)
async def test_what_was_is_never_forgotten(
    prices: Connection, statement: str, constraint: str
) -> None:
    await prices.execute(UPDATE + "12" + AAA_TODAY)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await prices.execute(statement)
    assert refused.value.constraint_name == constraint
    assert refused.value.hint


async def test_any_search_path_and_a_schema_of_its_own(
    prices: Connection, database_url: str
) -> None:
    """A session that does not see the tables by their bare names, and a second set of tables."""
    first = await latest(prices)
    other = await asyncpg.connect(database_url, server_settings={"search_path": "pg_catalog"})
    await other.execute("UPDATE public.market_data SET close = 12" + AAA_TODAY)
    await other.execute(
        INSERT.replace("market", "public.market") + "('C', '2024-01-02', 1, 'test')"
    )
    await other.execute("DELETE FROM public.market_data WHERE symbol = 'BBB'")
    await other.close()
    assert await state(prices, first) == BEFORE
    assert await state(prices, await latest(prices)) == changed(AAA="12", C="1", BBB=None)


async def test_two_schemas_keep_apart(prices: Connection, repository: Path) -> None:
    await prices.execute("CREATE SCHEMA second; SET search_path = second")
    for script in sorted((repository / "prisma" / "migrations").glob("*/migration.sql")):
        await prices.execute(script.read_text(encoding="utf-8"))
    await prices.execute(INSERT + "('AAA', '2024-01-02', 1, 'test')")
    assert await state(prices, await latest(prices)) == row("AAA", DAY, "1")
    assert await latest(prices) == 1
    both = f"{INSERT}('BBB', '2024-01-02', 1, 'test'); DELETE FROM public.market_data"
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await prices.execute(both)  # one transaction
    assert refused.value.constraint_name == "market_data_one_schema_a_transaction"
    await prices.execute("SET search_path = public")
    assert await state(prices, await latest(prices)) == await stored(prices) == BEFORE
