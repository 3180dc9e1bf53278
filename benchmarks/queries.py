"""The query engine beside asyncpg and SQLAlchemy, on one database in one run.

    python benchmarks/queries.py [--url postgresql://...] [--rounds 3]

All three do the same work on `market_data` and hand out what they are used for: the client its
pydantic models, SQLAlchemy ORM objects, asyncpg records. They do it in a database of their own on
the server that the settings (or --url) name, which is dropped at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import asyncpg
from rich.console import Console
from rich.table import Table
from sqlalchemy import BigInteger, Date, DateTime, Numeric, String, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from etf_backtest.database.connection import Database
from etf_backtest.database.postgres import ensure_database
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.settings import load_settings

SOURCE = "benchmark"
MIGRATIONS = Path(__file__).resolve().parents[1] / "prisma" / "migrations"
STORED = 1_000
CREATED = 10_000
CONCURRENT = 100
SEQUENTIAL = 300
FIRST_DAY = date(2000, 1, 3)


class Base(DeclarativeBase):
    """SQLAlchemy's registry of models."""


class Bar(Base):
    """`market_data` as SQLAlchemy sees it."""

    __tablename__ = "market_data"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    symbol: Mapped[str] = mapped_column(String(20))
    date: Mapped[date] = mapped_column(Date)
    open: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    high: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    low: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    close: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    adjusted_close: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    volume: Mapped[int | None] = mapped_column(BigInteger)
    dividend_amount: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    split_ratio: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    source: Mapped[str] = mapped_column(String(50))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Row:
    """One bar to be written."""

    symbol: str
    date: date
    price: Decimal
    volume: int


def rows(prefix: str, count: int) -> list[Row]:
    """Bars of as many symbols as it takes, 1,000 sessions each."""
    return [
        Row(
            symbol=f"{prefix}{number // 1000}",
            date=FIRST_DAY + timedelta(days=number % 1000),
            price=Decimal(10_000 + number % 1000) / 100,
            volume=10**9 + number,
        )
        for number in range(count)
    ]


class Contestant(Protocol):
    """What each library has to do."""

    name: str

    async def start(self, stack: AsyncExitStack) -> None:
        """Connect; the stack takes it down again."""

    async def find_unique(self, key: str) -> object:
        """Read one row by its primary key."""

    async def find_many(self) -> object:
        """Read the stored rows."""

    async def create_many(self, bars: list[Row]) -> object:
        """Write rows in one transaction."""


class Client:
    """etf_backtest: prisma-client-py on the WASM engine."""

    name = "etf_backtest"

    def __init__(self, url: DatabaseUrl) -> None:
        self._database = Database(use_dotenv=False, datasource={"url": url.render()})

    async def start(self, stack: AsyncExitStack) -> None:
        """Start the engine."""
        await stack.enter_async_context(self._database)

    async def find_unique(self, key: str) -> object:
        """Read one row by its primary key."""
        return await self._database.marketdata.find_unique({"id": key})

    async def find_many(self) -> object:
        """Read the stored rows."""
        return await self._database.marketdata.find_many(where={"symbol": "STORED0"})

    async def create_many(self, bars: list[Row]) -> object:
        """Write rows in one transaction."""
        return await self._database.marketdata.create_many(
            [
                {
                    "symbol": bar.symbol,
                    "date": datetime(bar.date.year, bar.date.month, bar.date.day, tzinfo=UTC),
                    "open": bar.price,
                    "high": bar.price,
                    "low": bar.price,
                    "close": bar.price,
                    "volume": bar.volume,
                    "source": SOURCE,
                }
                for bar in bars
            ]
        )


class SqlAlchemy:
    """SQLAlchemy's ORM on asyncpg."""

    name = "SQLAlchemy async"

    def __init__(self, url: DatabaseUrl) -> None:
        self._engine = create_async_engine(
            url.render().replace(url.render().partition("://")[0], "postgresql+asyncpg", 1)
        )

    async def start(self, stack: AsyncExitStack) -> None:
        """Connect once."""
        stack.push_async_callback(self._engine.dispose)
        async with self._engine.connect():
            pass

    async def find_unique(self, key: str) -> object:
        """Read one row by its primary key."""
        async with AsyncSession(self._engine) as session:
            return await session.get(Bar, uuid.UUID(key))

    async def find_many(self) -> object:
        """Read the stored rows."""
        async with AsyncSession(self._engine) as session:
            found = await session.scalars(select(Bar).where(Bar.symbol == "STORED0"))
            return found.all()

    async def create_many(self, bars: list[Row]) -> object:
        """Write rows in one transaction."""
        now = datetime.now(UTC)
        async with AsyncSession(self._engine) as session:
            await session.execute(
                insert(Bar),
                [
                    {
                        "symbol": bar.symbol,
                        "date": bar.date,
                        "open": bar.price,
                        "high": bar.price,
                        "low": bar.price,
                        "close": bar.price,
                        "volume": bar.volume,
                        "source": SOURCE,
                        "created_at": now,
                        "updated_at": now,
                    }
                    for bar in bars
                ],
            )
            await session.commit()
        return len(bars)


class Asyncpg:
    """asyncpg alone: no models, the floor for any Python library."""

    name = "asyncpg"
    _pool: asyncpg.Pool[asyncpg.Record]

    def __init__(self, url: DatabaseUrl) -> None:
        self._url = url.render()

    async def start(self, stack: AsyncExitStack) -> None:
        """Connect once."""
        self._pool = await stack.enter_async_context(
            asyncpg.create_pool(self._url, min_size=1, max_size=5)
        )

    async def find_unique(self, key: str) -> object:
        """Read one row by its primary key."""
        return await self._pool.fetchrow("SELECT * FROM market_data WHERE id = $1", key)

    async def find_many(self) -> object:
        """Read the stored rows."""
        return await self._pool.fetch("SELECT * FROM market_data WHERE symbol = 'STORED0'")

    async def create_many(self, bars: list[Row]) -> object:
        """Write rows in one transaction."""
        now = datetime.now(UTC)
        await self._pool.executemany(
            "INSERT INTO market_data (symbol, date, open, high, low, close, volume, source, "
            "created_at, updated_at) VALUES ($1, $2, $3, $3, $3, $3, $4, $5, $6, $6)",
            [(bar.symbol, bar.date, bar.price, bar.volume, SOURCE, now) for bar in bars],
        )
        return len(bars)


@dataclass(slots=True)
class Times:
    """Milliseconds of one contestant, by task."""

    of: dict[str, list[float]] = field(default_factory=dict)

    async def measure(self, task: str, work: Callable[[], Awaitable[object]]) -> object:
        """Do `work` and note how long it took."""
        began = time.perf_counter()
        result = await work()
        self.of.setdefault(task, []).append((time.perf_counter() - began) * 1000)
        return result

    def median(self, task: str) -> float:
        """The middle one."""
        return statistics.median(self.of[task])


async def compete(
    contestant: Contestant, times: Times, key: str, clean: asyncpg.Connection
) -> None:
    """One round of one contestant."""
    bars = rows("NEW", CREATED)
    async with AsyncExitStack() as stack:
        await times.measure("start", lambda: contestant.start(stack))
        for _ in range(30):
            assert await contestant.find_unique(key)
        for _ in range(SEQUENTIAL):
            await times.measure("find_unique", lambda: contestant.find_unique(key))
        for _ in range(10):
            found = await times.measure("find_many", contestant.find_many)
            assert isinstance(found, list)
            assert len(found) == STORED

        async def at_once() -> None:
            await asyncio.gather(*(contestant.find_unique(key) for _ in range(CONCURRENT)))

        for _ in range(5):
            await times.measure("concurrent", at_once)
        for _ in range(2):
            await times.measure("create_many", lambda: contestant.create_many(bars))
            await clean.execute("DELETE FROM market_data WHERE symbol LIKE 'NEW%'")


TASKS = {
    "find_unique": "find_unique, p50",
    "find_many": f"find_many, {STORED:,} rows",
    "concurrent": f"{CONCURRENT} concurrent find_unique",
    "create_many": f"create_many, {CREATED:,} rows",
    "start": "start and connect",
}


async def run(url: DatabaseUrl, rounds: int) -> dict[str, Times]:
    """Let all compete in turns, so that a slow moment of the machine hits all of them."""
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    contestants: list[type[Client] | type[SqlAlchemy] | type[Asyncpg]] = [
        Client,
        SqlAlchemy,
        Asyncpg,
    ]
    times = {contestant.name: Times() for contestant in contestants}
    try:
        async with AsyncExitStack() as stack:
            storing = Asyncpg(url)
            await storing.start(stack)
            await storing.create_many(rows("STORED", STORED))
        await connection.execute("ANALYZE market_data")
        key = str(await connection.fetchval("SELECT id FROM market_data LIMIT 1"))
        for _ in range(rounds):
            for contestant in contestants:
                await compete(contestant(url), times[contestant.name], key, connection)
    finally:
        await connection.close()
    return times


@asynccontextmanager
async def scratch_database(server: DatabaseUrl) -> AsyncIterator[DatabaseUrl]:
    """A new database on the same server, with every migration applied; dropped at the end."""
    name = f"etf_backtest_benchmark_{uuid.uuid4().hex[:8]}"
    url = server.with_database(name)
    owner = await asyncpg.connect(**server.asyncpg_arguments())
    try:
        await owner.execute(f"CREATE DATABASE {name}")
        try:
            connection = await asyncpg.connect(**url.asyncpg_arguments())
            for script in sorted(MIGRATIONS.glob("*/migration.sql")):
                await connection.execute(script.read_text(encoding="utf-8"))
            await connection.close()
            yield url
        finally:
            await owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await owner.close()


def report(times: dict[str, Times]) -> Table:
    """Medians in milliseconds, and how many times as long the client takes."""
    table = Table(title="Milliseconds (median)")
    table.add_column("task")
    for name in times:
        table.add_column(name, justify="right")
    for other in list(times)[1:]:
        table.add_column(f"x {other}", justify="right")
    for task, title in TASKS.items():
        medians = [each.median(task) for each in times.values()]
        ratios = [f"{medians[0] / median:.1f}" for median in medians[1:]]
        table.add_row(title, *(f"{median:.2f}" for median in medians), *ratios)
    return table


def main(url: str | None = None, *, rounds: int = 3) -> None:
    """Run and print; without a URL on the server that the settings name."""

    async def measure() -> dict[str, Times]:
        server = await ensure_database(load_settings()) if url is None else DatabaseUrl.parse(url)
        async with scratch_database(server) as database:
            return await run(database, rounds)

    console = Console()
    # a pipe has no width of its own
    Console(width=max(console.width, 100)).print(report(asyncio.run(measure())))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--url", help="a PostgreSQL database, by a role that may create others")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    main(arguments.url, rounds=arguments.rounds)
