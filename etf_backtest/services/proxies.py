"""Proxies of young funds: define, find, list and remove them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from etf_backtest.database.decimals import to_column
from etf_backtest.database.price_store import load_series
from etf_backtest.database.proxy_store import load_proxies
from etf_backtest.errors import NotFoundError, SpliceError
from etf_backtest.market.overlap import Overlap, overlap
from etf_backtest.market.splice import Splice, spliced
from etf_backtest.services.price_panel import total_return_series
from etf_backtest.services.proxy_history import (
    splices_of_stored,
    symbols_needed,
    unused_note,
    with_history,
)

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import ETFProxy, ETFProxyCreateInput, ETFProxyUpdateInput
    from etf_backtest.market import PriceSeries

FEE_DECIMALS = 6
"""Of the column annual_fee."""


@dataclass(frozen=True, slots=True)
class DefinedProxy:
    """A proxy as it is stored now, what it replaced, and what has to be known about it."""

    row: ETFProxy
    replaced: str | None
    """The proxy that the symbol had before."""
    warnings: tuple[str, ...]


async def define_proxy(
    db: Database,
    symbol: str,
    *,
    before: str,
    annual_fee: Decimal | float = 0,
    date: dt.date | None = None,
) -> DefinedProxy:
    """Let the prices of `before` stand before those of `symbol`, in every run from now on.

    Splice date and figures of the overlap are computed from the prices that are stored now, and
    kept with the number of their state. A proxy that the symbol has already is replaced.

    Parameters
    ----------
    symbol, before : str
        Both with stored prices; the proxy may have one itself.
    annual_fee : Decimal or float
        What the symbol costs more than its proxy: a fraction a year, 0 to 0.2, with at most 6
        decimals.
    date : date, optional
        The first session of the symbol's own; defaults to its first price.

    Raises
    ------
    SpliceError
        They cannot be spliced so (see `market.splice.spliced`).
    NoPricesError
        One has no prices from which its total return can be computed.
    """
    symbol, before = symbol.upper(), before.upper()
    fee = _checked_fee(symbol, before, annual_fee)
    earlier = splices_of_stored([before], await load_proxies(db.url, [before])).get(before)
    needed = [symbol, *symbols_needed([before], {} if earlier is None else {before: earlier})]
    stored = await load_series(db.url, needed)
    prices = {each: total_return_series(each, stored.series) for each in dict.fromkeys(needed)}
    splice = _splice_of(prices, symbol, before, float(fee), date, earlier)
    await _refuse_dependents(db, splice)
    found = overlap(prices[symbol], prices[before], splice)
    known = await db.etfproxy.find_unique(where={"symbol": symbol})
    data = _row(splice, fee, found, stored.state.number)
    row = await db.etfproxy.upsert(
        where={"symbol": symbol},
        data={"create": data, "update": cast("ETFProxyUpdateInput", data)},
    )
    return DefinedProxy(
        row,
        None if known is None else known.proxySymbol,
        tuple(_warnings(prices[symbol], splice, found)),
    )


async def list_proxies(db: Database) -> list[ETFProxy]:
    """All of them, by symbol."""
    return await db.etfproxy.find_many(order={"symbol": "asc"})


async def find_proxy(db: Database, symbol: str) -> ETFProxy:
    """The proxy of a symbol.

    Raises
    ------
    NotFoundError
        It has none.
    """
    row = await db.etfproxy.find_unique(where={"symbol": symbol.upper()})
    if row is None:
        raise await _not_found(db, symbol)
    return row


async def remove_proxy(db: Database, symbol: str) -> ETFProxy:
    """Let a symbol's prices begin with its own again; results that used the proxy stay.

    Raises
    ------
    NotFoundError
        It has none.
    """
    row = await db.etfproxy.delete(where={"symbol": symbol.upper()})
    if row is None:
        raise await _not_found(db, symbol)
    return row


async def _not_found(db: Database, symbol: str) -> NotFoundError:
    known = [row.symbol for row in await list_proxies(db)]
    return NotFoundError("proxy of", symbol.upper(), known=known, command="etf splice")


def _checked_fee(symbol: str, proxy: str, annual_fee: Decimal | float) -> Decimal:
    """The fee as its column has it: nothing is rounded away."""
    fee = annual_fee if isinstance(annual_fee, Decimal) else Decimal(repr(float(annual_fee)))
    if fee.is_finite() and fee != round(fee, FEE_DECIMALS):
        raise SpliceError(
            symbol,
            proxy,
            f"expected a fee of at most {FEE_DECIMALS} decimals, received {fee}",
            remedy=f"{float(fee):.6f} for one: a hundredth of a basis point is exact enough",
        )
    return fee


def _splice_of(
    prices: dict[str, PriceSeries],
    symbol: str,
    before: str,
    fee: float,
    date: dt.date | None,
    earlier: Splice | None,
) -> Splice:
    """The splice, after the series was put together as every run will do it."""
    proxy = prices[before]
    if earlier is not None:
        proxy = with_history(proxy, earlier, prices)
    splice = spliced(prices[symbol], proxy, annual_fee=fee, date=date).splice
    assert splice is not None  # noqa: S101  # what `spliced` makes has one
    return splice


async def _refuse_dependents(db: Database, splice: Splice) -> None:
    """Refuse a splice date after that of somebody whose proxy the symbol is."""
    for row in await db.etfproxy.find_many(where={"proxySymbol": splice.symbol}):
        if row.spliceDate.date() < splice.date:
            raise SpliceError(
                splice.symbol,
                splice.proxy,
                f"{splice.symbol} is the proxy of {row.symbol} before {row.spliceDate.date()}, and "
                f"would itself be {splice.proxy} until {splice.date}",
                remedy=f"splice {splice.proxy} before {row.symbol}, or remove that one first",
            )


def _row(splice: Splice, fee: Decimal, found: Overlap, revision: int) -> ETFProxyCreateInput:
    error, correlation = (
        None if value is None else to_column(value, precision=10, scale=6)
        for value in (found.tracking_error, found.correlation)
    )
    return {
        "symbol": splice.symbol,
        "proxySymbol": splice.proxy,
        "spliceDate": _midnight(splice.date),
        "annualFee": fee,
        "overlapStart": _midnight(found.start),
        "overlapEnd": _midnight(found.end),
        "overlapSessions": found.sessions,
        "trackingError": error,
        "correlation": correlation,
        "revision": revision,
    }


def _warnings(own: PriceSeries, splice: Splice, found: Overlap) -> Iterator[str]:
    yield from found.warnings
    if note := unused_note(own, splice):
        yield note


def _midnight(date: dt.date) -> dt.datetime:
    return dt.datetime.combine(date, dt.time(tzinfo=dt.UTC))
