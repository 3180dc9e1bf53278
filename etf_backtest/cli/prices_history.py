"""`etf-backtest prices history` and `prices as-of`: what prices were before."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.options import JSON, parse_date
from etf_backtest.cli.session import with_url

if TYPE_CHECKING:
    from etf_backtest.database.price_history import Change, Revision, StoredThen
    from etf_backtest.services.price_history import PricesThen

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?")


def register(app: typer.Typer) -> None:
    """Add the commands to `etf-backtest prices`."""
    app.command()(history)
    app.command("as-of")(as_of)


def history(
    symbol: Annotated[str, typer.Argument(help="Whose prices.")],
    date: Annotated[
        str | None, typer.Option(help="Only what happened to this session, 2015-01-30.")
    ] = None,
    changes: Annotated[
        bool,
        typer.Option("--changes", help="Every change of what was stored: what it was and became."),
    ] = False,
    limit: Annotated[int, typer.Option(help="At most so many, the newest.", min=1)] = 50,
    json: JSON = False,
) -> None:
    """Show every revision of a symbol's stored prices: when, by whom, and how much of it.

    Example: etf-backtest prices history QUAL --date 2015-01-30
    """
    session = None if date is None else parse_date(date, "--date")
    from etf_backtest.services.price_history import price_history

    found = with_url(
        lambda url: price_history(url, symbol, date=session, changes=changes, limit=limit)
    )
    if json:
        console.show_json(found.to_dict())
        return
    if session is None:
        _show_revisions(found.revisions)
    if found.changes is not None:
        if session is None:
            console.show_text("")
        show_changes(found.changes)
    if limit in (len(found.revisions), len(found.changes or ())):
        console.narrate(f"the newest {limit:,} at most: --limit says how many")


def as_of(
    when: Annotated[
        str,
        typer.Argument(
            metavar="DATE|TIME|NUMBER",
            help="The end of a day in UTC, a moment (UTC, if it says no zone), or a revision.",
        ),
    ],
    symbols: Annotated[
        list[str] | None, typer.Argument(metavar="SYMBOL...", help="All by default.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A file (.csv, .csv.gz, .parquet) for the prices."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Take the place of a file that is there.")
    ] = False,
    json: JSON = False,
) -> None:
    """Show what was stored then: prices as they were known, whatever became of them since.

    Example: etf-backtest prices as-of 2024-12-31 QUAL --output known.csv
    """
    moment = parse_when(when)
    if overwrite and output is None:
        raise typer.BadParameter("it is for --output", param_hint="--overwrite")
    from etf_backtest.services.price_history import prices_as_of

    then = with_url(lambda url: prices_as_of(url, moment, symbols or ()))
    if json:
        console.show_json(then.to_dict())
    else:
        _show_then(then)
    for symbol in then.unknown:
        console.warn(f"{symbol}: no prices were stored then")
    if output is not None:
        _export(then, output, overwrite=overwrite)
    if then.unknown:
        raise typer.Exit(1)


def parse_when(text: str) -> int | dt.date | dt.datetime:
    """A state of prices: 17, 2015-01-31, 2015-01-31T18:00 or 2015-01-31T18:00+01:00."""
    if re.fullmatch(r"\d{1,18}", text, re.ASCII):
        return int(text)
    if _MOMENT.fullmatch(text):
        try:
            return dt.datetime.fromisoformat(text)
        except ValueError:
            pass  # the 31st of February: told below
    elif re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return parse_date(text, "DATE")
    raise typer.BadParameter(
        f"{text!r} is no date like 2015-01-31, no time like 2015-01-31T18:00 and no number",
        param_hint="DATE|TIME|NUMBER",
    )


def _export(then: PricesThen, output: Path, *, overwrite: bool) -> None:
    from etf_backtest.services.price_export import export_prices

    names = [each.symbol for each in then.symbols]
    if not names:
        console.narrate(f"{output.name} was not written: no prices were stored then")
        raise typer.Exit(1)
    report = with_url(
        lambda url: export_prices(url, output, names, as_of=then.state.number, overwrite=overwrite)
    )
    console.narrate(f"{output.name}: {report.rows:,} rows as of revision {then.state.number}")


def _show_revisions(revisions: tuple[Revision, ...]) -> None:
    console.show_table(
        None,
        [
            ("revision", "right"),
            ("known at (UTC)", "left"),
            ("added", "right"),
            ("changed", "right"),
            ("removed", "right"),
            ("source", "left"),
            ("provider", "left"),
        ],
        [
            (
                str(each.number),
                in_utc(each.known_at),
                f"{each.added:,}",
                f"{each.changed:,}",
                f"{each.removed:,}",
                each.source or "(not by an import)",
                each.provider or "-",
            )
            for each in revisions
        ],
        fold="source",
    )


def show_changes(changes: tuple[Change, ...]) -> None:
    """Changes of sessions as a table, a line for each field."""
    console.show_table(
        None,
        [
            ("symbol", "left"),
            ("session", "left"),
            ("field", "left"),
            ("was", "right"),
            ("became", "right"),
            ("revision", "right"),
            ("known at (UTC)", "left"),
            ("source", "left"),
        ],
        [row for change in changes for row in _rows(change)],
        fold="source",
    )


def _rows(change: Change) -> Iterator[tuple[str, ...]]:
    end = (str(change.number), in_utc(change.known_at), change.source or "(not by an import)")
    said = [(name, value_text(old), value_text(new)) for name, old, new in change.fields()]
    # a row can also change its source alone
    said = said or [("source", change.was_source or "-", change.source or "-")]
    begin = (change.symbol, change.date.isoformat())
    for field in said:
        yield (*begin, *field, *end)
        begin, end = ("", ""), ("", "", "")


def value_text(value: object) -> str:
    """A stored value as people write it: no zeros at its end, "-" where there is none."""
    from decimal import Decimal

    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return "-" if value is None else str(value)


def in_utc(moment: dt.datetime) -> str:
    """A moment to the second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _show_then(then: PricesThen) -> None:
    if then.state.known_at is None:
        known = then.first_known_at
        since = "nothing ever was" if known is None else f"the first are of {in_utc(known)} UTC"
        console.narrate(f"no prices were stored then: {since}")
        return
    console.narrate(f"state {then.state.number}, known at {in_utc(then.state.known_at)} UTC")
    if not then.symbols:
        return
    console.show_table(
        None,
        [
            ("symbol", "left"),
            ("sessions", "right"),
            ("first", "left"),
            ("last", "left"),
            ("last close", "right"),
            ("adjusted", "right"),
            ("revision", "right"),
        ],
        [_then_row(each) for each in then.symbols],
    )


def _then_row(each: StoredThen) -> tuple[str, ...]:
    return (
        each.symbol,
        f"{each.sessions:,}",
        each.first.isoformat(),
        each.last.isoformat(),
        value_text(each.last_close),
        value_text(each.last_adjusted_close),
        str(each.revision),
    )
