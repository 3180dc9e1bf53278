"""The fixtures themselves: what other tests stand on."""

from __future__ import annotations

import os
import re
from pathlib import Path

import asyncpg
import pytest

from tests.fixtures.cluster import Cluster
from tests.fixtures.postgres import TEMPLATE


async def tables(connection: asyncpg.Connection[asyncpg.Record]) -> set[str]:
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    )
    return {row[0] for row in rows}


def created_tables(migrations: Path) -> set[str]:
    scripts = [path.read_text("utf-8") for path in migrations.glob("*/migration.sql")]
    return {name for text in scripts for name in re.findall(r'CREATE TABLE "(\w+)"', text)}


@pytest.mark.each_postgres
async def test_each_kind_of_server_gives_an_empty_database(
    postgres: Cluster, empty_database: str
) -> None:
    connection = await asyncpg.connect(empty_database)
    try:
        version = await connection.fetchval("SHOW server_version_num")
        assert await tables(connection) == set()
    finally:
        await connection.close()
    assert int(version) // 10_000 == postgres.version


async def test_an_unmarked_test_runs_on_the_embedded_version(postgres: Cluster) -> None:
    assert postgres.version == 18


@pytest.mark.each_postgres
async def test_a_wrong_password_is_refused(postgres: Cluster) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.url("postgres").replace(postgres.password, "wrong"))


async def test_a_database_has_every_migration_and_is_nobody_elses(
    database_url: str, postgres: Cluster, repository: Path
) -> None:
    created = created_tables(repository / "prisma" / "migrations")
    assert created
    connection = await asyncpg.connect(database_url)
    assert created <= await tables(connection)
    await connection.execute("CREATE TABLE mine (id int)")
    await connection.close()
    # what the next test's database will be a copy of
    connection = await asyncpg.connect(postgres.url(TEMPLATE))
    assert "mine" not in await tables(connection)
    await connection.close()


@pytest.mark.each_postgres
async def test_an_own_server_keeps_its_rows_over_restart_and_crash(own_postgres: Cluster) -> None:
    own_postgres.execute("CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (1)", "CHECKPOINT")
    own_postgres.restart()
    own_postgres.restart("kill")
    connection = await asyncpg.connect(own_postgres.url("postgres"))
    assert await connection.fetchval("SELECT id FROM kept") == 1
    await connection.close()


def test_a_test_has_a_home_of_its_own(user_home: Path, repository: Path) -> None:
    assert Path.home() == user_home == Path.cwd()
    assert "DATABASE_URL" not in os.environ
    assert not user_home.is_relative_to(repository)
    assert list(user_home.iterdir()) == []
