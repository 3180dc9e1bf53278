"""Series of stored prices with those of their proxies before them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from etf_backtest.errors import NoPricesError, PriceDataError, SpliceError
from etf_backtest.market.splice import Splice, spliced

if TYPE_CHECKING:
    from etf_backtest.database.proxy_store import StoredProxy
    from etf_backtest.market import PriceSeries


def splices_of_stored(
    symbols: Iterable[str], stored: Mapping[str, StoredProxy]
) -> dict[str, Splice]:
    """What is stored about proxies of `symbols`, as values.

    Raises
    ------
    SpliceError
        It cannot be: another writer has made a cycle, for one.
    """
    return {symbol: _splice(symbol, stored, ()) for symbol in symbols if symbol in stored}


def _splice(symbol: str, stored: Mapping[str, StoredProxy], after: Sequence[str]) -> Splice:
    row = stored[symbol]
    if symbol in after:
        raise _unusable(
            symbol, row.proxy, f"{' before '.join([symbol, *reversed(after)])} is a circle"
        )
    earlier = _splice(row.proxy, stored, (*after, symbol)) if row.proxy in stored else None
    try:
        return Splice(symbol, row.proxy, row.splice_date, row.annual_fee, earlier)
    except SpliceError as error:
        raise _unusable(error.symbol, error.proxy, error.reason) from error


def symbols_needed(symbols: Iterable[str], splices: Mapping[str, Splice]) -> list[str]:
    """The symbols, and whose prices stand before theirs."""
    needed = dict.fromkeys(symbols)
    for symbol in (*needed,):
        if symbol in splices:
            needed |= dict.fromkeys(splices[symbol].proxies)
    return [*needed]


def with_history(
    own: PriceSeries, splice: Splice, proxies: Mapping[str, PriceSeries | NoPricesError]
) -> PriceSeries:
    """A symbol's stored prices with those of its proxy before them.

    Parameters
    ----------
    own : PriceSeries
    splice : Splice
    proxies : mapping of symbols to their own prices
        Or to the reason why there are none.

    Raises
    ------
    SpliceError
        The prices are no more those that the splice was defined with: it does not fit.
    """
    proxy = proxies[splice.proxy]
    if isinstance(proxy, NoPricesError):
        raise _unusable(splice.symbol, splice.proxy, proxy.message) from proxy
    if splice.earlier is not None:
        proxy = with_history(proxy, splice.earlier, proxies)
    try:
        return spliced(own, proxy, annual_fee=splice.annual_fee, date=splice.date)
    except (SpliceError, PriceDataError) as error:
        reason = error.reason if isinstance(error, SpliceError) else error.message
        raise _unusable(splice.symbol, splice.proxy, reason) from error


def unused_note(own: PriceSeries, splice: Splice) -> str | None:
    """A word about prices of a symbol's own that lie before its splice date."""
    unused = int((own.dates < own.dates.dtype.type(splice.date)).sum())
    if not unused:
        return None
    return (
        f"{splice.symbol}: {unused:,} of its own prices, from {own.dates[0]} to "
        f"{own.dates[unused - 1]}, are not used: {splice.proxy} stands there until {splice.date}"
    )


def _unusable(symbol: str, proxy: str, reason: str) -> SpliceError:
    return SpliceError(
        symbol,
        proxy,
        f"{reason}; the stored splice does not fit the stored prices",
        remedy=f"define it again (etf-backtest etf splice {symbol} --before {proxy}), remove it "
        "(--remove), or run without proxies (--no-proxies)",
    )
