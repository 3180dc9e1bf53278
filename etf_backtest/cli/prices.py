"""`etf-backtest prices`: prices into the store, and what is there."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console, prices_history, prices_view
from etf_backtest.cli.options import JSON, parse_date
from etf_backtest.cli.session import settings, with_url

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from etf_backtest.providers.source import PriceSource
    from etf_backtest.services.ingest import ImportReport
    from etf_backtest.services.price_check import SplitCheck

app = typer.Typer(
    no_args_is_help=True, help="Prices: import, fetch, check, export, and their past."
)


class Format(StrEnum):
    """Forms of files."""

    LONG = "long"
    WIDE = "wide"
    YAHOO = "yahoo"
    STOOQ = "stooq"
    ALPHAVANTAGE = "alphavantage"


class Field(StrEnum):
    """What the numbers of a wide file are."""

    CLOSE = "close"
    ADJUSTED_CLOSE = "adjusted_close"


class Closes(StrEnum):
    """What closes are, where there were splits."""

    TRADED = "traded"
    SPLIT_ADJUSTED = "split-adjusted"


Exchange = Annotated[
    str | None,
    typer.Option(
        help="The exchange whose sessions to compare with; by default each fund's where it is "
        "stored, else New York's."
    ),
]
From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="The first day.")]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="The last day.")]


@app.command("import")
def import_(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help="CSV and Parquet files, and folders of them."),
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="The bundled factor ETFs instead of files.")
    ] = False,
    format_: Annotated[
        Format | None, typer.Option("--format", help="Where the header does not tell the form.")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="Of a file without symbols that is not named by its own.")
    ] = None,
    field: Annotated[
        Field | None,
        typer.Option(help="What closes are, where a file does not say it: one column a symbol."),
    ] = None,
    closes: Annotated[
        Closes | None,
        typer.Option(help="Your word for what closes are where there were splits."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Kept with each row; the file's name by default.")
    ] = None,
    no_distributions: Annotated[
        bool,
        typer.Option(
            "--no-distributions",
            help="These symbols paid no dividends and did not split, where the files are silent.",
        ),
    ] = False,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Store the good rows, write the others to --rejects."),
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(
            help="Where bad rows go, with reasons; by default the file's name.rejects.csv."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check files as prices check does, and store nothing."),
    ] = False,
    exchange: Annotated[
        str | None,
        typer.Option(help="Whose sessions --dry-run compares with; by default New York's."),
    ] = None,
    json: JSON = False,
) -> None:
    """Import prices from files: all of them or nothing, and twice is the same as once.

    Example: etf-backtest prices import closes.csv --field adjusted_close
    """
    if (not paths) != sample:
        raise typer.BadParameter("give files or --sample, one of the two", param_hint="PATH")
    if sample and (format_ or symbol or field or closes or no_distributions):
        raise typer.BadParameter("the sample needs no other option", param_hint="--sample")
    if source is not None and not source.strip():
        raise typer.BadParameter("give a name", param_hint="--source")
    if rejects is not None and not skip_bad:
        raise typer.BadParameter("it is for --skip-bad", param_hint="--rejects")
    if exchange is not None and not dry_run:
        raise typer.BadParameter("it is for --dry-run", param_hint="--exchange")
    from etf_backtest.providers.price_files import open_prices
    from etf_backtest.providers.sample_prices import SamplePrices

    if sample:
        sources: Sequence[PriceSource] = (SamplePrices(),)
    else:
        opened = open_prices(
            paths or [],
            format=None if format_ is None else format_.value,
            symbol=symbol,
            wide_field=None if field is None else field.value,
            closes=None if closes is None else closes.value,
            no_distributions=no_distributions,
            source=source,
        )
        sources = opened.sources
        for path in opened.ignored:
            console.warn(
                f"{path.name} was left out: its name ends on none of .csv, .csv.gz, .parquet"
            )
    if dry_run:
        from etf_backtest.services.price_check import check_sources

        with console.counting("rows checked"):
            check = check_sources(sources, exchange=exchange)
        raise typer.Exit(prices_view.show_source_check(check, json=json))
    if skip_bad:
        rejects = rejects or _rejects_path(sources)
        if rejects.exists():
            raise typer.BadParameter(
                f"{rejects} is there already: remove it, or give another name with --rejects",
                param_hint="--rejects",
            )
    report = _import(sources, rejects=rejects, provider="sample" if sample else "file")
    written = rejects if report.rejects else None
    splits = _check_splits(report)
    prices_view.show_import(report, splits, sources=sources, rejects=written, json=json)


def _import(sources: Sequence[PriceSource], *, rejects: Path | None, provider: str) -> ImportReport:
    """Store prices; bad rows are skipped where there is a file for them."""
    from etf_backtest.errors import RejectedPricesError
    from etf_backtest.providers.rejects_file import write_rejects
    from etf_backtest.services.ingest import import_prices

    tell = None if rejects is None else partial(write_rejects, rejects)
    try:
        with console.counting("rows read") as progress:
            return with_url(
                lambda url: import_prices(
                    url,
                    sources,
                    skip_bad=rejects is not None,
                    provider=provider,
                    progress=progress,
                    tell_rejects=tell,
                )
            )
    except RejectedPricesError as error:
        prices_view.narrate_problems(error.problems)
        raise


def _check_splits(report: ImportReport) -> SplitCheck:
    from etf_backtest.services.price_check import check_splits

    return with_url(lambda url: check_splits(url, report.symbols))


def _rejects_path(sources: Sequence[PriceSource]) -> Path:
    return Path(f"{sources[0].name}.rejects.csv")


@app.command()
def fetch(
    symbols: Annotated[
        list[str], typer.Argument(metavar="SYMBOL...", help="As Yahoo spells them: SPY, VWCE.DE.")
    ],
    from_: From = None,
    to: To = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Fetch whole histories, whatever is stored.")
    ] = False,
    json: JSON = False,
) -> None:
    """Fetch prices from Yahoo Finance: what is new since the last time, or from --from on.

    Each symbol is stored by itself; 1 is returned where one of them failed. Needs the extra yahoo.
    """
    start, end = _days(from_, to)
    from etf_backtest.services.fetch import fetch_prices

    cache = settings().cache_dir
    report = with_url(
        lambda url: fetch_prices(
            url,
            symbols,
            start=start,
            end=end,
            anew=anew,
            cache_dir=cache,
            narrate=console.narrate,
        )
    )
    prices_view.show_fetch(report, json=json)
    raise typer.Exit(report.exit_code)


@app.command()
def check(
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SYMBOL...]", help="All that are stored, if none."),
    ] = None,
    exchange: Exchange = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Return 1 where anything was found.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, help="Show at most so many findings of a symbol.")
    ] = 20,
    json: JSON = False,
) -> None:
    """Check stored prices: sessions, jumps, stale runs, splits, dividends, adjusted closes.

    Files are checked before their import by: etf-backtest prices import PATH... --dry-run
    """
    from etf_backtest.services.price_check import check_stored_prices

    with console.counting("symbols checked") as progress:
        checks = with_url(
            lambda url: check_stored_prices(
                url, symbols or (), exchange=exchange, progress=progress
            )
        )
    prices_view.show_checks(checks, limit=limit, json=json)
    if strict and any(each.findings for each in checks):
        raise typer.Exit(1)


@app.command()
def export(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="*.csv, *.csv.gz or *.parquet.")],
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SYMBOL...]", help="All that are stored, if none."),
    ] = None,
    from_: From = None,
    to: To = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Take the place of a file that is there.")
    ] = False,
    json: JSON = False,
) -> None:
    """Write stored prices to a file that imports as the same prices, to the last place."""
    start, end = _days(from_, to)
    from etf_backtest.services.price_export import export_prices

    report = with_url(
        lambda url: export_prices(
            url, path, symbols or (), start=start, end=end, overwrite=overwrite
        )
    )
    prices_view.show_export(report, json=json)


@app.command("list")
def list_(json: JSON = False) -> None:
    """List the symbols that have prices, and from when to when."""
    from etf_backtest.database.price_store import coverage

    prices_view.show_coverage(with_url(coverage), json=json)


def _days(start: str | None, end: str | None) -> tuple[dt.date | None, dt.date | None]:
    first = None if start is None else parse_date(start, "--from")
    last = None if end is None else parse_date(end, "--to")
    if first is not None and last is not None and last < first:
        raise typer.BadParameter(f"{last} is before {first}", param_hint="--to")
    return first, last


prices_history.register(app)
