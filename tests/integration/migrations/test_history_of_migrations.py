"""Failed, rolled back, edited and missing migrations, and the way back from them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from etf_backtest.database import prisma_cli
from etf_backtest.database.prisma_cli import process
from etf_backtest.settings import Settings
from tests.fixtures.cluster import Cluster
from tests.integration.migrations.heard import Heard

BROKEN = "CREATE TABLE half (id INT);\nSELECT 1 / 0;\n"
MENDED = "CREATE TABLE half (id INT);\n"
NAME = "29991231000000_half"


async def has_table(url: str, name: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT to_regclass($1)", name) is not None
    finally:
        await connection.close()


@pytest.fixture
def program_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """What arguments the program got that stands for the schema engine."""
    seen = tmp_path / "arguments"
    program = tmp_path / "engine"
    program.write_text(f'#!/bin/sh\necho "$@" >> {seen}\n')
    program.chmod(0o755)
    monkeypatch.setattr(process, "DO_NOTHING", str(program))
    return seen.read_text


@pytest.mark.each_postgres
async def test_a_failed_migration_and_the_way_back(
    postgres: Cluster,
    empty_database: str,
    project: Path,
    settings: Settings,
    heard: Heard,
    program_arguments: Callable[[], str],
) -> None:
    deploy, status, resolve = (
        partial(command, settings, empty_database, **heard.on(project))
        for command in (
            prisma_cli.migrate_deploy,
            prisma_cli.migrate_status,
            prisma_cli.migrate_resolve,
        )
    )
    script = project / "prisma" / "migrations" / NAME / "migration.sql"
    script.parent.mkdir()
    script.write_text(BROKEN)

    assert await status() == 1
    assert "have not yet been applied" in heard.take()
    assert await deploy() == 1
    said = heard.take()
    assert "division by zero" in said
    assert ".rs:" not in said
    assert f"migrate resolve --rolled-back {NAME}" in said
    assert not await has_table(empty_database, "half")
    assert await has_table(empty_database, "users")
    assert await deploy() == 1
    assert "P3009" in heard.take()
    assert await status() == 1
    assert f"Begun and not finished:\n  {NAME}\n" in heard.take()

    assert await resolve(NAME, state="rolled-back") == 0
    # on the way the CLI runs a program on the database's URL
    assert "can-connect-to-database" in program_arguments()
    assert postgres.password not in program_arguments()
    heard.take()
    assert await status() == 1
    said = heard.take()
    assert f"Rolled back and not applied again:\n  {NAME}\n" in said
    assert "up to date" not in said

    script.write_text(MENDED)
    assert await deploy() == 0
    assert await has_table(empty_database, "half")
    heard.take()
    assert await status() == 0

    # git's line ends are no edit
    script.write_text(MENDED.replace("\n", "\r\n"), newline="")
    assert await status() == 0
    script.write_text(MENDED + "-- later\n")
    heard.take()
    assert await status() == 1
    said = heard.take()
    assert "Edited after being applied" in said
    assert NAME in said
    assert "up to date" not in said

    shutil.rmtree(script.parent)
    assert await status() == 1
    assert f"not in prisma/migrations:\n  {NAME}\n" in heard.take()


async def test_a_database_that_was_made_otherwise_is_taken_over(
    database_url: str, project: Path, settings: Settings, heard: Heard, released: list[str]
) -> None:
    """The test template has the tables, but never heard of Prisma."""
    where = heard.on(project)
    resolve, deploy = prisma_cli.migrate_resolve, prisma_cli.migrate_deploy
    for name in released:
        assert await resolve(settings, database_url, name, state="applied", **where) == 0
    assert await deploy(settings, database_url, **where) == 0
    assert "No pending migrations to apply." in heard.take()
