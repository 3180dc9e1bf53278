"""`prisma migrate deploy | status | reset | resolve | diff`."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Final, Literal

from etf_backtest.database.prisma_cli.generate import generate
from etf_backtest.database.prisma_cli.history import History, read_history
from etf_backtest.database.prisma_cli.output import Output
from etf_backtest.database.prisma_cli.process import Prisma, PrismaRun
from etf_backtest.database.prisma_cli.rights import check_may_reset
from etf_backtest.errors import NotConfirmedError
from etf_backtest.settings import Settings

DiffSide = Literal["empty", "migrations", "schema", "database"]
NOT_EMPTY: Final = 2
"""Exit code of a diff with differences."""

_EMPTY_DATABASE: Final = "P4001"
# where the WASM engine, unlike the native one, says which migration an error is of
_FAILED_NOW: Final = re.compile(r'with migration_name="(?P<name>[^"]+)"')
_ALL_IS_WELL: Final = "Database schema is up to date!"


async def migrate_deploy(
    settings: Settings, url: str, *, directory: Path | None = None, output: Output | None = None
) -> int:
    """Apply the migrations that the database has not had; return Prisma's exit code."""
    return await deploy(Prisma.on(settings, url, directory=directory, output=output))


async def deploy(prisma: Prisma) -> int:
    """As `migrate_deploy`."""
    run = await prisma.run("migrate", "deploy")
    failed = _FAILED_NOW.search(run.trace)
    if run.exit_code != 0 and failed is not None:
        name = failed["name"]
        prisma.output.say(
            f"\n{name} failed. PostgreSQL takes a script whole or not at all, unless it says "
            "COMMIT itself.\n"
            f"Mend it, then: etf-backtest migrate resolve --rolled-back {name}, and deploy again."
        )
    return run.exit_code


async def migrate_status(
    settings: Settings, url: str, *, directory: Path | None = None, output: Output | None = None
) -> int:
    """Say whether the database has had the migrations on disk, each as it is on disk.

    Returns
    -------
    int
        0 when it has; 1 when one is pending, failed, edited, missing or rolled back (Prisma itself
        is content with the last three), or when Prisma says so.
    """
    prisma = Prisma.on(settings, url, directory=directory, output=output)
    history = await read_history(url, prisma.project.migrations)
    problems = describe_problems(history)
    run = await prisma.run("migrate", "status", hidden=(_ALL_IS_WELL,) if problems else ())
    for problem in problems:
        prisma.output.say(f"\n{problem}")
    return 1 if problems else run.exit_code


def describe_problems(history: History) -> list[str]:
    """What Prisma's status keeps quiet about, a paragraph each, with a remedy."""
    paragraphs = (
        (
            history.edited,
            "Edited after being applied (the script on disk is not the one that the database ran)",
            "Restore the script from version control, and write what has to change into a new "
            "migration: etf-backtest migrate dev",
        ),
        (
            history.missing,
            "Applied, but not in prisma/migrations",
            "Restore the folder from version control, or get the version that this database "
            "belongs to",
        ),
        (
            history.rolled_back,
            "Rolled back and not applied again",
            "Apply it: etf-backtest migrate deploy",
        ),
        (
            history.failed,
            "Begun and not finished",
            "See what it left behind, then: etf-backtest migrate resolve --rolled-back NAME "
            "(or --applied NAME)",
        ),
    )
    return [
        f"{what}:\n" + "".join(f"  {name}\n" for name in names) + f"{remedy}."
        for names, what, remedy in paragraphs
        if names
    ]


async def migrate_reset(
    settings: Settings,
    url: str,
    *,
    confirmed: bool,
    run_seed: bool = True,
    generate_client: bool = True,
    directory: Path | None = None,
    output: Output | None = None,
) -> int:
    """Drop everything in the schema, apply all migrations, seed, and generate the client.

    Raises
    ------
    NotConfirmedError
        `confirmed` is false; asking is the caller's business.
    RoleError
        The URL's user does not own the schema.
    """
    if not confirmed:
        raise NotConfirmedError("drop all tables and rows?")
    await check_may_reset(url)
    if generate_client:
        # before the seed, which needs it, and before anything is dropped
        code = await generate(settings, directory=directory, output=output)
        if code != 0:
            return code
    prisma = Prisma.on(settings, url, directory=directory, output=output)
    options = ["--force", "--skip-generate", *([] if run_seed else ["--skip-seed"])]
    return (await prisma.run("migrate", "reset", *options, seeds=run_seed)).exit_code


async def migrate_resolve(
    settings: Settings,
    url: str,
    name: str,
    *,
    state: Literal["applied", "rolled-back"],
    directory: Path | None = None,
    output: Output | None = None,
) -> int:
    """Note that a failed migration was rolled back, or that one need not be applied any more."""
    prisma = Prisma.on(settings, url, directory=directory, output=output)
    return (await prisma.run("migrate", "resolve", f"--{state}", name)).exit_code


async def migrate_diff(
    settings: Settings,
    url: str,
    *,
    from_: DiffSide = "migrations",
    to: DiffSide = "schema",
    script: bool = False,
    exit_code: bool = False,
    directory: Path | None = None,
    output: Output | None = None,
) -> int:
    """Show the differences between two of: nothing, the migrations, schema.prisma, the database.

    Parameters
    ----------
    settings, url
        Of the database, also where it is neither side: migrations are replayed in a temporary
        database on the same server.
    from_, to : {"empty", "migrations", "schema", "database"}
        The sides.
    script : bool
        Print SQL that leads from the one to the other, instead of a summary.
    exit_code : bool
        Return 2 when there are differences.

    Returns
    -------
    int
        Prisma's exit code.
    """
    prisma = Prisma.on(settings, url, directory=directory, output=output)
    return (await diff(prisma, from_, to, script=script, exit_code=exit_code)).exit_code


async def diff(
    prisma: Prisma, from_: DiffSide, to: DiffSide, *, script: bool = False, exit_code: bool = False
) -> PrismaRun:
    """As `migrate_diff`, with Prisma's words as the answer."""
    with tempfile.TemporaryDirectory(prefix="etf-backtest-diff-") as folder:
        pulled: Path | None = None
        if "database" in (from_, to):
            # Prisma cannot compare through an adapter what a URL leads to, but can pull it
            run = await prisma.silent().run("db", "pull", "--print")
            if run.exit_code == 0:
                pulled = Path(folder, "schema.prisma")
                await asyncio.to_thread(pulled.write_text, run.stdout, encoding="utf-8")
            elif _EMPTY_DATABASE not in run.stderr:
                prisma.output.stderr(run.stderr)
                return run
        sides: dict[DiffSide, tuple[str, Path | None]] = {
            "empty": ("empty", None),
            "migrations": ("migrations", prisma.project.migrations),
            "schema": ("schema-datamodel", prisma.project.schema),
            "database": ("schema-datamodel", pulled) if pulled else ("empty", None),
        }
        arguments: list[str | Path] = []
        for direction, side in (("from", from_), ("to", to)):
            name, path = sides[side]
            arguments += [f"--{direction}-{name}", *([path] if path else [])]
        options = [*(["--script"] if script else []), *(["--exit-code"] if exit_code else [])]
        return await prisma.run("migrate", "diff", *arguments, *options)
