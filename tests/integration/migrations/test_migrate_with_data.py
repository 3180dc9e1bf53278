"""A database of the first release, with rows in it, comes along."""

from __future__ import annotations

import shutil
from pathlib import Path

import asyncpg
import pytest

from etf_backtest.database import prisma_cli
from etf_backtest.settings import Settings
from tests.integration.migrations.heard import Heard
from tests.integration.schema.rows import FIRST_RELEASE, insert

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
        for table in FIRST_RELEASE:
            await insert(connection, table)
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
        # prices begin their history here: as traded, and of one revision that says so
        (price,) = await connection.fetch("SELECT * FROM market_data")
        assert (price["revision"], price["split_adjusted"]) == (1, False)
        (revision,) = await connection.fetch("SELECT * FROM price_revisions")
        assert (revision["number"], revision["inserted"]) == (1, 1)
        assert revision["source"] == "before revisions were kept"
        assert await connection.fetchval("SELECT revision FROM price_series") == 1
        await connection.execute("UPDATE market_data SET close = close + 1")
        (was,) = await connection.fetch("SELECT * FROM market_data_history")
        assert (was["close"], was["valid_from"], was["valid_to"]) == (price["close"], 1, 2)
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
