"""push, pull, execute, reset and seed."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import asyncpg
import psutil
import pytest

from etf_backtest.database import prisma_cli
from etf_backtest.errors import NotConfirmedError
from etf_backtest.settings import Settings
from etf_backtest.strategies import STRATEGIES
from tests.fixtures.cluster import Cluster
from tests.integration.migrations.heard import Heard


async def count(url: str, table: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        number: int = await connection.fetchval(f"SELECT count(*) FROM {table}")
    finally:
        await connection.close()
    return number


CHECKS = "pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace"


@pytest.mark.each_postgres
async def test_push_and_pull(
    empty_database: str, project: Path, settings: Settings, heard: Heard
) -> None:
    where = heard.on(project)

    async def push(**options: bool) -> int:
        return await prisma_cli.db_push(
            settings, empty_database, generate_client=False, **options, **where
        )

    assert await push() == 0
    assert "come with migrate deploy" in heard.take().replace("comes", "come")
    assert await count(empty_database, "users") == 0
    assert await count(empty_database, CHECKS) == 0

    # Prisma lists what would be lost and does nothing, unless it is told to and somebody said yes
    row = "INSERT INTO etf_info (symbol, name, sector) VALUES ('SPY', 'SPDR', 'all')"
    assert await prisma_cli.db_execute(settings, empty_database, row, **where) == 0
    schema = project / "prisma" / "schema.prisma"
    text = schema.read_text()
    shorter = [line for line in text.splitlines() if "sector" not in line]
    schema.write_text("\n".join(shorter) + "\n")
    heard.take()
    assert await push() == 1
    assert "--accept-data-loss" in heard.take()
    for option in ("accept_data_loss", "force_reset"):
        with pytest.raises(NotConfirmedError):
            await push(**{option: True})
    assert await count(empty_database, "etf_info WHERE sector = 'all'") == 1
    assert await push(accept_data_loss=True, confirmed=True) == 0
    assert await count(empty_database, "etf_info") == 1
    assert await push(force_reset=True, confirmed=True) == 0
    assert await count(empty_database, "etf_info") == 0

    heard.take()
    assert await prisma_cli.db_pull(settings, empty_database, **where) == 0
    pulled = heard.take()
    assert "model ETFInfo {" in pulled
    assert "sector" not in pulled
    assert 'url      = env("DATABASE_URL")' in pulled
    assert schema.read_text() == "\n".join(shorter) + "\n"

    # a script is taken whole, dollar quotes and all, or not at all
    script = """
        DO $$ BEGIN PERFORM 1; PERFORM 2; END $$;
        INSERT INTO etf_info (symbol, name) VALUES ('SPY', 'SPDR');
    """
    bad = f"{script}; SELECT 1 / 0;"
    assert await prisma_cli.db_execute(settings, empty_database, bad, **where) == 1
    assert "division by zero" in heard.take()
    assert await count(empty_database, "etf_info") == 0
    assert await prisma_cli.db_execute(settings, empty_database, script, **where) == 0
    assert await count(empty_database, "etf_info") == 1


@pytest.mark.each_postgres
async def test_reset_and_seed(
    database_url: str, repository: Path, settings: Settings, heard: Heard
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("INSERT INTO users (email, password_hash) VALUES ('a@b.co', 'x')")
    await connection.close()
    where = heard.on(repository)

    with pytest.raises(NotConfirmedError):
        await prisma_cli.migrate_reset(settings, database_url, confirmed=False, **where)
    assert await count(database_url, "users") == 1

    code = await prisma_cli.migrate_reset(
        settings, database_url, confirmed=True, generate_client=False, **where
    )
    said = heard.take()
    assert code == 0, said
    assert "Database reset successful" in said
    assert await count(database_url, "users") == 0
    assert await count(database_url, CHECKS) > 40
    # seeded by the Python that runs this test, with the URL and its password
    assert await count(database_url, "strategies WHERE is_system") == len(STRATEGIES)
    etfs = await count(database_url, "etf_info")
    assert etfs >= 10

    assert await prisma_cli.seed(settings, database_url, **where) == 0
    assert await count(database_url, "etf_info") == etfs


async def test_seed_before_the_tables_are_there(
    empty_database: str, repository: Path, settings: Settings, heard: Heard
) -> None:
    assert await prisma_cli.seed(settings, empty_database, **heard.on(repository)) == 1
    # the first line is Prisma's, and so are those at the end, which say that the seed failed
    assert heard.take().splitlines() == [
        "Running seed command `python3 prisma/seed.py` ...",
        "the tables are missing; create them with: etf-backtest migrate deploy",
        "",
        "An error occurred while running the seed command:",
        "Error: Command failed with exit code 1: python3 prisma/seed.py",
    ]


async def test_nobody_sees_a_password_and_ctrl_c_ends_it(
    postgres: Cluster, empty_database: str, repository: Path, settings: Settings, heard: Heard
) -> None:
    lock = await asyncpg.connect(empty_database)
    # Prisma's own advisory lock: deploy now waits for it
    await lock.execute("SELECT pg_advisory_lock(72707369)")
    deploy = asyncio.create_task(
        prisma_cli.migrate_deploy(settings, empty_database, **heard.on(repository))
    )
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    for _ in range(1000):
        if await lock.fetchval(waiting):
            break
        await asyncio.sleep(0.02)
    children = psutil.Process().children(recursive=True)
    nodes = [child for child in children if child.name().startswith(("node", "MainThread"))]
    assert len(nodes) == 1
    assert postgres.password not in " ".join(nodes[0].cmdline())
    assert empty_database not in " ".join(nodes[0].cmdline())

    deploy.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await deploy
    assert deploy.cancelled()
    assert not nodes[0].is_running()
    await lock.close()


@pytest.mark.each_postgres
async def test_ctrl_c_leaves_no_temporary_database(
    empty_database: str, project: Path, settings: Settings, heard: Heard
) -> None:
    slow = project / "prisma" / "migrations" / "20250127000000_slow" / "migration.sql"
    slow.parent.mkdir()
    slow.write_text("SELECT pg_sleep(20);")
    connection = await asyncpg.connect(empty_database)
    shadows = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'prisma_migrate_shadow%'"
    diff = asyncio.create_task(
        prisma_cli.migrate_diff(settings, empty_database, **heard.on(project))
    )
    for _ in range(1000):
        if await connection.fetchval(f"{shadows} AND query LIKE '%pg_sleep%'"):
            break
        await asyncio.sleep(0.02)
    diff.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await diff
    assert await connection.fetchval(shadows) == 0
    names = [row[0] for row in await connection.fetch("SELECT datname FROM pg_database")]
    assert not [name for name in names if name.startswith("prisma_migrate_shadow")]
    await connection.close()


def test_nothing_of_prisma_is_set_here() -> None:
    """The tests above run as on a machine that never heard of Prisma."""
    assert not [name for name in os.environ if name.startswith("PRISMA_")]
    assert "DATABASE_URL" not in os.environ
