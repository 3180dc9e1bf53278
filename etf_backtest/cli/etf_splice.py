"""`etf-backtest etf splice`: the history of an older fund before a young one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.options import JSON, parse_date
from etf_backtest.cli.session import with_database

if TYPE_CHECKING:
    from etf_backtest.database.models import ETFProxy


def register(app: typer.Typer) -> None:
    """Add the command to the group `etf`."""
    app.command()(splice)


def splice(
    symbol: Annotated[
        str | None, typer.Argument(help="The young fund; all that have a proxy by default.")
    ] = None,
    before: Annotated[
        str | None,
        typer.Option("--before", metavar="SYMBOL", help="The proxy: an older fund like it."),
    ] = None,
    fee: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help="What the fund costs more than its proxy, a year: 0.0005 or 0.05%; 0 by default.",
        ),
    ] = None,
    date: Annotated[
        str | None,
        typer.Option(
            help="First session of the fund's own, 2015-01-31; its first price by default."
        ),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Forget the proxy.")] = False,
    json: JSON = False,
) -> None:
    """Let an older fund's returns stand before a young fund's own prices, in every run.

    Each result says what part of its window they are. Without --before it shows what is defined.

    Example: etf-backtest etf splice SCHD --before VYM --fee 0.05%
    """
    if symbol is None and (before or remove):
        raise typer.BadParameter("say which fund: SCHD for one", param_hint="SYMBOL")
    if before is None and (fee is not None or date is not None):
        raise typer.BadParameter("name the proxy", param_hint="--before")
    if before is not None and remove:
        raise typer.BadParameter("--before and --remove exclude each other", param_hint="--remove")
    if symbol is None:
        _show_all(json=json)
    elif before is not None:
        _define(symbol, before, fee, date, json=json)
    elif remove:
        from etf_backtest.services.proxies import remove_proxy

        row = with_database(lambda db: remove_proxy(db, symbol))
        console.narrate(f"{row.symbol} begins with its own prices again")
        if json:
            console.show_json(as_data(row))
    else:
        from etf_backtest.services.proxies import find_proxy

        _show(with_database(lambda db: find_proxy(db, symbol)), json=json)


def as_data(row: ETFProxy) -> dict[str, object]:
    """A proxy for JSON: decimals as strings, so that no digit is lost."""

    def text(value: object) -> str | None:
        return None if value is None else str(value)

    return {
        "symbol": row.symbol,
        "proxy": row.proxySymbol,
        "splice_date": row.spliceDate.date().isoformat(),
        "annual_fee": str(row.annualFee),
        "overlap_start": text(row.overlapStart and row.overlapStart.date()),
        "overlap_end": text(row.overlapEnd and row.overlapEnd.date()),
        "overlap_sessions": row.overlapSessions,
        "tracking_error": text(row.trackingError),
        "correlation": text(row.correlation),
        "data_revision": row.revision,
    }


def _define(symbol: str, before: str, fee: str | None, date: str | None, *, json: bool) -> None:
    from etf_backtest.cli.rule_texts import parse_number
    from etf_backtest.providers.fund_cells import DOUBTFUL_BARE_RATIO
    from etf_backtest.services.proxies import define_proxy

    annual_fee = 0.0 if fee is None else parse_number(fee, "--fee")
    day = None if date is None else parse_date(date, "--date")
    if fee is not None and annual_fee >= DOUBTFUL_BARE_RATIO and not fee.endswith("%"):
        console.warn(f"the fee {fee} is {annual_fee:.2%} a year; write {fee}% if that was meant")
    done = with_database(
        lambda db: define_proxy(db, symbol, before=before, annual_fee=annual_fee, date=day)
    )
    if done.replaced is not None:
        console.narrate(f"it replaces the proxy {done.replaced} of {done.row.symbol}")
    _show(done.row, json=json)
    for warning in done.warnings:
        console.warn(warning)


def _show(row: ETFProxy, *, json: bool) -> None:
    if json:
        console.show_json(as_data(row))
        return
    console.show_facts(
        row.symbol,
        [
            ("before its own prices", row.proxySymbol),
            ("its own from", row.spliceDate.date().isoformat()),
            ("fee a year", f"{100 * row.annualFee:.4f} %"),
            ("overlap", _overlap(row)),
            ("tracking error", _percent(row.trackingError)),
            ("correlation", "not known" if row.correlation is None else f"{row.correlation:.4f}"),
            ("state of prices", f"revision {row.revision}"),
        ],
    )


def _show_all(*, json: bool) -> None:
    from etf_backtest.services.proxies import list_proxies

    rows: Sequence[ETFProxy] = with_database(list_proxies)
    if json:
        console.show_json([as_data(row) for row in rows])
    elif rows:
        console.show_table(
            None,
            [
                ("symbol", "left"),
                ("proxy", "left"),
                ("own from", "left"),
                ("fee a year", "right"),
                ("overlap", "left"),
                ("tracking error", "right"),
                ("correlation", "right"),
            ],
            [
                (
                    row.symbol,
                    row.proxySymbol,
                    row.spliceDate.date().isoformat(),
                    f"{100 * row.annualFee:.4f} %",
                    f"{row.overlapSessions:,} sessions",
                    _percent(row.trackingError),
                    "-" if row.correlation is None else f"{row.correlation:.4f}",
                )
                for row in rows
            ],
        )
    else:
        console.narrate("no fund has a proxy: etf-backtest etf splice NEW --before OLD --fee 0.05%")


def _overlap(row: ETFProxy) -> str:
    if row.overlapStart is None or row.overlapEnd is None:
        return "none"
    return f"{row.overlapSessions:,} sessions, {row.overlapStart.date()} to {row.overlapEnd.date()}"


def _percent(value: object) -> str:
    return "not known" if value is None else f"{100 * float(str(value)):.2f} %"
