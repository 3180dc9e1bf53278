"""Backtests to insert, and the jobs that the library then has."""

from __future__ import annotations

from typing import TypeAlias

import asyncpg

# generic for type checkers only
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SCHEMA = "etf_backtest_queue"
INSERT = """
INSERT INTO public.backtests
    (id, user_id, portfolio_id, strategy_id, name, start_date, end_date, initial_capital, status)
SELECT $1::uuid, u.id, p.id, s.id, 'queued', '2014-01-02', '2022-12-28', 1000, $2
FROM public.users u, public.portfolios p, public.strategies s
"""
INSERT_MANY = """
INSERT INTO public.backtests
    (user_id, portfolio_id, strategy_id, name, start_date, end_date, initial_capital)
SELECT u.id, p.id, s.id, 'queued', '2014-01-02', '2022-12-28', 1000
FROM public.users u, public.portfolios p, public.strategies s, generate_series(1, $1)
"""


def identity(number: int) -> str:
    """The id of the backtest with this number."""
    return f"00000000-0000-4000-8000-{number:012}"


async def add(connection: Connection, *numbers: int, status: str = "pending") -> None:
    """Insert backtests."""
    for number in numbers:
        await connection.execute(INSERT, identity(number), status)


async def set_status(connection: Connection, number: int, *statuses: str) -> None:
    """Take a backtest through statuses, as who runs it does."""
    for status in statuses:
        await connection.execute(
            "UPDATE public.backtests SET status = $2::text::public.backtest_status,"
            " error_message = CASE WHEN $2 = 'failed' THEN 'reason' END WHERE id = $1",
            identity(number),
            status,
        )


async def jobs(connection: Connection, schema: str = SCHEMA) -> list[tuple[int, str, int]]:
    """The jobs there are, oldest first: the number of the backtest, status, priority."""
    rows = await connection.fetch(
        "SELECT right(args ->> 'backtest_id', 12)::int, status::text, priority"
        f' FROM "{schema}".procrastinate_jobs ORDER BY id'
    )
    return [tuple(row) for row in rows]


async def on_queue(connection: Connection, statement: str, *values: object) -> str:
    """Run a statement where the library's own functions find its tables."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL search_path = {SCHEMA}")
        return await connection.execute(statement, *values)


async def fetch_job(connection: Connection) -> None:
    """Take the next job, as a worker of the library does."""
    await on_queue(
        connection,
        "SELECT procrastinate_fetch_job_v2(NULL, (SELECT min(worker_id) FROM"
        " procrastinate_register_worker_v1()))",
    )
