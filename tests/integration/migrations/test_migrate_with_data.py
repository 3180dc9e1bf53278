"""A database of the first release, with rows in it, comes along."""

from __future__ import annotations

import shutil
from pathlib import Path

import asyncpg
import pytest

from etf_backtest.database import prisma_cli
from etf_backtest.settings import Settings
from tests.integration.migrations.heard import Heard
from tests.integration.schema.rows import insert, insert_one_of_each

FIRST = "20250126000000_init"
ROWS = "SELECT to_jsonb(strategies) - '{implementation,parameters_schema}'::text[] FROM strategies"


@pytest.mark.each_postgres
async def test_rows_of_the_first_release_are_kept_and_take_the_new_columns(
    empty_database: str, project: Path, settings: Settings, heard: Heard, released: list[str]
) -> None:
    where = heard.on(project)
    later = project.parent / "later"
    later.mkdir()
    for name in released[1:]:
        shutil.move(project / "prisma" / "migrations" / name, later / name)
    assert await prisma_cli.migrate_deploy(settings, empty_database, **where) == 0
    connection = await asyncpg.connect(empty_database)
    try:
        await insert_one_of_each(connection)
        before = await connection.fetch(ROWS)
        for name in released[1:]:
            shutil.move(later / name, project / "prisma" / "migrations" / name)
        assert await prisma_cli.migrate_deploy(settings, empty_database, **where) == 0

        assert await connection.fetch(ROWS) == before
        (row,) = await connection.fetch("SELECT * FROM strategies")
        assert (row["implementation"], row["parameters_schema"]) == (None, None)
        (metrics,) = await connection.fetch("SELECT * FROM performance_metrics")
        assert metrics["sessions"] == 2262
        assert metrics["turnover"] is None
        # the new values of the enum can be used
        await insert(
            connection,
            "strategies",
            id="gen_random_uuid()",
            name="'mine'",
            type="'custom'",
            implementation="'my_entry_point'",
        )
    finally:
        await connection.close()
