"""`etf-backtest backtest`: run a strategy on a portfolio and keep what comes out."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from etf_backtest.cli import (
    backtest_diff,
    backtest_queue,
    backtest_share,
    backtest_view,
    console,
    verification_view,
)
from etf_backtest.cli.backtest_data import as_data
from etf_backtest.cli.options import JSON
from etf_backtest.cli.run_options import RUN_CONTEXT, RunArguments, with_run_options
from etf_backtest.cli.session import with_database

app = typer.Typer(
    no_args_is_help=True, help="Run a strategy on a portfolio and keep what comes out."
)

ID = Annotated[str, typer.Argument(metavar="ID", help="The id, or the first characters of it.")]


class Status(StrEnum):
    """How far a backtest is."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@app.command(context_settings=RUN_CONTEXT)
@with_run_options
def run(asked: RunArguments, json: JSON = False) -> None:
    """Run a backtest, store it, and show its metrics and its curve.

    Example: etf-backtest backtest run -p balanced -s fixed-weights --rebalance quarterly
    --commission-bps 5 --cash-flow '-500 monthly' --from 2015-01-02 -b QUAL
    """
    from etf_backtest.services.backtest import run_backtest

    done = with_database(lambda db: run_backtest(db, **asked))
    backtest_view.show(done.backtest, json=json)


app.command(context_settings=RUN_CONTEXT)(with_run_options(backtest_queue.submit))
app.command()(backtest_queue.watch)
app.command()(backtest_queue.cancel)
app.command()(backtest_queue.retry)


@app.command("list")
def list_(
    status: Annotated[Status | None, typer.Option(help="Only those that are this far.")] = None,
    shared: backtest_share.SHARED = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    json: JSON = False,
) -> None:
    """List your backtests, newest first, or those that people share."""
    wanted = None if status is None else status.value
    rows, ruins, owners = with_database(
        lambda db: backtest_share.listed(db, status=wanted, shared=shared, limit=limit)
    )
    if json:
        console.show_json([as_data(r, owner=owners[r.userId]) for r in rows])
    elif rows:
        backtest_view.show_list(rows, ruins, owners if shared else None)
    elif shared:
        console.narrate("nobody shares such a backtest: etf-backtest backtest share ID")
    elif wanted:
        console.narrate(f"no backtest is {wanted}")
    else:
        console.narrate("no backtests yet: etf-backtest backtest run -p PORTFOLIO -s STRATEGY")


@app.command()
def show(
    backtest_id: ID,
    trades: Annotated[bool, typer.Option("--trades", help="Every trade as well.")] = False,
    json: JSON = False,
) -> None:
    """Show one backtest: metrics, rules, curve, warnings; with --json all of its results."""
    row, owner = with_database(lambda db: backtest_share.visible(db, backtest_id))
    backtest_view.show(row, json=json, trades=trades, owner=owner)


@app.command()
def verify(
    backtest_id: ID,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Let the slow Decimal ledger compute it, too.")
    ] = False,
    json: JSON = False,
) -> None:
    """Compute a backtest again from what is stored, and compare it to the last bit.

    Prices are those that were stored when it ran, whatever became of them since.
    The exit code is 0 if it is identical, and 1 if anything has changed: rules,
    engine, code of the strategy.
    """
    from etf_backtest.services.verification import verify_backtest

    verification = with_database(lambda db: verify_backtest(db, backtest_id, ledger=ledger))
    verification_view.show(verification, json=json)
    raise typer.Exit(0 if verification.good else 1)


app.command("diff")(backtest_diff.diff)
app.command()(backtest_share.share)
app.command()(backtest_share.unshare)
app.command()(backtest_share.delete)


@app.command("rules")
def rules_() -> None:
    """Print a file of rules for --rules: every rule with its meaning and default, as TOML.

    Example: etf-backtest backtest rules > rules.toml
    """
    from etf_backtest.services.rules_file import rules_template

    console.show_line(rules_template().rstrip("\n"))
