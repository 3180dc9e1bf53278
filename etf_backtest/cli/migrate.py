"""`etf-backtest migrate`: the tables, from prisma/migrations."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.options import YES, confirm
from etf_backtest.cli.session import settings, with_url

if TYPE_CHECKING:
    from etf_backtest.database.url import DatabaseUrl

app = typer.Typer(no_args_is_help=True, help="The tables, from prisma/migrations.")

SKIP_GENERATE = Annotated[
    bool, typer.Option("--skip-generate", help="Leave the typed client as it is.")
]


class Side(StrEnum):
    """What can be compared."""

    EMPTY = "empty"
    MIGRATIONS = "migrations"
    SCHEMA = "schema"
    DATABASE = "database"


@app.command()
def deploy() -> None:
    """Apply the migrations that the database has not had, and install or update the queue."""
    from etf_backtest.database.prisma_cli import migrate_deploy
    from etf_backtest.database.queue import deploy_queue

    async def run(url: DatabaseUrl) -> int:
        code = await migrate_deploy(settings(), url.render())
        return code or await deploy_queue(url, console.narrate)

    raise typer.Exit(with_url(run))


@app.command()
def status() -> None:
    """Say whether the database has had every migration as it is on disk; 1 if not."""
    from etf_backtest.database.prisma_cli import migrate_status
    from etf_backtest.database.queue import queue_state

    async def run(url: DatabaseUrl) -> int:
        code = await migrate_status(settings(), url.render())
        state = await queue_state(url)
        console.narrate(f"\n{state.describe()}")
        return code or int(state.must_deploy)

    raise typer.Exit(with_url(run))


@app.command()
def dev(
    name: Annotated[str, typer.Option(help="What the migration does, for its folder's name.")],
    create_only: Annotated[
        bool, typer.Option("--create-only", help="Write the migration, do not apply it.")
    ] = False,
    skip_generate: SKIP_GENERATE = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Apply it even if it drops tables or columns.")
    ] = False,
) -> None:
    """Write what changed in schema.prisma as a migration, apply it, generate the client.

    Example: etf-backtest migrate dev --name add_expense_drag
    """
    from etf_backtest.database.prisma_cli import migrate_dev

    raise typer.Exit(
        with_url(
            lambda url: migrate_dev(
                settings(),
                url.render(),
                name,
                create_only=create_only,
                confirmed=yes,
                generate_client=not skip_generate,
            )
        )
    )


@app.command()
def reset(
    yes: YES = False,
    skip_seed: Annotated[bool, typer.Option("--skip-seed", help="Do not seed.")] = False,
    skip_generate: SKIP_GENERATE = False,
) -> None:
    """Drop every table, row and job, apply all migrations, seed, generate the client."""
    from etf_backtest.database.prisma_cli import migrate_reset
    from etf_backtest.database.queue import reset_queue

    async def run(url: DatabaseUrl) -> int:
        confirm(f"drop all tables and rows of {url}, and its queue?", yes=yes)
        code = await migrate_reset(
            settings(),
            url.render(),
            confirmed=True,
            run_seed=not skip_seed,
            generate_client=not skip_generate,
        )
        return code or await reset_queue(url, console.narrate)

    raise typer.Exit(with_url(run))


@app.command()
def resolve(
    applied: Annotated[
        str | None, typer.Option(help="This migration need not be applied any more.")
    ] = None,
    rolled_back: Annotated[
        str | None, typer.Option("--rolled-back", help="This failed migration was undone.")
    ] = None,
) -> None:
    """Settle a failed migration, so that deploy goes on."""
    from etf_backtest.database.prisma_cli import migrate_resolve

    if (applied is None) == (rolled_back is None):
        raise typer.BadParameter("give --applied NAME or --rolled-back NAME, one of the two")
    name = applied or rolled_back or ""
    raise typer.Exit(
        with_url(
            lambda url: migrate_resolve(
                settings(), url.render(), name, state="applied" if applied else "rolled-back"
            )
        )
    )


@app.command()
def diff(
    from_: Annotated[Side, typer.Option("--from", help="One side.")] = Side.MIGRATIONS,
    to: Annotated[Side, typer.Option("--to", help="The other side.")] = Side.SCHEMA,
    script: Annotated[
        bool, typer.Option("--script", help="Print SQL that leads from one to the other.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 2 when they differ.")
    ] = False,
) -> None:
    """Show how two of nothing, the migrations, schema.prisma and the database differ."""
    from etf_backtest.database.prisma_cli import migrate_diff

    raise typer.Exit(
        with_url(
            lambda url: migrate_diff(
                settings(),
                url.render(),
                from_=from_.value,
                to=to.value,
                script=script,
                exit_code=exit_code,
            )
        )
    )
