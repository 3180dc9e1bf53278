"""`prisma migrate dev`, step by step: write what changed in schema.prisma as a new migration.

With the WASM engine `prisma migrate dev` itself ends with an error when migrations are pending,
and after writing one with --create-only. So its steps are taken here. As Prisma's own, it applies
what is pending, refuses to go on from a database that is not what the migrations make, and
generates the client. Unlike it, it never offers to reset the database, and it does not apply a
migration that drops something before somebody has read it. It does not seed.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import tempfile
from pathlib import Path
from typing import Final

from etf_backtest.database.prisma_cli.generate import generate
from etf_backtest.database.prisma_cli.history import read_history
from etf_backtest.database.prisma_cli.migrate import NOT_EMPTY, deploy, describe_problems, diff
from etf_backtest.database.prisma_cli.output import Output
from etf_backtest.database.prisma_cli.process import Prisma
from etf_backtest.errors import MigrationNameError
from etf_backtest.settings import Settings

_EMPTY_SCRIPT: Final = "-- This is an empty migration.\n"
_LONGEST_NAME: Final = 200
_STAMP: Final = "%Y%m%d%H%M%S"
# at the beginning of a line, as Prisma writes them
_DESTRUCTIVE: Final = re.compile(
    r"^(?:ALTER TABLE .*?\bDROP COLUMN|\s*DROP COLUMN|DROP TABLE|DROP TYPE|DROP SCHEMA)\b.*$",
    re.MULTILINE,
)


async def migrate_dev(
    settings: Settings,
    url: str,
    name: str,
    *,
    create_only: bool = False,
    confirmed: bool = False,
    generate_client: bool = True,
    directory: Path | None = None,
    output: Output | None = None,
) -> int:
    """Apply what is pending; write what changed in schema.prisma as a migration, and apply it.

    Parameters
    ----------
    settings, url
        Of the database. The role has to be allowed to create databases: migrations are replayed
        in a temporary one.
    name : str
        Of the migration, for its folder; spaces and hyphens become underscores.
    create_only : bool
        Write it, even if it is empty, but do not apply it: there is something to add by hand.
    confirmed : bool
        Apply it even if it drops tables, columns or types.
    generate_client : bool
        Generate the client at the end.

    Returns
    -------
    int
        0, or the exit code of the step that failed; 1 when the migration is written but not
        applied because it drops something.

    Raises
    ------
    MigrationNameError
        The name has nothing that a folder's name can be made of.
    """
    label = migration_label(name)
    prisma = Prisma.on(settings, url, directory=directory, output=output)
    code = await _catch_up(prisma)
    if code != 0:
        return code
    drift, changes = await asyncio.gather(
        diff(prisma.silent(), "migrations", "database", exit_code=True),
        diff(prisma.silent(), "migrations", "schema", script=True, exit_code=True),
    )
    for run in (drift, changes):
        if run.exit_code not in (0, NOT_EMPTY):
            prisma.output.stderr(run.stderr)
            return run.exit_code
    if drift.exit_code == NOT_EMPTY:
        prisma.output.say(
            "The database is not what prisma/migrations makes of an empty one. It differs by:\n"
            f"\n{drift.stdout.strip()}\n\n"
            "Undo that in the database, or bring it into schema.prisma by etf-backtest db pull, "
            "or start again by etf-backtest migrate reset."
        )
        return 1
    if changes.exit_code == 0 and not create_only:
        prisma.output.say("Already in sync, no schema change or pending migration was found.")
    else:
        script = changes.stdout if changes.exit_code == NOT_EMPTY else _EMPTY_SCRIPT
        code = await _write_and_apply(
            prisma, label, script, apply=not create_only, confirmed=confirmed
        )
        if code != 0 or create_only:
            return code
    if not generate_client:
        return 0
    return await generate(settings, directory=directory, output=output)


def migration_label(name: str) -> str:
    """What stands behind the time in a migration's folder name."""
    label = re.sub(r"[\s\-]+", "_", name.strip()).lower()
    if not re.fullmatch(r"[a-z0-9_]+", label) or not label.strip("_") or len(label) > _LONGEST_NAME:
        raise MigrationNameError(name)
    return label


async def _catch_up(prisma: Prisma) -> int:
    """Apply what is pending, unless the history is in a state to be looked at first."""
    history = await read_history(prisma.url or "", prisma.project.migrations)
    if not history.is_intact:
        for problem in describe_problems(history):
            prisma.output.say(f"{problem}\n")
        return 1
    if history.pending or history.rolled_back:
        return await deploy(prisma)
    return 0


async def _write_and_apply(
    prisma: Prisma, label: str, script: str, *, apply: bool, confirmed: bool
) -> int:
    migration = write_migration(prisma.project.migrations, label, script)
    where = migration.relative_to(prisma.project.root)
    prisma.output.say(f"Wrote {where}/migration.sql")
    if not apply:
        prisma.output.say("Edit it where needed, then apply it: etf-backtest migrate deploy")
        return 0
    losses = [line.strip().rstrip(",;") for line in _DESTRUCTIVE.findall(script)]
    if losses and not confirmed:
        prisma.output.say(
            "Not applied, because data may be lost:\n"
            + "".join(f"  {line}\n" for line in losses)
            + "Read it, edit it where needed, then apply it: etf-backtest migrate deploy"
        )
        return 1
    return await deploy(prisma)


def write_migration(migrations: Path, label: str, script: str) -> Path:
    """Write a migration, whole or not at all, that sorts behind every other one."""
    now = dt.datetime.now(dt.UTC).strftime(_STAMP)
    last = max((folder.name.partition("_")[0] for folder in migrations.glob("*/")), default="0")
    # two within a second, or one from a computer whose clock was ahead
    stamp = now if now > last or not last.isdecimal() else str(int(last) + 1)
    migrations.mkdir(parents=True, exist_ok=True)
    lock = migrations / "migration_lock.toml"
    if not lock.exists():
        lock.write_text('provider = "postgresql"\n', encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix=".new-", dir=migrations.parent) as folder:
        new = Path(folder) / f"{stamp}_{label}"
        new.mkdir()
        (new / "migration.sql").write_text(script, encoding="utf-8")
        return new.rename(migrations / new.name)
