"""Stored prices as a panel: which of a symbol's prices its total return is made of."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from etf_backtest.database.price_store import DataState, StoredPrices, StoredSeries, load_series
from etf_backtest.database.proxy_store import load_proxies
from etf_backtest.errors import NoPricesError, UncoveredWindowError, WindowError
from etf_backtest.market import LONGEST_CLOSURE, PriceBasis, PricePanel, PriceSeries
from etf_backtest.services.proxy_history import (
    splices_of_stored,
    symbols_needed,
    unused_note,
    with_history,
)

if TYPE_CHECKING:
    from etf_backtest.database.url import DatabaseUrl
    from etf_backtest.market import MissingPolicy
    from etf_backtest.market.splice import Splice
    from etf_backtest.typing import DateArray

IMPORT_REMEDY = "import its prices with: etf-backtest prices import FILE"


@dataclass(frozen=True, slots=True)
class LoadedPrices:
    """A panel, and what has to be known about where its prices come from."""

    panel: PricePanel
    notes: tuple[str, ...]
    state: DataState
    unused: tuple[tuple[dt.date, str], ...] = ()
    """Until when prices are stored that a proxy stands in for, and a word about them."""

    def notes_from(self, start: dt.date) -> tuple[str, ...]:
        """What somebody has to know who uses the prices from `start` on."""
        return (*self.notes, *(note for until, note in self.unused if start < until))


@dataclass(frozen=True, slots=True)
class FittedWindow:
    """The sessions that a run goes over, and why they are not others."""

    start: dt.date
    end: dt.date
    notes: tuple[str, ...]


def symbols_named(symbols: str | Sequence[str]) -> tuple[str, ...]:
    """Symbols as they are stored, in upper case, each once; a string is one symbol."""
    several = (symbols,) if isinstance(symbols, str) else symbols
    return tuple(dict.fromkeys(symbol.upper() for symbol in several))


async def load_prices(
    url: DatabaseUrl,
    symbols: str | Sequence[str],
    *,
    proxies: bool | Mapping[str, Splice] = True,
    as_of: int | Sequence[int] | None = None,
) -> LoadedPrices:
    """Every stored session of `symbols`, as total-return prices.

    The panel keeps the closes, dividends and splits of the symbols whose prices are made of them.

    Parameters
    ----------
    url : DatabaseUrl
    symbols : str or sequence of str
        In whatever case.
    proxies : bool or mapping of symbols to splices
        Whether the proxies that are stored stand before the symbols' own prices; or which do
        instead, those of a result for one.
    as_of : int or sequence of int, optional
        The number of a price revision: prices as they were stored in that state. Symbols that the
        first of several states does not know are those of the next.

    Raises
    ------
    NoPricesError
        Nothing is stored of a symbol, or not what its total return can be computed from.
    SpliceError
        The prices of a proxy do not fit any more.
    """
    symbols = symbols_named(symbols)
    if proxies is True:
        splices = splices_of_stored(symbols, await load_proxies(url, symbols))
    else:
        splices = {each: proxies[each] for each in symbols if each in proxies} if proxies else {}
    needed = symbols_needed(symbols, splices)
    prices = await _stored_prices(url, needed, as_of)
    stored = prices.series
    own = {symbol: total_return_series(symbol, stored) for symbol in dict.fromkeys(symbols)}
    others = {symbol: _own_or_none(symbol, stored) for symbol in needed if symbol not in own}
    series = [
        with_history(each, splices[symbol], {**own, **others}) if symbol in splices else each
        for symbol, each in own.items()
    ]
    used = [each for each in (*own.values(), *others.values()) if isinstance(each, PriceSeries)]
    seams = (
        _seam_note(stored[each.symbol], each.basis)
        for each in used
        if len(stored[each.symbol].sources) > 1
    )
    unused = (
        (splice.date, note)
        for symbol, splice in splices.items()
        if (note := unused_note(own[symbol], splice))
    )
    return LoadedPrices(PricePanel.from_series(series), tuple(seams), prices.state, tuple(unused))


async def _stored_prices(
    url: DatabaseUrl, symbols: Sequence[str], as_of: int | Sequence[int] | None
) -> StoredPrices:
    states = (as_of,) if as_of is None or isinstance(as_of, int) else as_of
    stored = await load_series(url, symbols, as_of=states[0])
    for other in states[1:]:
        unknown = [symbol for symbol in symbols if symbol not in stored.series]
        more = (await load_series(url, unknown, as_of=other)).series if unknown else {}
        stored = StoredPrices({**stored.series, **more}, stored.state)
    return stored


def _own_or_none(symbol: str, stored: Mapping[str, StoredSeries]) -> PriceSeries | NoPricesError:
    try:
        return total_return_series(symbol, stored)
    except NoPricesError as error:
        return error


def _seam_note(series: StoredSeries, basis: PriceBasis) -> str:
    parts = ", ".join(f"{source} from {date}" for date, source in series.sources[:3])
    more = "" if len(series.sources) <= 3 else f" and {len(series.sources) - 3} more"
    origin = f"come from more than one source ({parts}{more})"
    if basis is not PriceBasis.ADJUSTED_CLOSE:
        check = f"etf-backtest prices check {shlex.quote(series.symbol)}"
        return f"{series.symbol}: closes {origin}: check them with {check}"
    return (
        f"{series.symbol}: adjusted closes {origin}; vendors "
        "adjust the whole history anew at every dividend, so returns at the seams may be wrong: "
        "import one file for the whole history"
    )


def total_return_series(symbol: str, stored: Mapping[str, StoredSeries]) -> PriceSeries:
    """Total-return prices of one symbol: of closes, dividends and splits, else adjusted closes.

    One basis serves the whole series: closes and adjusted closes are never mixed. A first row needs
    no dividend and no split. Where there was a split, it must be known of all closes alike whether
    they are divided by later ones.

    Raises
    ------
    NoPricesError
        Nothing is stored of the symbol, or not what its total return can be computed from.
    """
    series = stored.get(symbol)
    if series is None:
        raise NoPricesError(symbol, "no prices are stored", remedy=IMPORT_REMEDY)
    dividends, splits = series.dividends.copy(), series.split_ratios.copy()
    dividends[:1] = np.nan_to_num(dividends[:1], nan=0.0)
    splits[:1] = np.nan_to_num(splits[:1], nan=1.0)
    lacks_close = np.isnan(series.closes)
    lacks_distributions = np.isnan(dividends) | np.isnan(splits)
    said = series.split_adjusted
    never_split = bool((splits[1:] == 1).all())
    clear = never_split or said in ({True}, {False})
    if not lacks_close.any() and not lacks_distributions.any() and clear:
        return PriceSeries.from_closes(
            symbol,
            series.dates,
            series.closes,
            dividends=dividends,
            splits=splits,
            split_adjusted=said == {True},
        )
    lacks_adjusted = np.isnan(series.adjusted_closes)
    if not lacks_adjusted.any():
        return PriceSeries.from_adjusted_closes(symbol, series.dates, series.adjusted_closes)
    if lacks_close.any():
        date = series.dates[int(np.flatnonzero(lacks_close | lacks_adjusted)[0])]
        raise NoPricesError(
            symbol,
            f"has closes on some sessions and adjusted closes on others (on {date} not both)",
            remedy="import one kind of price for the whole history",
        )
    if not lacks_distributions.any():
        date = series.dates[int(np.flatnonzero(splits[1:] != 1)[0]) + 1]
        what = "not said" if said == {None} else "not the same for all"
        raise NoPricesError(
            symbol,
            f"has closes and a split on {date}, and it is {what} whether closes are as traded or "
            "divided by later splits",
            remedy="import its whole history from one source, with --closes traded or "
            "--closes split-adjusted",
        )
    date = series.dates[int(np.flatnonzero(lacks_distributions)[0])]
    raise NoPricesError(
        symbol,
        f"has closes, but on {date} its dividend or split ratio is not known, "
        "so neither is its total return",
        remedy="import dividend_amount and split_ratio or adjusted closes, or say that there were "
        "none with --no-distributions",
    )


def fit_window(
    panel: PricePanel, start: dt.date | None, end: dt.date | None, policy: MissingPolicy
) -> FittedWindow:
    """First and last session of the window that somebody asked for.

    A start that is no session moves to the next one, an end to the one before: over days without
    trading, and not over prices that are missing. None is the first (last) session on which every
    symbol has a price; the policies for missing prices may bring a start or end beyond that.

    Raises
    ------
    UncoveredWindowError
        Prices begin later or end earlier than that.
    WindowError
        No session is near the start or the end, or there are fewer than 2 in between.
    """
    priced = ~np.isnan(panel.prices)
    firsts = panel.dates[priced.argmax(axis=0)]
    lasts = panel.dates[panel.dates.size - 1 - priced[::-1].argmax(axis=0)]
    if firsts.max() > lasts.min():
        raise WindowError(
            f"{', '.join(panel.symbols)} share no session: one begins on {firsts.max()}, "
            f"another ends on {lasts.min()}",
            remedy="leave one of them out, or import more prices",
        )
    # `common` clips, and forward filling carries on, where a series has ended
    first = firsts.min() if policy == "common" else firsts.max()
    last = lasts.min() if policy == "error" else lasts.max()
    begin = firsts.max() if start is None else np.datetime64(start)
    finish = lasts.min() if end is None else np.datetime64(end)
    uncovered = UncoveredWindowError(
        panel.symbols, _day(begin), _day(finish), first=_day(first), last=_day(last)
    )
    if begin < first:
        if np.busday_count(begin, first) > 1:  # New Year's Day, say
            raise uncovered
        begin = first
    if finish > last:
        if np.busday_count(last + 1, finish + 1) > 0:
            raise uncovered
        finish = last
    _refuse_outside(panel, begin, finish, first, last)
    session, before = panel.session_from(_day(begin)), _session_until(panel, finish)
    if session > before and begin <= finish:
        raise WindowError(
            f"no session from {begin} to {finish}",
            remedy=f"choose a longer window: the sessions beside it are {before} and {session}",
        )
    _refuse_holes(begin, session, np.busday_count(begin, session))
    _refuse_holes(finish, before, np.busday_count(before + 1, finish + 1))
    panel.locate(session, before)  # at least two sessions
    return FittedWindow(
        _day(session), _day(before), tuple(_shortened(panel, firsts, lasts, start, end))
    )


def _refuse_outside(
    panel: PricePanel,
    begin: np.datetime64,
    finish: np.datetime64,
    first: np.datetime64,
    last: np.datetime64,
) -> None:
    """Refuse a window that lies behind the prices, or before them."""
    names = ", ".join(panel.symbols)
    if begin > last:
        raise WindowError(
            f"there is no session from {begin} on: the prices of {names} end on {last}",
            remedy=f"choose an earlier start, {first} or later, or import more prices",
        )
    if finish < first:
        raise WindowError(
            f"there is no session up to {finish}: the prices of {names} begin on {first}",
            remedy=f"choose a later end, up to {last}, or import more prices",
        )


def _refuse_holes(asked: np.datetime64, found: np.datetime64, weekdays: np.int_) -> None:
    if weekdays > LONGEST_CLOSURE:
        raise WindowError(
            f"there is no session near {asked}: the one that would be taken is {found}, "
            f"{weekdays} weekdays away",
            remedy=f"use {found}, or import the missing prices",
        )


def _session_until(panel: PricePanel, date: np.datetime64) -> np.datetime64:
    row = int(np.searchsorted(panel.dates, date, side="right")) - 1
    session: np.datetime64 = panel.dates[row]
    return session


def _shortened(
    panel: PricePanel,
    firsts: DateArray,
    lasts: DateArray,
    start: dt.date | None,
    end: dt.date | None,
) -> Iterator[str]:
    """What a window that nobody named leaves out of the longest series."""
    if start is None and firsts.max() > firsts.min():
        late = panel.symbols[int(firsts.argmax())]
        yield f"the window begins on {firsts.max()}, where the prices of {late} begin"
    if end is None and lasts.min() < lasts.max():
        early = panel.symbols[int(lasts.argmin())]
        yield f"the window ends on {lasts.min()}, where the prices of {early} end"


def _day(date: np.datetime64) -> dt.date:
    day: dt.date = date.astype(dt.date)
    return day
