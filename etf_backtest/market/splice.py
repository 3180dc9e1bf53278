"""What a young fund's history is before its own: that of a proxy, less what the fund costs more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from etf_backtest.errors import NoClosesError, SpliceError
from etf_backtest.errors.wording import quoted
from etf_backtest.market.basis import PriceBasis
from etf_backtest.market.drag import HIGHEST_RATIO, drag_levels, is_ratio
from etf_backtest.market.series import PriceSeries
from etf_backtest.market.sessions import as_date, as_session
from etf_backtest.market.symbols import check_symbols
from etf_backtest.typing import DateLike, FloatArray

if TYPE_CHECKING:
    from etf_backtest.market.panel import PricePanel

P = TypeVar("P", bound="PricePanel")


@dataclass(frozen=True, slots=True)
class Splice:
    """Where the prices of a symbol pass from a proxy's to its own.

    Attributes
    ----------
    symbol, proxy : str
    date : date
        The first session whose price is the symbol's own. The return up to it is the proxy's still.
    annual_fee : float
        What the symbol costs more than its proxy: a fraction a year, 0 to 0.2, taken out of the
        proxy's prices.
    earlier : Splice, optional
        The proxy's own, where its prices are another one's before some earlier date.
    own_basis : PriceBasis, optional
        What the symbol's own prices are made of; known where they have been spliced.

    Raises
    ------
    SpliceError
        A symbol is its own proxy, directly or over others; the fee is out of range; the proxy's own
        prices begin after the splice.
    """

    symbol: str
    proxy: str
    date: dt.date
    annual_fee: float = 0.0
    earlier: Splice | None = None
    own_basis: PriceBasis | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_symbols((self.symbol,))
        check_symbols((self.proxy,))
        object.__setattr__(self, "date", as_date(as_session(self.date)))
        if not is_ratio(self.annual_fee):
            raise SpliceError(
                self.symbol,
                self.proxy,
                f"expected a fee from 0 to {HIGHEST_RATIO} a year, received "
                f"{quoted(self.annual_fee)}",
                remedy="write 0.05 % as 0.0005; a proxy that costs more than the fund is taken as "
                "it was, with the fee 0",
            )
        object.__setattr__(self, "annual_fee", float(self.annual_fee))
        symbols = [link.symbol for link in self.links()]
        if self.symbol in (*symbols[1:], [*self.links()][-1].proxy):
            raise SpliceError(
                self.symbol,
                self.proxy,
                f"{self.symbol} would be its own proxy"
                + (f" ({' before '.join([*symbols, self.symbol])})" if symbols[1:] else ""),
                remedy="name a fund whose prices begin earlier",
            )
        if self.earlier is None:
            return
        if self.earlier.symbol != self.proxy:
            raise SpliceError(
                self.symbol,
                self.proxy,
                f"expected the proxy's own splice, received that of {self.earlier.symbol}",
                remedy=f"give the splice of {self.proxy}",
            )
        if self.earlier.date > self.date:
            raise SpliceError(
                self.symbol,
                self.proxy,
                f"on {self.date} {self.proxy} has no price of its own: it is {self.earlier.proxy} "
                f"until {self.earlier.date}",
                remedy=f"splice {self.earlier.proxy} before {self.symbol}",
            )

    def links(self) -> Iterator[Splice]:
        """Yield this splice, the proxy's own, and so on back in time."""
        link: Splice | None = self
        while link is not None:
            yield link
            link = link.earlier

    @property
    def proxies(self) -> tuple[str, ...]:
        """Whose prices it needs beside the symbol's own, the latest first."""
        return tuple(link.proxy for link in self.links())


def spliced(
    own: PriceSeries,
    proxy: PriceSeries,
    *,
    annual_fee: float = 0.0,
    date: DateLike | None = None,
) -> PriceSeries:
    """A symbol's prices, and a proxy's before them.

    Before the splice sessions and total returns are the proxy's, each of its factors times
    ``1 - annual_fee * days / 365`` (actual/365, as in `PricePanel.with_expense_drag`), at a level
    that meets the symbol's price on the splice date; from then on all is the symbol's own.

    Parameters
    ----------
    own, proxy : PriceSeries
        The proxy may have proxy history itself.
    annual_fee : float
        What the symbol costs more than its proxy: a fraction a year, 0 to 0.2.
    date : date, optional
        A session on which both have a price; defaults to the symbol's first. Earlier prices of the
        symbol are left out.

    Returns
    -------
    PriceSeries
        With `splice` set. Closes, dividends and splits are the symbol's own from the splice date
        on, and NaN before: a proxy's are not those of a share of the symbol. Adjusted closes of
        either make it a series of adjusted closes.

    Raises
    ------
    SpliceError
        They cannot be spliced on that date: one has no price then, the proxy's begin no earlier,
        or a symbol would be its own proxy.
    PriceDataError
        The fee uses up all of a price over a gap between two sessions of the proxy.
    """
    when = own.dates[0] if date is None else as_session(date)
    if own.splice is not None:
        raise SpliceError(
            own.symbol,
            proxy.symbol,
            f"before {own.splice.date} its prices are those of {own.splice.proxy} already",
            remedy="give the symbol's own prices alone, or splice the other one before its proxy",
        )
    splice = Splice(own.symbol, proxy.symbol, as_date(when), annual_fee, proxy.splice, own.basis)
    first = _row_of(own, when, splice)
    row = _row_of(proxy, when, splice)
    if row == 0:
        raise SpliceError(
            own.symbol,
            proxy.symbol,
            f"the prices of {proxy.symbol} begin on {proxy.dates[0]}: there is nothing to put "
            f"before {own.symbol}",
            remedy="name a fund whose prices begin earlier",
        )
    fees = drag_levels(
        proxy.dates[: row + 1], (proxy.symbol,), {proxy.symbol: splice.annual_fee}, anchor=row
    )
    before = proxy.prices[:row] * fees[:row, 0] * (own.prices[first] / proxy.prices[row])
    adjusted = PriceBasis.ADJUSTED_CLOSE in (own.basis, proxy.basis)

    def known_later(quotes: FloatArray | None) -> FloatArray | None:
        return None if quotes is None else np.concatenate((np.full(row, np.nan), quotes[first:]))

    return PriceSeries(
        own.symbol,
        np.concatenate((proxy.dates[:row], own.dates[first:])),
        np.concatenate((before, own.prices[first:])),
        PriceBasis.ADJUSTED_CLOSE if adjusted else own.basis,
        known_later(own.closes),
        known_later(own.dividends),
        known_later(own.splits),
        splice,
    )


def _row_of(series: PriceSeries, date: np.datetime64, splice: Splice) -> int:
    row = int(np.searchsorted(series.dates, date))
    if row < series.dates.size and series.dates[row] == date:
        return row
    later = "" if row == series.dates.size else f": the next one is on {series.dates[row]}"
    raise SpliceError(
        splice.symbol,
        splice.proxy,
        f"{series.symbol} has no price on {date}{later}",
        remedy="splice them on a session on which both have a price",
    )


def with_proxy(
    panel: P, symbol: str, *, before: str, annual_fee: float = 0.0, date: DateLike | None = None
) -> P:
    """See `PricePanel.spliced`."""
    whole = spliced(panel.series(symbol), panel.series(before), annual_fee=annual_fee, date=date)
    return type(panel).from_series(
        [whole if each == symbol else panel.series(each) for each in panel.symbols]
    )


def without_splices(panel: P, *, but_of: Container[str]) -> P:
    """The panel of symbols whose proxies have no session in it, as if they had none.

    Parameters
    ----------
    panel : PricePanel
    but_of : container of str
        Symbols whose splices stay.
    """
    unused = {each.symbol: each for each in panel.splices if each.symbol not in but_of}
    if not unused:
        return panel
    own = {symbol: each.own_basis for symbol, each in unused.items()}
    return replace(
        panel,
        basis=tuple(
            own.get(symbol) or basis
            for symbol, basis in zip(panel.symbols, panel.basis, strict=True)
        ),
        splices=tuple(each for each in panel.splices if each.symbol not in unused),
    )


def no_closes(panel: PricePanel, symbol: str) -> NoClosesError:
    """The error where closes of a symbol are asked for that the panel does not have throughout."""
    for splice in panel.splices:
        if splice.symbol == symbol and panel.dates[0] < np.datetime64(splice.date):
            return NoClosesError(symbol, proxy=splice.proxy, since=splice.date)
    return NoClosesError(symbol)
