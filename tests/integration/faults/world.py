"""A database with prices, and backtests that somebody has queued by plain SQL.

What happens to each row is written down by a trigger of the test's own: `audit.changes`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg

from etf_backtest.database.queue import install_queue, queue_schema
from etf_backtest.database.url import DatabaseUrl
from tests.fixtures.cluster import Cluster
from tests.fixtures.postgres import migrate
from tests.integration.worker import strangers

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

NAME = "faults"
SYMBOLS = ("AAA", "BBB", "CCC")
SESSIONS = 250
STRATEGIES = ("buy_and_hold", "fixed_weights", "equal_weight")
SET_UP = """
CREATE SCHEMA audit;
CREATE TABLE audit.changes (
    number bigserial PRIMARY KEY,
    id uuid NOT NULL,
    was text NOT NULL,
    became text NOT NULL,
    attempt uuid
);
CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit.changes (id, was, became, attempt)
    VALUES (NEW.id, OLD.status, NEW.status, NEW.attempt_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER audit_note AFTER UPDATE ON backtests FOR EACH ROW
    WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION audit.note();

INSERT INTO users (email, password_hash) VALUES ('ada@example.org', '!');
INSERT INTO strategies (name, type, is_system)
    SELECT kind, kind::strategy_type, true FROM unnest($1::text[]) AS kind;
INSERT INTO strategies (name, type, is_system, implementation)
    SELECT name, 'custom', true, name FROM unnest($3::text[]) AS name;
INSERT INTO portfolios (user_id, name) SELECT id, 'core' FROM users;
INSERT INTO portfolio_holdings (portfolio_id, symbol, allocation)
    SELECT id, symbol, 0.3 FROM portfolios, unnest($2::text[]) AS symbol;
"""
PRICES = """
INSERT INTO market_data (symbol, date, adjusted_close, source)
    SELECT symbol, day, 100 + 20 * sin(place * 7 + number / 9.0) + number / 25.0, 'made up'
    FROM unnest($1::text[]) WITH ORDINALITY AS s (symbol, place),
         LATERAL (SELECT day::date, row_number() OVER (ORDER BY day) AS number
                  FROM generate_series(date '2020-01-01', '2021-12-31', '1 day') AS day
                  WHERE extract(isodow FROM day) < 6 LIMIT $2) AS sessions
"""
QUEUED = """
INSERT INTO backtests (user_id, portfolio_id, strategy_id, name, start_date, end_date,
                       initial_capital, benchmark_symbol, options, priority)
    SELECT p.user_id, p.id, s.id, 'job ' || number,
           date '2020-01-01' + number % 100, date '2020-12-01' - number % 60, 10000,
           CASE WHEN number % 25 = 24 THEN 'NOPE' WHEN number % 2 = 0 THEN 'AAA' END,
           CASE WHEN number % 50 = 1 THEN '{"nonsense": 1}'::jsonb ELSE '{}' END, number % 3
    FROM generate_series(0, $1 - 1) AS number
    JOIN portfolios AS p ON true
    JOIN LATERAL (SELECT id, row_number() OVER (ORDER BY name) AS place FROM strategies
                  WHERE type <> 'custom') AS s
        ON s.place = 1 + number % 3
"""

ONE = """
INSERT INTO backtests (user_id, portfolio_id, strategy_id, name, start_date, end_date,
                       initial_capital, priority)
SELECT p.user_id, p.id, s.id, $1, date '2020-01-01', date '2020-12-01', 10000, $3
FROM portfolios AS p, strategies AS s WHERE s.name = $2
RETURNING id::text
"""
ENDINGS = """
SELECT became, count(*) AS times, count(DISTINCT id) AS rows FROM audit.changes
WHERE became IN ('completed', 'failed') GROUP BY became
"""
MISMATCHED = """
SELECT count(*) FROM backtests AS b FULL JOIN performance_metrics AS m ON m.backtest_id = b.id
WHERE (b.status = 'completed') <> (m.id IS NOT NULL) OR b.id IS NULL
   OR (b.status = 'completed') <> (b.results IS NOT NULL)
   OR m.total_return <> round((b.results->'metrics'->>'total_return')::numeric, 6)
"""
REASONS = "SELECT error_message FROM backtests WHERE status = 'failed'"
ATTEMPTS = """
SELECT attempts, count(*) AS rows FROM backtests WHERE status = 'completed'
GROUP BY attempts ORDER BY attempts
"""


def hopeless(jobs: int) -> int:
    """How many of the queued rows can never succeed: no such benchmark, or no such rule."""
    return sum(number % 25 == 24 or number % 50 == 1 for number in range(jobs))


@dataclass(frozen=True)
class World:
    """Where the database is."""

    url: str

    @classmethod
    async def make(cls, server: Cluster) -> World:
        """A new database on a server that is ours alone."""
        # what it has said is stored must be there after a crash of the server
        server.execute(
            "ALTER SYSTEM SET synchronous_commit = on",
            "SELECT pg_reload_conf()",
            f"CREATE DATABASE {NAME}",
        )
        await migrate(server.url(NAME))
        await install_queue(DatabaseUrl.parse(server.url(NAME)))
        return await cls.fill(server.url(NAME))

    @classmethod
    async def fill(cls, url: str) -> World:
        """Put a portfolio, strategies and prices into a migrated database with the queue."""
        set_up = SET_UP
        for number, values in enumerate((STRATEGIES, SYMBOLS, strangers.NAMES), 1):
            set_up = set_up.replace(f"${number}", "ARRAY" + str(list(values)))
        world = cls(url)
        async with world.connected() as connection:
            await connection.execute(set_up)
            await connection.execute(PRICES, list(SYMBOLS), SESSIONS)
        return world

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """A connection of the test's own."""
        connection = await asyncpg.connect(self.url, timeout=5)
        try:
            yield connection
        finally:
            await connection.close()

    async def queue(self, jobs: int) -> None:
        """Insert pending rows; the database's trigger does the rest."""
        async with self.connected() as connection:
            await connection.execute(QUEUED, jobs)

    async def add(self, name: str, strategy: str = "buy_and_hold", priority: int = 0) -> str:
        """Insert one pending row; its id."""
        async with self.connected() as connection:
            backtest_id: str = await connection.fetchval(ONE, name, strategy, priority)
        return backtest_id

    async def row(self, backtest_id: str) -> asyncpg.Record:
        """A row as it is now, without its results."""
        async with self.connected() as connection:
            row = await connection.fetchrow(
                "SELECT name, status::text, attempts, error_message, queued_at, started_at,"
                " completed_at, results IS NOT NULL AS has_results FROM backtests"
                " WHERE id = $1::uuid",
                backtest_id,
            )
        assert row is not None
        return row

    async def until(self, backtest_id: str, *statuses: str, within: float = 15) -> asyncpg.Record:
        """The row, once it is of one of these statuses."""
        async with asyncio.timeout(within):
            while True:
                row = await self.row(backtest_id)
                if row["status"] in statuses:
                    return row
                await asyncio.sleep(0.03)

    async def until_true(self, condition: str, *arguments: object, within: float = 30) -> None:
        """Wait until the database finds a condition true."""
        async with asyncio.timeout(within), self.connected() as connection:
            while True:
                if await connection.fetchval(f"SELECT {condition}", *arguments):
                    return
                await asyncio.sleep(0.05)

    async def statuses(self) -> Counter[str]:
        """How many backtests there are of each status."""
        async with self.connected() as connection:
            rows = await connection.fetch(
                "SELECT status::text, count(*) FROM backtests GROUP BY status"
            )
        return Counter({row["status"]: row["count"] for row in rows})

    async def verdict(self) -> Verdict:
        """What became of everything."""
        queue = queue_schema(DatabaseUrl.parse(self.url))
        async with self.connected() as connection:
            endings = await connection.fetch(ENDINGS)
            reasons = await connection.fetch(REASONS)
            return Verdict(
                statuses=await self.statuses(),
                endings={row["became"]: (row["times"], row["rows"]) for row in endings},
                metrics=await connection.fetchval("SELECT count(*) FROM performance_metrics"),
                mismatched=await connection.fetchval(MISMATCHED),
                reasons=Counter(row["error_message"].partition(" (")[0] for row in reasons),
                attempts={row["attempts"]: row["rows"] for row in await connection.fetch(ATTEMPTS)},
                jobs_left=await connection.fetchval(
                    f"SELECT count(*) FROM {queue}.procrastinate_jobs"
                    " WHERE status IN ('todo', 'doing')"
                ),
            )

    async def connections(self) -> int:
        """Connections to the database that are not this one."""
        async with self.connected() as connection:
            count: int = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        return count


@dataclass(frozen=True)
class Verdict:
    """How it ended, and how often."""

    statuses: Counter[str]
    endings: dict[str, tuple[int, int]]
    """How often rows came to this status, and how many rows did."""
    metrics: int
    mismatched: int
    """Rows whose metrics are missing, too many, or not those of their results."""
    reasons: Counter[str]
    attempts: dict[int, int]
    """How many attempts it took, of those that completed."""
    jobs_left: int
