"""`prisma validate`, `format`, `db ...`: the schema, and a database without migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from etf_backtest.database.prisma_cli.generate import generate
from etf_backtest.database.prisma_cli.output import Output
from etf_backtest.database.prisma_cli.process import Prisma
from etf_backtest.errors import NotConfirmedError
from etf_backtest.settings import Settings

_ONLY_THE_SCHEMA: Final = (
    "Note: db push makes what schema.prisma says. What only SQL can say (checks, triggers: see "
    "docs/database.md) comes with migrate deploy."
)


async def validate(
    settings: Settings, *, directory: Path | None = None, output: Output | None = None
) -> int:
    """Check schema.prisma; return Prisma's exit code."""
    prisma = Prisma.on(settings, None, directory=directory, output=output)
    return (await prisma.run("validate")).exit_code


async def format_schema(
    settings: Settings,
    *,
    check: bool = False,
    directory: Path | None = None,
    output: Output | None = None,
) -> int:
    """Format schema.prisma, or only check that it is; return Prisma's exit code."""
    prisma = Prisma.on(settings, None, directory=directory, output=output)
    return (await prisma.run("format", *(["--check"] if check else []))).exit_code


async def db_push(
    settings: Settings,
    url: str,
    *,
    accept_data_loss: bool = False,
    force_reset: bool = False,
    confirmed: bool = False,
    generate_client: bool = True,
    directory: Path | None = None,
    output: Output | None = None,
) -> int:
    """Make the database what schema.prisma says, without a migration.

    Parameters
    ----------
    settings, url
        Of the database, which exists.
    accept_data_loss : bool
        Go on where rows or columns would be lost; Prisma lists them and refuses otherwise.
    force_reset : bool
        Drop everything first.
    confirmed : bool
        Somebody said yes to either of these.
    generate_client : bool
        Generate the client afterwards, as Prisma does.

    Returns
    -------
    int
        Prisma's exit code.

    Raises
    ------
    NotConfirmedError
        Data may be lost, and nobody said yes.
    """
    if (force_reset or accept_data_loss) and not confirmed:
        raise NotConfirmedError(
            "drop all tables and rows?" if force_reset else "lose the data that Prisma lists?"
        )
    prisma = Prisma.on(settings, url, directory=directory, output=output)
    options = [
        option
        for option, wanted in (
            ("--accept-data-loss", accept_data_loss),
            ("--force-reset", force_reset),
        )
        if wanted
    ]
    # ours leaves the old client alone until the new one is complete
    pushed = await prisma.run("db", "push", "--skip-generate", *options)
    if pushed.exit_code != 0:
        return pushed.exit_code
    prisma.output.say(_ONLY_THE_SCHEMA)
    if not generate_client:
        return 0
    return await generate(settings, directory=directory, output=output)


async def db_pull(
    settings: Settings,
    url: str,
    *,
    print_only: bool = True,
    directory: Path | None = None,
    output: Output | None = None,
) -> int:
    """Read a schema from the database: print it, or bring schema.prisma up to it."""
    prisma = Prisma.on(settings, url, directory=directory, output=output)
    return (await prisma.run("db", "pull", *(["--print"] if print_only else []))).exit_code


async def db_execute(
    settings: Settings,
    url: str,
    script: str,
    *,
    directory: Path | None = None,
    output: Output | None = None,
) -> int:
    """Run a SQL script, all of it or nothing; rows that it selects are not shown."""
    prisma = Prisma.on(settings, url, directory=directory, output=output)
    arguments = ("db", "execute", "--stdin", "--schema", prisma.project.schema)
    return (await prisma.run(*arguments, script=script)).exit_code


async def seed(
    settings: Settings,
    url: str,
    *,
    directory: Path | None = None,
    output: Output | None = None,
) -> int:
    """Run `prisma db seed`, which runs prisma/seed.py with the Python that runs this."""
    prisma = Prisma.on(settings, url, directory=directory, output=output)
    return (await prisma.run("db", "seed", seeds=True)).exit_code
