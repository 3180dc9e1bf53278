"""`etf-backtest db`: the PostgreSQL behind everything."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Final

import typer

from etf_backtest.cli import console, db_backup, db_doctor, db_grant
from etf_backtest.cli.options import JSON, YES, confirm
from etf_backtest.cli.session import run, settings, with_url

if TYPE_CHECKING:
    from etf_backtest.database.url import DatabaseUrl
    from etf_backtest.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The PostgreSQL behind everything.")
# `--help` shows panels and commands in the order in which they are added
SERVER: Final = "Server"
CARE: Final = "Backup and care"
PRISMA: Final = "Prisma"


def _is_embedded(where: Settings) -> bool:
    """Whether the embedded server is the one in use; said on stderr when it is not."""
    if where.database_url is None:
        return True
    console.narrate(
        f"DATABASE_URL is set ({where.database_url_source}): that server is used, "
        "and is not ours to start or stop"
    )
    return False


@app.command(rich_help_panel=SERVER)
def up() -> None:
    """Start the embedded PostgreSQL unless it runs; create its database."""
    from etf_backtest.database.postgres import ensure_database

    where = settings()
    _is_embedded(where)
    console.show_line(str(run(ensure_database(where))))


@app.command(rich_help_panel=SERVER)
def down() -> None:
    """Stop the embedded PostgreSQL; its data stays."""
    from etf_backtest.database.postgres import stop

    where = settings()
    if not _is_embedded(where):
        raise typer.Exit(1)
    console.narrate("stopped" if stop(where) else "it was not running")


@app.command(rich_help_panel=SERVER)
def status(json: JSON = False) -> None:
    """Show which database is used and whether it runs; 1 if it does not."""
    where = settings()
    facts = _embedded_facts(where) if where.database_url is None else _own_facts(where)
    if json:
        console.show_json(facts)
    else:
        console.show_facts(
            "database", [(name.replace("_", " "), str(value)) for name, value in facts.items()]
        )
    raise typer.Exit(0 if facts["state"] == "ready" else 1)


def _embedded_facts(where: Settings) -> dict[str, object]:
    from etf_backtest.database import postgres

    status = postgres.status(where)
    facts: dict[str, object] = {
        "server": "embedded",
        "state": status.state,
        "version": status.version,
        "data_directory": str(status.cluster),
        "log_directory": str(status.log_directory),
    }
    if status.running:
        started = status.started and dt.datetime.fromtimestamp(status.started, dt.UTC).isoformat()
        facts |= {"url": str(status.url), "pid": status.pid, "started": started}
    return facts


def _own_facts(where: Settings) -> dict[str, object]:
    from etf_backtest.database.postgres import check_database

    url = run(check_database(where))
    return {
        "server": f"DATABASE_URL ({where.database_url_source})",
        "state": "ready",
        "url": str(url),
    }


@app.command(rich_help_panel=SERVER)
def url(
    show_password: Annotated[
        bool, typer.Option("--show-password", help="Print the password, for psql and notebooks.")
    ] = False,
) -> None:
    """Print the URL of the database, started if need be; its password only when asked for.

    Example: psql "$(etf-backtest db url --show-password)"
    """

    async def show(url: DatabaseUrl) -> None:
        console.show_line(url.render() if show_password else str(url))

    with_url(show)


db_backup.register(app, panel=CARE)
db_doctor.register(app, panel=CARE)
app.command(rich_help_panel="Roles")(db_grant.grant)


@app.command(rich_help_panel=PRISMA)
def push(
    accept_data_loss: Annotated[
        bool, typer.Option("--accept-data-loss", help="Go on where rows or columns get lost.")
    ] = False,
    force_reset: Annotated[
        bool, typer.Option("--force-reset", help="Drop everything first.")
    ] = False,
    skip_generate: Annotated[
        bool, typer.Option("--skip-generate", help="Leave the typed client as it is.")
    ] = False,
    yes: YES = False,
) -> None:
    """Make the tables what schema.prisma says, without a migration (no CHECKs, no triggers)."""
    from etf_backtest.database.prisma_cli import db_push

    async def push_to(url: DatabaseUrl) -> int:
        if force_reset:
            confirm(f"drop all tables and rows of {url}?", yes=yes)
        elif accept_data_loss:
            confirm(f"lose what has no place in schema.prisma, in {url}?", yes=yes)
        return await db_push(
            settings(),
            url.render(),
            accept_data_loss=accept_data_loss,
            force_reset=force_reset,
            confirmed=True,
            generate_client=not skip_generate,
        )

    raise typer.Exit(with_url(push_to))


@app.command(rich_help_panel=PRISMA)
def pull(
    write: Annotated[
        bool, typer.Option("--write", help="Write it to prisma/schema.prisma.")
    ] = False,
    yes: YES = False,
) -> None:
    """Print the schema that the database has, as a schema.prisma."""
    from etf_backtest.database.prisma_cli import db_pull

    if write:
        confirm("overwrite prisma/schema.prisma?", yes=yes)
    raise typer.Exit(with_url(lambda url: db_pull(settings(), url.render(), print_only=not write)))


@app.command(rich_help_panel=PRISMA)
def validate() -> None:
    """Check prisma/schema.prisma."""
    from etf_backtest.database.prisma_cli import validate as run_validate

    raise typer.Exit(run(run_validate(settings())))
