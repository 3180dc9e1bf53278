"""What part of a run's prices was never those of the fund, but of its proxy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np

from etf_backtest.market import PricePanel
from etf_backtest.market.splice import Splice
from etf_backtest.typing import DateArray, JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class ProxyShare:
    """Proxy data of a symbol in a run.

    Attributes
    ----------
    symbol, proxy : str
    splice_date : date
        The first session that is not this proxy's any more.
    annual_fee : float
        Taken out of the proxy's prices, a fraction a year; those of later proxies of the symbol
        come on top.
    sessions : int
        Of the window asked for, on which the symbol's price is this proxy's.
    share : float
        `sessions` as a fraction of the window's.
    sessions_before : int
        The same before the window: what the strategy may look at.
    """

    symbol: str
    proxy: str
    splice_date: dt.date
    annual_fee: float
    sessions: int
    share: float
    sessions_before: int

    def to_dict(self) -> JsonObject:
        """The share, ready for JSON."""
        return {
            "symbol": self.symbol,
            "proxy": self.proxy,
            "splice_date": self.splice_date.isoformat(),
            "annual_fee": self.annual_fee,
            "sessions": self.sessions,
            "share": self.share,
            "sessions_before": self.sessions_before,
        }

    def notes(self, window: int) -> Iterator[str]:
        """Yield what a reader has to know; `window` is how many sessions that has."""
        fee = f", at a fee of {100 * self.annual_fee:.6g} % a year" if self.annual_fee else ""
        what = f"proxy data of {self.proxy}, before {self.splice_date}{fee}"
        if self.sessions:
            yield (
                f"{self.symbol}: {self.sessions:,} of {window:,} sessions "
                f"({100 * self.share:.1f} %) are {what}"
            )
        if self.sessions_before:
            yield (
                f"{self.symbol}: before the window {self.sessions_before:,} of the sessions that "
                f"the strategy may look at are {what}"
            )


def proxy_shares(window: PricePanel, history: PricePanel) -> tuple[ProxyShare, ...]:
    """The proxies of the symbols of a run, where any of its sessions are theirs.

    Where a proxy has a proxy itself, both are there, and each session counts once.

    Parameters
    ----------
    window : PricePanel
        What is traded and compared with, on the sessions of the run.
    history : PricePanel
        What the strategy may look at, up to the end of the window.
    """
    found: list[ProxyShare] = []
    if not window.splices:
        return ()
    before = history.dates[history.dates < window.dates[0]]
    for splice in window.splices:
        seen = before if splice.symbol in history.symbols else before[:0]
        shares = [_share(splice.symbol, link, window.dates, seen) for link in splice.links()]
        if any(share.sessions or share.sessions_before for share in shares):
            found += shares
    return tuple(found)


def proxy_notes(window: PricePanel, history: PricePanel) -> Iterator[str]:
    """Yield what a reader has to know about `proxy_shares`."""
    for share in proxy_shares(window, history):
        yield from share.notes(window.dates.size)


def splices_of(shares: Iterable[Mapping[str, JsonValue]]) -> dict[str, Splice]:
    """The splices behind proxy shares, from what `ProxyShare.to_dict` made of them, by symbol."""
    links: dict[str, list[Mapping[str, JsonValue]]] = {}
    for share in shares:
        links.setdefault(str(share["symbol"]), []).append(share)
    found = {}
    for symbol, chain in links.items():
        symbols = [symbol, *(str(share["proxy"]) for share in chain)]
        splice: Splice | None = None
        for share, (after, proxy) in zip(
            reversed(chain), reversed([*pairwise(symbols)]), strict=True
        ):
            date = dt.date.fromisoformat(str(share["splice_date"]))
            fee = float(cast("float", share["annual_fee"]))
            splice = found[symbol] = Splice(after, proxy, date, fee, splice)
    return found


def _share(symbol: str, link: Splice, window: DateArray, before: DateArray) -> ProxyShare:
    def counted(dates: DateArray) -> int:
        rows = dates < np.datetime64(link.date)
        if link.earlier is not None:
            rows &= dates >= np.datetime64(link.earlier.date)
        return int(np.count_nonzero(rows))

    sessions = counted(window)
    return ProxyShare(
        symbol,
        link.proxy,
        link.date,
        link.annual_fee,
        sessions,
        sessions / window.size,
        counted(before),
    )
