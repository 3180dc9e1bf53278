"""The command line `etf-backtest`: commands parse, call a service, and show what it returns.

Modules here import only Typer at the top; what a command needs is imported when it runs, so that
`--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from etf_backtest.cli import (
    backtest,
    db,
    demo,
    etf,
    generate,
    migrate,
    portfolio,
    prices,
    seed,
    session,
    strategy,
    studio,
    user,
    worker,
)
from etf_backtest.errors import SettingsError

app = typer.Typer(
    name="etf-backtest",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Backtest portfolios of ETFs and keep the results in a PostgreSQL database you own.",
    epilog="Accepted anywhere: --user EMAIL acts as another user, --debug shows tracebacks, "
    "--log-queries shows the SQL.",
)
app.command()(demo.demo)
app.command()(generate.generate)
app.add_typer(migrate.app, name="migrate")
app.add_typer(db.app, name="db")
app.command()(seed.seed)
app.command()(studio.studio)
app.command()(worker.worker)
app.add_typer(prices.app, name="prices")
app.add_typer(etf.app, name="etf")
app.add_typer(portfolio.app, name="portfolio")
app.add_typer(strategy.app, name="strategy")
app.add_typer(backtest.app, name="backtest")
app.add_typer(user.app, name="user")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"etf-backtest {version('etf-backtest')}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """The options before a command; the version is shown by its callback."""


def take_global_flags(arguments: Sequence[str]) -> list[str]:
    """Take --debug, --log-queries and --user out of the arguments, wherever they stand before `--`.

    Raises
    ------
    SettingsError
        Nobody is named after --user, or an option has characters that nobody sees.
    """
    flags, rest, left = session.flags, [], list(arguments)
    flags.debug, flags.log_queries, flags.user = False, False, None
    while left and left[0] != "--":
        argument = left.pop(0)
        if argument == "--debug":
            flags.debug = True
        elif argument == "--log-queries":
            flags.log_queries = True
        elif argument == "--user" or argument.startswith("--user="):
            is_apart = argument == "--user" and left and not left[0].startswith("-")
            flags.user = left.pop(0) if is_apart else argument.partition("=")[2]
            if not flags.user.strip():
                raise SettingsError("--user names nobody", remedy="give an e-mail address or an id")
        else:
            _refuse_unseen(argument)
            rest.append(argument)
    return rest + left


def _refuse_unseen(argument: str) -> None:
    """The parser would repeat the name of an unknown option as it stands, to the terminal."""
    name = argument.partition("=")[0]
    if name.startswith("-") and not name.isprintable():
        raise SettingsError(f"there is no option {name!r}", remedy="see --help")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; exit with 0, 1 for a failure, 2 for wrong usage, 130 for Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # a name that the terminal cannot show must not end a command
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            rest = take_global_flags(sys.argv[1:] if arguments is None else arguments)
            app(args=rest, prog_name="etf-backtest")
        finally:
            _flush()
    except BrokenPipeError:
        sys.exit(1)  # whoever read our output has gone (| head)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except Exception as error:
        if session.flags.debug:
            raise
        from etf_backtest.cli.console import fail
        from etf_backtest.cli.failures import explain

        failure = explain(error)
        fail(failure.message, failure.remedy)
        sys.exit(failure.exit_code)


def _flush() -> None:
    """Write what is left of the output, or say that it cannot be written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would try once more at exit, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        from etf_backtest.errors import OutputError

        raise OutputError(error.strerror or str(error)) from error
