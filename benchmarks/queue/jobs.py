"""A database with one portfolio and its prices, jobs for it, and workers that do them."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from benchmarks.prices.server import Server, ask, execute
from etf_backtest.database.connection import Database, connect
from etf_backtest.database.queue import install_queue, queue_schema
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.settings import load_settings

START, END = dt.date(2020, 1, 2), dt.date(2020, 12, 1)
SET_UP = (
    "INSERT INTO users (email, password_hash) VALUES ('local@etf-backtest.invalid', '!')",
    "INSERT INTO strategies (name, type, is_system) VALUES ('hold', 'fixed_weights', true)",
    "INSERT INTO portfolios (user_id, name) SELECT id, 'core' FROM users",
    "INSERT INTO portfolio_holdings (portfolio_id, symbol, allocation)"
    " SELECT id, symbol, 0.5 FROM portfolios, unnest(ARRAY['AAA', 'BBB']) AS symbol",
    "INSERT INTO market_data (symbol, date, adjusted_close, source)"
    " SELECT symbol, day, 100 + 20 * sin(place * 7 + number / 9.0) + number / 25.0, 'made up'"
    " FROM unnest(ARRAY['AAA', 'BBB']) WITH ORDINALITY AS s (symbol, place),"
    " LATERAL (SELECT day::date, row_number() OVER (ORDER BY day) AS number"
    "          FROM generate_series(date '2020-01-01', '2020-12-31', '1 day') AS day"
    "          WHERE extract(isodow FROM day) < 6) AS sessions",
)
COLUMNS = (
    "INSERT INTO backtests (user_id, portfolio_id, strategy_id, name, start_date, end_date,"
    " initial_capital"
)
OF_ROW = (
    "SELECT p.user_id, p.id, s.id, 'job ' || number, date '2020-01-02', date '2020-12-01', 10000"
)


def queued(jobs: int) -> str:
    """The statement that queues so many."""
    return (
        f"{COLUMNS}) {OF_ROW} FROM generate_series(1, {jobs}) AS number, portfolios p, strategies s"
    )


async def prepared(server: Server) -> DatabaseUrl:
    """A fresh database in which jobs can be queued."""
    url = await server.fresh()
    await install_queue(url)
    await execute(url, *SET_UP)
    return url


@asynccontextmanager
async def client(url: DatabaseUrl) -> AsyncIterator[Database]:
    """A connected client, acting as the local user."""
    settings = load_settings({"DATABASE_URL": url.render()})
    async with connect(
        settings.model_copy(update={"database_url": SecretStr(url.render())})
    ) as database:
        yield database


@asynccontextmanager
async def workers(url: DatabaseUrl, count: int, *, concurrency: int = 1) -> AsyncIterator[None]:
    """So many worker processes, ready to take jobs."""
    command = [sys.executable, "-m", "etf_backtest", "worker", "--concurrency", str(concurrency)]
    environ = {**os.environ, "DATABASE_URL": url.render()}
    quiet = asyncio.subprocess.DEVNULL
    running = [
        await asyncio.create_subprocess_exec(
            *command, env=environ, stdin=quiet, stdout=quiet, stderr=quiet
        )
        for _ in range(count)
    ]
    try:
        table = f"{queue_schema(url)}.procrastinate_workers"
        while (await ask(url, f"SELECT count(*) FROM {table}"))[0][0] < count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        # one job each, so that every process has imported what it needs
        await execute(url, queued(count * concurrency * 3))
        await until_done(url)
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            await process.wait()


async def until_done(url: DatabaseUrl) -> None:
    """Wait until nothing is pending or running, and nothing has failed."""
    import asyncpg

    connection = await asyncpg.connect(**url.asyncpg_arguments())
    try:
        while await connection.fetchval(  # noqa: ASYNC110  # as people poll
            "SELECT EXISTS (SELECT FROM backtests WHERE status IN ('pending', 'running'))"
        ):
            await asyncio.sleep(0.02)
        failed = await connection.fetchval(
            "SELECT min(error_message) FROM backtests WHERE status = 'failed'"
        )
    finally:
        await connection.close()
    if failed is not None:
        raise RuntimeError(failed)


async def jobs_a_second(url: DatabaseUrl, jobs: int) -> float:
    """Queue jobs for the workers that run, and wait for the last."""
    began = time.perf_counter()
    await execute(url, queued(jobs))
    await until_done(url)
    return jobs / (time.perf_counter() - began)
