"""`etf-backtest backtest`: run a strategy on a portfolio and keep what comes out."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import backtest_view, console
from etf_backtest.cli.options import JSON, parse_date
from etf_backtest.cli.session import with_database

if TYPE_CHECKING:
    from etf_backtest.market import MissingPolicy

app = typer.Typer(
    no_args_is_help=True, help="Run a strategy on a portfolio and keep what comes out."
)


class Rebalance(StrEnum):
    """How often the targets are decided anew."""

    NEVER = "never"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    SEMIANNUAL = "semiannual"
    ANNUAL = "annual"


class Status(StrEnum):
    """How far a backtest is."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


def parse_missing(text: str) -> MissingPolicy:
    """The policy for missing prices: error, common or ffill:N."""
    from etf_backtest.market import ForwardFill

    name, _, sessions = text.partition(":")
    if text == "error":
        return "error"
    if text == "common":
        return "common"
    if name == "ffill" and sessions.isascii() and sessions.isdecimal() and int(sessions) > 0:
        return ForwardFill(int(sessions))
    raise typer.BadParameter(f"{text!r}: expected error, common or ffill:N", param_hint="--missing")


def parse_capital(text: str | None) -> Decimal | None:
    """An amount of money, as far as it is a number."""
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is not an amount", param_hint="--capital") from None


@app.command()
def run(
    portfolio: Annotated[str, typer.Option("--portfolio", "-p", help="Name or id.")],
    strategy: Annotated[str, typer.Option("--strategy", "-s", help="Name or id.")],
    start: Annotated[
        str | None, typer.Option("--from", help="First day, 2015-01-31; all there is by default.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Last day; all there is by default.")
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", "-b", help="A symbol to compare with.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="A name for the row.")] = None,
    capital: Annotated[
        str | None, typer.Option(help="Start with this instead of the portfolio's capital.")
    ] = None,
    rebalance: Annotated[
        Rebalance | None, typer.Option(help="Instead of the strategy's own.")
    ] = None,
    lag: Annotated[
        int | None, typer.Option(help="Sessions from decision to fill.", min=0, max=252)
    ] = None,
    cash_rate: Annotated[
        float,
        typer.Option(help="What cash earns a year, a fraction: 0.02 is 2 %.", min=-0.99, max=1.0),
    ] = 0.0,
    risk_free: Annotated[
        float,
        typer.Option(help="Risk-free rate a year, a fraction, for the ratios.", min=-0.99, max=1.0),
    ] = 0.0,
    missing: Annotated[
        str, typer.Option(help="Where a price is missing: error, common or ffill:N.")
    ] = "error",
    json: JSON = False,
) -> None:
    """Run a backtest, store it, and show its metrics and its curve.

    Example: etf-backtest backtest run -p balanced -s buy-and-hold --from 2015-01-02 -b QUAL
    """
    if benchmark is not None and not benchmark.strip():
        raise typer.BadParameter("give a symbol", param_hint="--benchmark")
    first = None if start is None else parse_date(start, "--from")
    last = None if end is None else parse_date(end, "--to")
    if first and last and first >= last:
        raise typer.BadParameter(f"{last} is not after {first}", param_hint="--to")
    amount, policy = parse_capital(capital), parse_missing(missing)
    from etf_backtest.services.backtest import run_backtest

    done = with_database(
        lambda db: run_backtest(
            db,
            portfolio=portfolio,
            strategy=strategy,
            start=first,
            end=last,
            benchmark=benchmark,
            name=name,
            initial_capital=amount,
            rebalance=None if rebalance is None else rebalance.value,
            lag=lag,
            cash_rate=cash_rate,
            risk_free=risk_free,
            missing=policy,
        )
    )
    backtest_view.show(done.backtest, json=json)


@app.command("list")
def list_(
    status: Annotated[Status | None, typer.Option(help="Only those that are this far.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    json: JSON = False,
) -> None:
    """List your backtests, newest first."""
    from etf_backtest.services.stored_backtests import list_backtests

    wanted = None if status is None else status.value
    rows = with_database(lambda db: list_backtests(db, status=wanted, limit=limit))
    if json:
        console.show_json([backtest_view.as_data(row, results=False) for row in rows])
    elif rows:
        backtest_view.show_list(rows)
    elif wanted:
        console.narrate(f"no backtest is {wanted}")
    else:
        console.narrate("no backtests yet: etf-backtest backtest run -p PORTFOLIO -s STRATEGY")


@app.command()
def show(
    backtest_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id, or the first characters of it.")
    ],
    json: JSON = False,
) -> None:
    """Show one backtest: metrics, curve, warnings; with --json all of its results."""
    from etf_backtest.services.stored_backtests import find_backtest

    row = with_database(lambda db: find_backtest(db, backtest_id))
    backtest_view.show(row, json=json)
