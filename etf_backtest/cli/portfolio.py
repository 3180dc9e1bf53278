"""`etf-backtest portfolio`: target allocations and the capital they start with."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.options import JSON
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


def _as_data(portfolio: Portfolio) -> dict[str, object]:
    return {
        "id": portfolio.id,
        "name": portfolio.name,
        "description": portfolio.description,
        "initial_capital": str(portfolio.initialCapital),
        "currency": portfolio.currency,
        "holdings": {h.symbol: str(h.allocation) for h in portfolio.holdings or []},
    }


def _holdings(portfolio: Portfolio) -> str:
    return ", ".join(f"{h.symbol} {h.allocation:.2%}" for h in portfolio.holdings or [])


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name that is not in use yet.")],
    holdings: Annotated[
        list[str],
        typer.Argument(metavar="SYMBOL=FRACTION...", help="For example MTUM=0.6 USMV=0.4."),
    ],
    capital: Annotated[str, typer.Option(help="What it starts with.")] = "10000",
    currency: Annotated[str, typer.Option(help="ISO code of the currency.")] = "USD",
    description: Annotated[str | None, typer.Option(help="A note for yourself.")] = None,
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
        console.show_json(_as_data(portfolio))
    else:
        console.narrate(f"created portfolio {portfolio.name}: {_holdings(portfolio)}")
        console.show_line(portfolio.id)


@app.command("list")
def list_(json: JSON = False) -> None:
    """List your portfolios."""
    from etf_backtest.services.portfolios import list_portfolios

    portfolios = with_database(list_portfolios)
    if json:
        console.show_json([_as_data(portfolio) for portfolio in portfolios])
    elif portfolios:
        console.show_table(
            None,
            [("name", "left"), ("holdings", "left"), ("capital", "right")],
            [(p.name, _holdings(p), f"{p.initialCapital:,.2f} {p.currency}") for p in portfolios],
            fold="holdings",
        )
    else:
        console.narrate("no portfolios yet: etf-backtest portfolio create NAME SYMBOL=FRACTION...")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name or id.")],
    json: JSON = False,
) -> None:
    """Show one portfolio."""
    from etf_backtest.services.portfolios import find_portfolio

    portfolio = with_database(lambda db: find_portfolio(db, name))
    if json:
        console.show_json(_as_data(portfolio))
        return
    holdings = portfolio.holdings or []
    cash = 1 - sum((h.allocation for h in holdings), Decimal(0))
    console.show_facts(
        portfolio.name,
        [
            ("id", portfolio.id),
            ("description", portfolio.description or "-"),
            ("initial capital", f"{portfolio.initialCapital:,.2f} {portfolio.currency}"),
            *((h.symbol, f"{h.allocation:.2%}") for h in holdings),
            ("cash", f"{cash:.2%}"),
        ],
    )
