"""`etf-backtest portfolio share|unshare|copy|delete`: what becomes of a portfolio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.options import JSON, YES, confirm
from etf_backtest.cli.portfolio_view import as_data, holdings_in_words
from etf_backtest.cli.session import with_database

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Portfolio

OWN = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of one of yours.")]


def _backtests(number: int, *, of_kind: str = "") -> str:
    return f"{number or 'no'} {of_kind}backtest{'s'[: number != 1]}"


def share(name: OWN, json: JSON = False) -> None:
    """Let everybody see a portfolio, and copy it; nobody else changes or runs it.

    Its backtests stay yours alone, but for those that you share themselves.
    """
    from etf_backtest.services.sharing import count_backtests, share_portfolio

    async def shared(db: Database) -> tuple[Portfolio, int]:
        row = await share_portfolio(db, name)
        return row, await count_backtests(db, row, shared=True)

    portfolio, backtests = with_database(shared)
    if json:
        console.show_json(as_data(portfolio))
        return
    console.narrate(f"everybody may see {portfolio.name} and copy it")
    if backtests:
        console.narrate(f"{_backtests(backtests, of_kind='shared ')} of it can be seen as well")
    console.show_line(portfolio.id)


def unshare(name: OWN, json: JSON = False) -> None:
    """Hide a portfolio from others again, with all backtests of it; copies stay whose they are."""
    from etf_backtest.services.sharing import count_backtests, unshare_portfolio

    async def hidden(db: Database) -> tuple[Portfolio, int]:
        row = await unshare_portfolio(db, name)
        return row, await count_backtests(db, row, shared=True)

    portfolio, backtests = with_database(hidden)
    if json:
        console.show_json(as_data(portfolio))
        return
    console.narrate(f"nobody else sees {portfolio.name} any more")
    if backtests:
        console.narrate(
            f"{_backtests(backtests, of_kind='shared ')} of it cannot be seen until you share it "
            "again"
        )


def copy(
    original: Annotated[
        str, typer.Argument(metavar="ID", help="Somebody's by its id, or one of yours by name.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Of the copy; that of the original by default.")
    ] = None,
    json: JSON = False,
) -> None:
    """Copy a portfolio that you can see, to run it and to change it; the copy is private.

    Example: etf-backtest portfolio copy 3f2a9c41-5d0e-4b7a-9a55-0c8e1f6d2b3a --name balanced
    """
    from etf_backtest.services.sharing import copy_portfolio

    portfolio = with_database(lambda db: copy_portfolio(db, original, name=name))
    if json:
        console.show_json(as_data(portfolio))
    else:
        console.narrate(f"copied as {portfolio.name}: {holdings_in_words(portfolio)}")
        console.show_line(portfolio.id)


def delete(name: OWN, yes: YES = False, json: JSON = False) -> None:
    """Delete a portfolio of yours with all backtests of it; it asks before it does."""
    from etf_backtest.services.portfolios import delete_portfolio, find_portfolio
    from etf_backtest.services.sharing import count_backtests

    async def found(db: Database) -> tuple[Portfolio, int]:
        row = await find_portfolio(db, name)
        return row, await count_backtests(db, row)

    portfolio, backtests = with_database(found)
    with_them = f" and {_backtests(backtests)} of it" if backtests else ""
    confirm(f"delete the portfolio {portfolio.name}{with_them}?", yes=yes)
    deleted = with_database(lambda db: delete_portfolio(db, portfolio.id))
    if json:
        console.show_json({"id": portfolio.id, "name": portfolio.name, "backtests": deleted})
    else:
        console.narrate(f"deleted {portfolio.name} and {_backtests(deleted)} of it")
