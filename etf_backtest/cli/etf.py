"""`etf-backtest etf`: what is known about funds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.options import JSON
from etf_backtest.cli.session import with_database

if TYPE_CHECKING:
    from etf_backtest.database.models import ETFInfo

app = typer.Typer(no_args_is_help=True, help="What is known about funds.")


def _as_data(fund: ETFInfo) -> dict[str, str | None]:
    def text(value: object) -> str | None:
        return None if value is None else str(value)

    return {
        "symbol": fund.symbol,
        "name": fund.name,
        "issuer": fund.issuer,
        "expense_ratio": text(fund.expenseRatio),
        "assets_under_management": text(fund.assetsUnderManagement),
        "category": fund.category,
        "sector": fund.sector,
        "geography": fund.geography,
        "investment_style": fund.investmentStyle,
        "asset_class": fund.assetClass,
        "benchmark_index": fund.benchmarkIndex,
        "inception_date": text(fund.inceptionDate and fund.inceptionDate.date()),
        "exchange": fund.exchange,
        "currency": fund.currency,
        "as_of_date": text(fund.asOfDate and fund.asOfDate.date()),
    }


@app.command("list")
def list_(
    category: Annotated[str | None, typer.Option(help="Only this category.")] = None,
    sector: Annotated[str | None, typer.Option(help="Only this sector.")] = None,
    json: JSON = False,
) -> None:
    """List the funds that are known."""
    from etf_backtest.services.etfs import list_etfs

    funds = with_database(lambda db: list_etfs(db, category=category, sector=sector))
    if json:
        console.show_json([_as_data(fund) for fund in funds])
    elif funds:
        console.show_table(
            None,
            [("symbol", "left"), ("name", "left"), ("category", "left"), ("expenses", "right")],
            [
                (
                    fund.symbol,
                    fund.name,
                    fund.category or "-",
                    "-" if fund.expenseRatio is None else f"{fund.expenseRatio:.4%}",
                )
                for fund in funds
            ],
            fold="name",
        )
    elif category or sector:
        console.narrate("no fund is in that category and sector (written exactly so)")
    else:
        console.narrate("no funds yet: etf-backtest seed stores some well-known ones")


@app.command()
def show(
    symbol: Annotated[str, typer.Argument(help="For example SPY.")], json: JSON = False
) -> None:
    """Show one fund."""
    from etf_backtest.services.etfs import find_etf

    fund = with_database(lambda db: find_etf(db, symbol))
    data = _as_data(fund)
    if json:
        console.show_json(data)
    else:
        facts = [(name.replace("_", " "), value or "-") for name, value in data.items()]
        console.show_facts(fund.symbol, facts)
