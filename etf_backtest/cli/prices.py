"""`etf-backtest prices`: prices into the store."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.options import JSON
from etf_backtest.cli.session import with_url

if TYPE_CHECKING:
    from etf_backtest.database.price_store import StoreReport
    from etf_backtest.providers.csv_file import PriceFile

app = typer.Typer(no_args_is_help=True, help="Prices into the store.")


class Field(StrEnum):
    """What the numbers of a wide file are."""

    CLOSE = "close"
    ADJUSTED_CLOSE = "adjusted_close"


class Closes(StrEnum):
    """What closes are, where there were splits."""

    TRADED = "traded"


@app.command("import")
def import_(
    file: Annotated[
        Path | None,
        typer.Argument(help="CSV: symbol,date,close,... or date and one column a symbol."),
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="The bundled factor ETFs instead of a file.")
    ] = False,
    field: Annotated[
        Field | None, typer.Option(help="What the numbers of a file with a column a symbol are.")
    ] = None,
    closes: Annotated[
        Closes | None,
        typer.Option(help="Your word that the closes of a file with splits are as traded."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Kept with each row; the file's name by default.")
    ] = None,
    no_distributions: Annotated[
        bool,
        typer.Option(
            "--no-distributions",
            help="These symbols paid no dividends and did not split, where the file is silent.",
        ),
    ] = False,
    json: JSON = False,
) -> None:
    """Import prices from a CSV file: all of it or nothing, and twice is the same as once.

    Example: etf-backtest prices import closes.csv --field adjusted_close
    """
    if (file is None) != sample:
        raise typer.BadParameter("give a file or --sample, one of the two", param_hint="FILE")
    if sample and (field or closes or no_distributions):
        raise typer.BadParameter("the sample needs no other option", param_hint="--sample")
    if source is not None and not source.strip():
        raise typer.BadParameter("give a name", param_hint="--source")
    from etf_backtest.providers.csv_file import read_prices
    from etf_backtest.providers.sample_prices import SAMPLE_SOURCE, read_sample_prices
    from etf_backtest.services.ingest import import_prices

    if file is None:
        prices, source = read_sample_prices(), source or SAMPLE_SOURCE
    else:
        prices = read_prices(
            file,
            wide_field=None if field is None else field.value,
            closes="traded" if closes is Closes.TRADED else None,
            no_distributions=no_distributions,
        )
        source = source or file.name
    report = with_url(lambda url: import_prices(url, prices, source=source))
    for column in prices.ignored_columns:
        console.warn(f"{prices.path.name}: the column {column!r} was not imported")
    _show(prices, report, source=source, json=json)


def _show(prices: PriceFile, report: StoreReport, *, source: str, json: bool) -> None:
    symbols = sorted({bar.symbol for bar in prices.bars})
    dates = [bar.date for bar in prices.bars]
    data = {
        "file": prices.path.name,
        "source": source,
        "symbols": symbols,
        "first_date": min(dates).isoformat(),
        "last_date": max(dates).isoformat(),
        "rows": len(prices.bars),
        "empty_cells": prices.empty_cells,
        "inserted": report.inserted,
        "updated": report.updated,
        "unchanged": report.unchanged,
    }
    if json:
        console.show_json(data)
        return
    console.show_line(
        f"{prices.path.name}: {len(prices.bars):,} rows, {len(symbols)} symbols, "
        f"{min(dates)} to {max(dates)}: {report.inserted:,} inserted, "
        f"{report.updated:,} updated, {report.unchanged:,} unchanged"
    )
    if prices.empty_cells:
        console.narrate(f"{prices.empty_cells:,} empty cells: no price on those dates")


@app.command("list")
def list_(json: JSON = False) -> None:
    """List the symbols that have prices, and from when to when."""
    from etf_backtest.database.price_store import coverage

    stored = with_url(coverage)
    if json:
        console.show_json(
            [
                {
                    "symbol": c.symbol,
                    "first_date": c.first.isoformat(),
                    "last_date": c.last.isoformat(),
                    "sessions": c.sessions,
                    "closes": c.closes,
                    "adjusted_closes": c.adjusted_closes,
                    "sources": c.sources,
                }
                for c in stored
            ]
        )
    elif stored:
        console.show_table(
            None,
            [
                ("symbol", "left"),
                ("first", "left"),
                ("last", "left"),
                ("sessions", "right"),
                ("closes", "right"),
                ("adjusted", "right"),
                ("sources", "left"),
            ],
            [
                (
                    c.symbol,
                    str(c.first),
                    str(c.last),
                    f"{c.sessions:,}",
                    f"{c.closes:,}",
                    f"{c.adjusted_closes:,}",
                    ", ".join(c.sources),
                )
                for c in stored
            ],
            fold="sources",
        )
    else:
        console.narrate("no prices yet: etf-backtest prices import FILE (or --sample)")
