"""`etf-backtest portfolio`: target allocations and the capital they start with."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console, portfolio_share
from etf_backtest.cli.options import JSON
from etf_backtest.cli.portfolio_view import (
    as_data,
    holdings_in_words,
    show_list,
    show_one,
    show_public,
)
from etf_backtest.cli.session import with_database

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Portfolio

app = typer.Typer(no_args_is_help=True, help="Target allocations and the capital they start with.")


def _decimal(text: str, what: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is not a number", param_hint=what) from None


def _fraction(text: str) -> Decimal:
    number = _decimal(text.removesuffix("%"), "HOLDING")
    return number / 100 if text.endswith("%") else number


def parse_allocations(holdings: list[str]) -> dict[str, Decimal]:
    """SYMBOL=FRACTION arguments as a mapping; a usage error names the one that is wrong."""
    allocations: dict[str, Decimal] = {}
    for holding in holdings:
        symbol, equals, fraction = holding.partition("=")
        if not (equals and symbol):
            raise typer.BadParameter(
                f"{holding!r}: expected SYMBOL=FRACTION, for example MTUM=0.6",
                param_hint="HOLDING",
            )
        if symbol.upper() in allocations:
            raise typer.BadParameter(f"{symbol.upper()} is given twice", param_hint="HOLDING")
        allocations[symbol.upper()] = _fraction(fraction)
    return allocations


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name that is not in use yet.")],
    holdings: Annotated[
        list[str],
        typer.Argument(metavar="SYMBOL=FRACTION...", help="For example MTUM=0.6 USMV=0.4."),
    ],
    capital: Annotated[str, typer.Option(help="What it starts with.")] = "10000",
    currency: Annotated[str, typer.Option(help="ISO code of the currency.")] = "USD",
    description: Annotated[
        str | None, typer.Option(help="A note; whoever sees the portfolio sees it.")
    ] = None,
    json: JSON = False,
) -> None:
    """Create a portfolio of fractions, 0.6 or 60%. What they leave of 1 stays in cash.

    Example: etf-backtest portfolio create balanced MTUM=0.6 USMV=0.4 --capital 100000
    """
    from etf_backtest.services.portfolios import create_portfolio, strange_symbols

    if re.fullmatch(r"[A-Za-z0-9.^$-]+=[0-9.]+%?", name):
        raise typer.BadParameter(f"{name!r} is a holding: the name comes first", param_hint="NAME")
    allocations = parse_allocations(holdings)
    amount = _decimal(capital, "--capital")

    async def created(db: Database) -> tuple[Portfolio, tuple[str, ...]]:
        row = await create_portfolio(
            db,
            name=name,
            allocations=allocations,
            initial_capital=amount,
            currency=currency,
            description=description,
        )
        return row, await strange_symbols(db, allocations)

    portfolio, strange = with_database(created)
    if strange:
        console.warn(
            f"nothing is stored of {', '.join(strange)}: no prices, and no word in etf list; "
            "import prices before you run a backtest, or look for a typing error"
        )
    if cash := 1 - sum(allocations.values()):
        console.warn(f"{cash:.2%} stays in cash: the allocations sum to {1 - cash:.2%}")
    if json:
        console.show_json(as_data(portfolio))
    else:
        console.narrate(f"created portfolio {portfolio.name}: {holdings_in_words(portfolio)}")
        console.show_line(portfolio.id)


@app.command("list")
def list_(
    public: Annotated[
        bool, typer.Option("--public", help="Those that people share, with ids to copy them by.")
    ] = False,
    limit: Annotated[int, typer.Option(help="At most so many, with --public.", min=1)] = 100,
    json: JSON = False,
) -> None:
    """List your portfolios, or those that people share."""
    from etf_backtest.services.owners import owners_of
    from etf_backtest.services.portfolios import list_portfolios

    async def listed(db: Database) -> tuple[list[Portfolio], dict[str, str | None]]:
        found = await list_portfolios(db, public=public, limit=limit if public else None)
        return found, await owners_of(db, found)

    portfolios, owners = with_database(listed)
    if json:
        console.show_json([as_data(each, owners[each.userId]) for each in portfolios])
    elif portfolios and public:
        show_public(portfolios, owners)
    elif portfolios:
        show_list(portfolios)
    elif public:
        console.narrate("nobody shares a portfolio yet: etf-backtest portfolio share NAME")
    else:
        console.narrate("no portfolios yet: etf-backtest portfolio create NAME SYMBOL=FRACTION...")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name or id; somebody else's by its id.")],
    json: JSON = False,
) -> None:
    """Show one portfolio: yours, or one that somebody shares."""
    from etf_backtest.services.owners import owners_of
    from etf_backtest.services.portfolios import find_portfolio

    async def found(db: Database) -> tuple[Portfolio, str | None]:
        row = await find_portfolio(db, name, to="see")
        return row, (await owners_of(db, [row]))[row.userId]

    portfolio, owner = with_database(found)
    if json:
        console.show_json(as_data(portfolio, owner))
    else:
        show_one(portfolio, owner)


app.command()(portfolio_share.share)
app.command()(portfolio_share.unshare)
app.command()(portfolio_share.copy)
app.command()(portfolio_share.delete)
