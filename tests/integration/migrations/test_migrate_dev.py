"""`migrate dev`, step by step, on a copy of the project."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from etf_backtest.database import prisma_cli
from etf_backtest.database.prisma_cli.migrate_dev import write_migration
from etf_backtest.errors import MigrationNameError
from etf_backtest.settings import Settings
from tests.integration.migrations.heard import Heard

INIT = "20250126000000_init"


def migrations(project: Path) -> list[str]:
    return sorted(path.parent.name for path in project.glob("prisma/migrations/*/migration.sql"))


def change_schema(project: Path, old: str, new: str) -> None:
    schema = project / "prisma" / "schema.prisma"
    text = schema.read_text()
    assert text.count(old) == 1
    schema.write_text(text.replace(old, new))


async def columns(url: str, table: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = $1", table
        )
    finally:
        await connection.close()
    return {row[0] for row in rows}


@pytest.mark.each_postgres
async def test_from_a_change_to_a_migration(
    empty_database: str, project: Path, settings: Settings, heard: Heard, released: list[str]
) -> None:
    dev = partial(
        prisma_cli.migrate_dev,
        settings,
        empty_database,
        **heard.on(project),
        generate_client=False,
    )
    # what is pending is applied first; Prisma's own ends with an error here
    assert await dev("nothing new") == 0
    said = heard.take()
    assert all(name in said for name in released)
    assert "Already in sync" in said
    assert migrations(project) == released

    # created only: written, not applied
    before = "  isPublic       Boolean  @default(false)"
    change_schema(project, before, f"  colour         String?  @db.VarChar(20)\n{before}")
    assert await dev("Add colour-to portfolios", create_only=True) == 0
    *before_it, added = migrations(project)
    assert before_it == released
    assert added.endswith("_add_colour_to_portfolios")
    assert len(added.partition("_")[0]) == 14
    script = project / "prisma" / "migrations" / added / "migration.sql"
    assert 'ALTER TABLE "portfolios" ADD COLUMN     "colour" VARCHAR(20)' in script.read_text()
    assert "colour" not in await columns(empty_database, "portfolios")

    # then it is pending, and applied with what else has changed, in a migration of its own
    change_schema(project, before, f"  size           Int?\n{before}")
    assert await dev("add_size") == 0
    assert {"colour", "size"} <= await columns(empty_database, "portfolios")
    assert [name.partition("_")[2] for name in migrations(project)[len(released) :]] == [
        "add_colour_to_portfolios",
        "add_size",
    ]

    # nobody has read yet that data will be lost
    change_schema(project, "  size           Int?\n", "")
    heard.take()
    assert await dev("drop_size") == 1
    said = heard.take()
    assert "Not applied, because data may be lost" in said
    assert 'DROP COLUMN "size"' in said
    assert "size" in await columns(empty_database, "portfolios")
    deploy = prisma_cli.migrate_deploy
    assert await deploy(settings, empty_database, **heard.on(project)) == 0
    assert "size" not in await columns(empty_database, "portfolios")


async def test_a_database_that_somebody_changed_by_hand(
    empty_database: str, project: Path, settings: Settings, heard: Heard
) -> None:
    dev = partial(prisma_cli.migrate_dev, settings, empty_database, **heard.on(project))
    execute = partial(prisma_cli.db_execute, settings, empty_database, **heard.on(project))
    # an empty one, to write into by hand; the client is generated from what the schema says
    assert await dev("by hand", create_only=True) == 0
    by_hand = project / "prisma" / "migrations" / migrations(project)[-1] / "migration.sql"
    assert "empty migration" in by_hand.read_text()
    change_schema(project, "  isPublic       Boolean", "  isOpen         Boolean")
    assert await execute("ALTER TABLE etf_info ADD COLUMN stray INT") == 0
    heard.take()
    assert await dev("rename") == 1
    said = heard.take()
    assert "[*] Changed the `etf_info` table\n  [+] Added column `stray`" in said
    assert "migrate reset" in said

    assert await execute("ALTER TABLE etf_info DROP COLUMN stray") == 0
    # the field has another name, the column has not: nothing to migrate, but to generate
    assert await dev("rename") == 0
    client = project / "etf_backtest" / "database" / "client"
    assert "isOpen: " in (client / "models.py").read_text()

    # history first: the script that the database ran must be the one on disk
    (project / "prisma" / "migrations" / INIT / "migration.sql").write_text("SELECT 1;\n")
    heard.take()
    assert await dev("more") == 1
    assert "Edited after being applied (the script on disk is not the one" in heard.take()


@pytest.mark.parametrize("name", ["", "  ", "-", "../up", "a/b", "ü", "a" * 201])
async def test_names_that_name_no_folder(
    name: str, project: Path, settings: Settings, heard: Heard
) -> None:
    with pytest.raises(MigrationNameError):
        await prisma_cli.migrate_dev(
            settings, "postgresql://nobody@localhost/none", name, directory=project
        )


def test_prisma_notes_the_checksum_that_is_compared(repository: Path) -> None:
    script = (repository / "prisma" / "migrations" / INIT / "migration.sql").read_bytes()
    assert hashlib.sha256(script).hexdigest() in prisma_cli.history.checksums(script)


def test_a_new_migration_sorts_behind_the_others(tmp_path: Path) -> None:
    """Also within a second, and behind one from a computer whose clock was ahead."""
    names = [write_migration(tmp_path / "migrations", "x", "").name for _ in range(3)]
    assert names == sorted(set(names))
    assert names[0].startswith("20")
    (tmp_path / "migrations" / "29991231235959_future").mkdir()
    assert write_migration(tmp_path / "migrations", "x", "").name == "29991231235960_x"
    assert (tmp_path / "migrations" / "migration_lock.toml").exists()
    # nothing of the writing is left
    assert [path.name for path in tmp_path.iterdir()] == ["migrations"]
