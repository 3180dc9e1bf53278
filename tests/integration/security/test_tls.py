"""sslmode by every way to the server: engine, asyncpg, the queue's, pg_dump's, Prisma's CLI."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg
import psycopg
import pytest

from etf_backtest.database.backup.libpq import libpq_environment
from etf_backtest.database.client.engine.errors import EngineConnectionError
from etf_backtest.database.queue.connector import psycopg_arguments
from etf_backtest.database.url import DatabaseUrl
from tests.acceptance.cli.conftest import run_here
from tests.fixtures.certificates import TlsServer
from tests.fixtures.cluster import Cluster
from tests.integration.engine.database import connected

ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
Ask: TypeAlias = Callable[[str], Awaitable[bool]]


async def by_engine(url: str) -> bool:
    async with connected(url) as client:
        [row] = await client.query_raw(ENCRYPTED)
        return row["ssl"] is True


async def by_asyncpg(url: str) -> bool:
    connection = await asyncpg.connect(**DatabaseUrl.parse(url).asyncpg_arguments())
    try:
        return await connection.fetchval(ENCRYPTED) is True
    finally:
        await connection.close()


async def by_psycopg(url: str) -> bool:
    arguments = psycopg_arguments(DatabaseUrl.parse(url))
    async with await psycopg.AsyncConnection.connect(**arguments) as connection:
        cursor = await connection.execute(ENCRYPTED)
        [encrypted] = await cursor.fetchone() or [False]
        return bool(encrypted)


async def by_libpq(url: str) -> bool:
    """As pg_dump connects; psql tells what came of it."""
    with libpq_environment(DatabaseUrl.parse(url)) as environment:
        done = await asyncio.to_thread(
            subprocess.run,
            ["psql", "-XAt", "-c", ENCRYPTED],
            env=environment,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise ConnectionError(done.stderr)
    return done.stdout.strip() == "t"


REFUSALS = (EngineConnectionError, OSError, asyncpg.PostgresError, psycopg.OperationalError)
WAYS = [
    pytest.param(by_engine, id="engine"),
    pytest.param(by_asyncpg, id="asyncpg"),
    pytest.param(by_psycopg, id="psycopg"),
    pytest.param(by_libpq, id="pg_dump"),
]


@pytest.mark.parametrize("ask", WAYS)
async def test_what_is_let_in_is_encrypted_and_as_verified_as_asked(
    ask: Ask, tls_server: TlsServer
) -> None:
    ours, others = (
        f"sslrootcert={path}" for path in (tls_server.authority, tls_server.other_authority)
    )
    named, address = tls_server.named, tls_server.address
    for url in (
        f"{address}?sslmode=require",
        f"{address}?sslmode=require&{ours}",
        f"{address}?sslmode=verify-ca&{ours}",
        f"{named}?sslmode=verify-full&{ours}",
        f"{named}?sslmode=require&sslaccept=strict&{ours}",
    ):
        assert await ask(url), url
    for url in (
        f"{address}?sslmode=verify-full&{ours}",  # another host
        f"{named}?sslmode=verify-full&{others}",  # another authority, by the same name
        f"{named}?sslmode=verify-ca&{others}",
        f"{named}?sslmode=require&{others}",  # whoever names one wants it asked
        f"{named}?sslmode=verify-full",  # none that the system knows
        f"{named}?sslmode=verify-ca",
    ):
        with pytest.raises(REFUSALS) as refused:
            await ask(url)
        assert tls_server.cluster.password not in str(refused.value), url


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.parametrize("mode", ["require", "verify-full"])
async def test_a_server_without_tls_is_refused(ask: Ask, mode: str, postgres: Cluster) -> None:
    with pytest.raises(REFUSALS):
        await ask(f"{postgres.url()}?sslmode={mode}")


def test_the_prisma_cli_verifies_too(tls_server: TlsServer) -> None:
    """Of the server without tables it says that none are applied (1), of a stranger nothing."""
    for authority, told in ((tls_server.authority, True), (tls_server.other_authority, False)):
        url = f"{tls_server.named}?sslmode=verify-full&sslrootcert={authority}"
        ran = run_here("migrate", "status", url=url, code=1)
        assert ("20250126000000_init" in ran.out + ran.err) is told
        assert ("certificate" in ran.out + ran.err) is not told
        assert tls_server.cluster.password not in ran.out + ran.err
