"""`etf-backtest etf`: what is known about funds, and since when."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console, etf_splice
from etf_backtest.cli.options import JSON, parse_date
from etf_backtest.cli.session import with_database

if TYPE_CHECKING:
    from etf_backtest.errors import FundFileError
    from etf_backtest.services.etfs import FundList

MOST_PROBLEMS = 20

app = typer.Typer(no_args_is_help=True, help="What is known about funds.")
etf_splice.register(app)


class Status(StrEnum):
    """Whether a fund's end has come."""

    ACTIVE = "active"
    DELISTED = "delisted"


@app.command("list")
def list_(
    category: Annotated[
        str | None, typer.Option(help="Only this category, in whatever case.")
    ] = None,
    sector: Annotated[str | None, typer.Option(help="Only this sector, in whatever case.")] = None,
    max_expense: Annotated[
        str | None, typer.Option(help="The highest expense ratio a year, for example 0.2%.")
    ] = None,
    min_assets: Annotated[
        str | None,
        typer.Option(help="The lowest assets under management, in the fund's currency: 1e9."),
    ] = None,
    alive_on: Annotated[
        str | None,
        typer.Option(help="Only funds traded on that day, with what was known of it: 2015-01-31."),
    ] = None,
    status: Annotated[
        Status | None, typer.Option(help="Only funds that are traded, or no longer, today.")
    ] = None,
    json: JSON = False,
) -> None:
    """List the funds that are known, with the facts of today or of the day --alive-on.

    Example: etf-backtest etf list --category "large blend" --max-expense 0.1% --alive-on 2015-06-30
    """
    from etf_backtest.providers.fund_cells import DOUBTFUL_BARE_RATIO, read_amount, read_ratio
    from etf_backtest.services.etfs import list_etfs

    most = _parsed(read_ratio, max_expense, "--max-expense")
    if max_expense and most is not None and most >= DOUBTFUL_BARE_RATIO and "%" not in max_expense:
        console.warn(
            f"--max-expense {max_expense} is {most:.4%} a year; "
            f"write {max_expense}% if that was meant"
        )
    least = _parsed(read_amount, min_assets, "--min-assets")
    day = None if alive_on is None else parse_date(alive_on, "--alive-on")
    found = with_database(
        lambda db: list_etfs(
            db,
            category=category,
            sector=sector,
            max_expense=most,
            min_assets=least,
            alive_on=day,
            status=None if status is None else status.value,
        )
    )
    _tell_left_out(found)
    if json:
        from etf_backtest.cli.etf_view import fund_data

        console.show_json([fund_data(fund) for fund in found.funds])
    elif found.funds:
        from etf_backtest.cli.etf_view import show_list

        show_list(found)
    elif any((category, sector, max_expense, min_assets, alive_on, status)):
        console.narrate("no fund passes all of these filters")
    else:
        console.narrate("no funds yet: etf-backtest seed stores some well-known ones")


@app.command()
def show(
    symbol: Annotated[str, typer.Argument(help="For example SPY.")],
    on: Annotated[
        str | None, typer.Option(help="With the facts of that day: 2015-01-31. Today by default.")
    ] = None,
    json: JSON = False,
) -> None:
    """Show one fund: its facts, what was stated about it and when, its prices, its proxy."""
    from etf_backtest.cli.etf_view import details_data, show_details
    from etf_backtest.services.etfs import find_etf

    day = None if on is None else parse_date(on, "--on")
    details = with_database(lambda db: find_etf(db, symbol, on=day))
    if json:
        console.show_json(details_data(details))
    else:
        show_details(details)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV: symbol,valid_from,expense_ratio,...")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and say what would be stored.")
    ] = False,
    json: JSON = False,
) -> None:
    """Import what a file says about funds: all of it or nothing, and twice is the same as once.

    Example: etf-backtest etf import funds.csv --dry-run
    """
    from etf_backtest.cli.etf_view import show_import
    from etf_backtest.errors import FundFileError
    from etf_backtest.providers.fund_file import read_funds
    from etf_backtest.services.etf_import import import_funds

    try:
        funds = read_funds(file)
        report = with_database(lambda db: import_funds(db, funds, dry_run=dry_run))
    except FundFileError as error:
        _tell_problems(error, json=json)
        raise
    for warning in report.warnings:
        console.warn(warning)
    if json:
        console.show_json(
            {
                "file": file.name,
                "dry_run": report.dry_run,
                "funds": dict(report.funds),
                "statements": dict(report.statements),
                "warnings": list(report.warnings),
            }
        )
    else:
        show_import(file.name, report)


def _tell_problems(error: FundFileError, *, json: bool) -> None:
    """Every problem of a file, where the error itself names the first and counts the others."""
    if json:
        console.show_json(
            {
                "file": error.path.name,
                "problems": [
                    {
                        "row": problem.row,
                        "symbol": problem.symbol,
                        "field": problem.field,
                        "value": problem.value,
                        "expected": problem.expected,
                    }
                    for problem in error.problems
                ],
            }
        )
    elif len(error.problems) > 1:
        for problem in error.problems[:MOST_PROBLEMS]:
            console.narrate(str(problem))
        if len(error.problems) > MOST_PROBLEMS:
            console.narrate(
                f"... {len(error.problems) - MOST_PROBLEMS:,} more (--json has them all)"
            )


def _tell_left_out(found: FundList) -> None:
    for figure, count in found.unknown.items():
        funds = "1 fund is" if count == 1 else f"{count:,} funds are"
        console.narrate(f"{funds} left out: {figure.replace('_', ' ')} not known on {found.date}")


def _parsed(read: Callable[[str], Decimal], text: str | None, option: str) -> Decimal | None:
    from etf_backtest.providers.fund_cells import UnreadableCellError

    if text is None:
        return None
    try:
        return read(text.strip())
    except UnreadableCellError as error:
        raise typer.BadParameter(f"{text!r}: expected {error}", param_hint=option) from None
