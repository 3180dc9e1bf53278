"""etf_info and etf_facts say the same, whoever writes to which. Expected rows are by hand."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import TypeAlias

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from etf_backtest.database.connection import connect
from etf_backtest.database.models import ETFStatus
from etf_backtest.settings import Settings

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

OLD, NEW = dt.date(2015, 6, 30), dt.date(2024, 12, 31)
FUND = (
    "INSERT INTO etf_info (symbol, name, expense_ratio, category, as_of_date, source)"
    " VALUES ('AAA', 'A', 0.0009, 'Large Blend', '2024-12-31', 'prospectus')"
)


def today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def facts(connection: Connection) -> list[tuple[object, ...]]:
    rows = await connection.fetch(
        "SELECT valid_from, expense_ratio, category, status, source FROM etf_facts"
        " WHERE symbol = 'AAA' ORDER BY valid_from"
    )
    return [tuple(row) for row in rows]


async def info(connection: Connection) -> tuple[object, ...]:
    row = await connection.fetchrow(
        "SELECT as_of_date, expense_ratio, category, status, delisted_date, source FROM etf_info"
        " WHERE symbol = 'AAA'"
    )
    assert row is not None
    return tuple(row)


async def state(connection: Connection, day: dt.date, **values: object) -> None:
    names = ", ".join(values)
    places = ", ".join(f"${number}" for number in range(2, 2 + len(values)))
    await connection.execute(
        f"INSERT INTO etf_facts (symbol, valid_from, {names}) VALUES ('AAA', $1, {places})",
        day,
        *values.values(),
    )


@pytest.mark.each_postgres
async def test_a_new_row_is_a_statement_of_its_date(connection: Connection) -> None:
    await connection.execute(FUND)
    assert await facts(connection) == [(NEW, Decimal("0.0009"), "Large Blend", None, "prospectus")]
    assert (await info(connection))[0] == NEW


async def test_a_new_row_without_a_date_is_of_today(connection: Connection) -> None:
    await connection.execute(
        "INSERT INTO etf_info (symbol, name, category) VALUES ('AAA', 'A', 'x')"
    )
    assert await facts(connection) == [(today(), None, "x", None, None)]
    assert (await info(connection))[0] == today()


async def test_a_new_row_without_facts_states_nothing(connection: Connection) -> None:
    await connection.execute(
        "INSERT INTO etf_info (symbol, name, as_of_date) VALUES ('AAA', 'A', '2024-12-31')"
    )
    assert await facts(connection) == []
    assert (await info(connection))[0] == NEW


async def test_a_change_without_a_date_is_of_today_and_keeps_what_was(
    connection: Connection,
) -> None:
    await connection.execute(FUND)
    await connection.execute("UPDATE etf_info SET expense_ratio = 0.0003 WHERE symbol = 'AAA'")
    assert await facts(connection) == [
        (NEW, Decimal("0.0009"), "Large Blend", None, "prospectus"),
        (today(), Decimal("0.0003"), None, None, None),
    ]
    # whose word the new figure is was not said
    expected = (today(), Decimal("0.0003"), "Large Blend", "active", None, None)
    assert await info(connection) == expected


async def test_a_change_with_a_date_is_of_that_date(connection: Connection) -> None:
    await connection.execute(FUND)
    await connection.execute(
        "UPDATE etf_info SET expense_ratio = 0.0003, as_of_date = '2025-02-01', source = 'cut'"
    )
    assert (await facts(connection))[1] == (
        dt.date(2025, 2, 1), Decimal("0.0003"), "Large Blend", None, "cut",
    )  # fmt: skip


async def test_a_change_of_an_older_date_leaves_the_newest_figures(connection: Connection) -> None:
    await connection.execute(FUND)
    before = await info(connection)
    await connection.execute("UPDATE etf_info SET expense_ratio = 0.002, as_of_date = '2015-06-30'")
    assert (await facts(connection))[0][:2] == (OLD, Decimal("0.002"))
    assert await info(connection) == before


async def test_statements_of_their_own_decide_what_is_newest(connection: Connection) -> None:
    await connection.execute(FUND)
    await state(connection, OLD, expense_ratio=Decimal("0.002"), category="Small Blend")
    assert (await info(connection))[:3] == (NEW, Decimal("0.0009"), "Large Blend")
    # silent on the category: the one before holds
    await state(connection, dt.date(2025, 2, 1), expense_ratio=Decimal("0.0003"))
    newest = (dt.date(2025, 2, 1), Decimal("0.0003"), "Large Blend", "active", None, None)
    assert await info(connection) == newest
    # announced, and not true yet
    await state(connection, today() + dt.timedelta(days=30), expense_ratio=Decimal("0.0001"))
    assert await info(connection) == newest
    await connection.execute("DELETE FROM etf_facts WHERE expense_ratio = 0.0003")
    assert (await info(connection))[:2] == (NEW, Decimal("0.0009"))
    await connection.execute(
        "UPDATE etf_facts SET expense_ratio = 0.0008 WHERE category IS NOT NULL"
    )
    assert (await info(connection))[:2] == (NEW, Decimal("0.0008"))


async def test_a_fact_set_to_null_is_withdrawn(connection: Connection) -> None:
    await connection.execute(FUND)
    await state(connection, OLD, category="Small Blend")
    await connection.execute("UPDATE etf_info SET category = NULL")
    assert await facts(connection) == [
        (OLD, None, "Small Blend", None, None),
        (NEW, Decimal("0.0009"), None, None, "prospectus"),
    ]
    assert (await info(connection))[2] == "Small Blend"
    # of a statement that said nothing else nothing remains
    await connection.execute("UPDATE etf_info SET category = NULL")
    assert [row[0] for row in await facts(connection)] == [NEW]
    assert (await info(connection))[2] is None


async def test_a_null_beside_a_new_date_is_silence(connection: Connection) -> None:
    await connection.execute(FUND)
    await connection.execute(
        "UPDATE etf_info SET category = NULL, expense_ratio = 0.0003, as_of_date = '2025-02-01'"
    )
    assert (await info(connection))[:3] == (
        dt.date(2025, 2, 1), Decimal("0.0003"), "Large Blend",
    )  # fmt: skip


async def test_the_end_of_a_fund(connection: Connection) -> None:
    await connection.execute(FUND)
    await state(connection, dt.date(2021, 1, 1), status="active")
    await connection.execute(
        "UPDATE etf_info SET status = 'delisted', delisted_date = '2020-10-26'"
    )
    # what was said of life after the end is withdrawn
    statuses = [(row[0], row[3]) for row in await facts(connection) if row[3]]
    assert statuses == [(dt.date(2020, 10, 26), "delisted")]
    # it was another day
    await connection.execute("UPDATE etf_info SET delisted_date = '2020-10-27'")
    statuses = [(row[0], row[3]) for row in await facts(connection) if row[3]]
    assert statuses == [(dt.date(2020, 10, 27), "delisted")]
    # it did not end
    await connection.execute("UPDATE etf_info SET status = 'active', delisted_date = NULL")
    assert [row[3] for row in await facts(connection)] == [None]
    await state(connection, dt.date(2022, 3, 1), status="delisted")
    assert (await info(connection))[3:5] == ("delisted", dt.date(2022, 3, 1))
    assert (await info(connection))[0] == NEW


async def test_a_fund_that_is_renamed_or_removed_takes_its_facts_along(
    connection: Connection,
) -> None:
    await connection.execute(FUND)
    await connection.execute("UPDATE etf_info SET symbol = 'BBB', expense_ratio = 0.0001")
    rows = await connection.fetch("SELECT symbol, valid_from FROM etf_facts ORDER BY valid_from")
    assert [tuple(row) for row in rows] == [("BBB", NEW), ("BBB", today())]
    await connection.execute("DELETE FROM etf_info")
    assert await connection.fetchval("SELECT count(*) FROM etf_facts") == 0


async def test_a_change_taken_back_takes_its_statement_along(connection: Connection) -> None:
    await connection.execute(FUND)
    before = await info(connection), await facts(connection)
    for broken in ("expense_ratio = 7", "expense_ratio = 0.01, delisted_date = '2020-01-01'"):
        transaction = connection.transaction()
        await transaction.start()
        with pytest.raises(asyncpg.CheckViolationError):
            async with connection.transaction():
                await connection.execute(f"UPDATE etf_info SET {broken}")
        # the same transaction goes on, and the triggers with it
        await connection.execute("UPDATE etf_info SET expense_ratio = 0.0004")
        assert len(await facts(connection)) == 2
        await transaction.rollback()
        assert (await info(connection), await facts(connection)) == before


async def test_in_any_search_path(connection: Connection) -> None:
    await connection.execute("SET search_path = pg_catalog")
    await connection.execute(FUND.replace("etf_info", "public.etf_info"))
    await connection.execute("UPDATE public.etf_info SET expense_ratio = 0.0001, category = NULL")
    await connection.execute("SET search_path = public")
    assert [row[1:3] for row in await facts(connection)] == [
        (Decimal("0.0009"), None),
        (Decimal("0.0001"), None),
    ]


async def test_of_two_writers_at_once_the_newest_statement_wins(
    connection: Connection, database_url: str
) -> None:
    await connection.execute(FUND)
    other = await asyncpg.connect(database_url)
    transaction = connection.transaction()
    await transaction.start()
    await state(connection, dt.date(2025, 5, 1), expense_ratio=Decimal("0.0002"))
    waiting = asyncio.create_task(
        state(other, dt.date(2025, 2, 1), expense_ratio=Decimal("0.0003"))
    )
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await transaction.commit()
    await waiting
    await other.close()
    assert (await info(connection))[:2] == (dt.date(2025, 5, 1), Decimal("0.0002"))


class _Base(DeclarativeBase):
    pass


class _Fund(_Base):
    """An app's model of etf_info, which knows nothing of etf_facts."""

    __tablename__ = "etf_info"

    symbol: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    expense_ratio: Mapped[Decimal | None]
    as_of_date: Mapped[dt.date | None]


async def test_an_app_that_only_knows_etf_info_loses_nothing(database_url: str) -> None:
    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with AsyncSession(engine) as session:
        fund = _Fund(symbol="AAA", name="A", expense_ratio=Decimal("0.0009"), as_of_date=NEW)
        session.add(fund)
        await session.commit()
        await session.refresh(fund)
        fund.expense_ratio = Decimal("0.0005")
        await session.commit()
        await session.refresh(fund)
        assert (fund.expense_ratio, fund.as_of_date) == (Decimal("0.0005"), today())
        stated = await session.execute(text("SELECT valid_from, expense_ratio FROM etf_facts"))
        assert sorted(tuple(row) for row in stated) == [
            (NEW, Decimal("0.0009")),
            (today(), Decimal("0.0005")),
        ]
    await engine.dispose()


async def test_the_client(settings: Settings) -> None:
    async with connect(settings) as db:
        midnight = dt.datetime(2024, 12, 31, tzinfo=dt.UTC)
        await db.etfinfo.create_many(
            [
                {"symbol": "AAA", "name": "A", "category": "x", "asOfDate": midnight},
                {"symbol": "AAA", "name": "B"},
            ],
            skip_duplicates=True,
        )
        updated = await db.etfinfo.update(
            where={"symbol": "AAA"},
            data={
                "status": ETFStatus.delisted,
                "delistedDate": dt.datetime(2025, 3, 1, tzinfo=dt.UTC),
                "expenseRatio": Decimal("0.001"),
            },
            include={"facts": {"order_by": {"validFrom": "asc"}}},
        )
        assert updated is not None
        assert updated.facts is not None
        assert [
            (f.validFrom.date(), f.category, f.expenseRatio, f.status) for f in updated.facts
        ] == [
            (NEW, "x", None, None),
            (dt.date(2025, 3, 1), None, None, ETFStatus.delisted),
            (today(), None, Decimal("0.001"), None),
        ]
        await db.etfinfo.upsert(
            where={"symbol": "AAA"},
            data={
                "create": {"symbol": "AAA", "name": "A"},
                "update": {"expenseRatio": Decimal("0.0011")},
            },
        )
        assert await db.etffacts.count() == 3
