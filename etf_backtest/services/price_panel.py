"""Stored prices as a panel: which of a symbol's prices its total return is made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from etf_backtest.database.price_store import StoredSeries, load_series
from etf_backtest.errors import NoPricesError, UncoveredWindowError
from etf_backtest.market import PricePanel, PriceSeries

if TYPE_CHECKING:
    from etf_backtest.database.url import DatabaseUrl

IMPORT_REMEDY = "import its prices with: etf-backtest prices import FILE"


async def load_panel(
    url: DatabaseUrl, symbols: Sequence[str], *, until: dt.date = dt.date.max
) -> PricePanel:
    """Every stored session of `symbols` up to `until`, as total-return prices.

    Raises
    ------
    NoPricesError
        Nothing is stored of a symbol, or not what its total return can be computed from.
    """
    stored = await load_series(url, symbols, until=until)
    return PricePanel.from_series(
        total_return_series(symbol, stored) for symbol in dict.fromkeys(symbols)
    )


def total_return_series(symbol: str, stored: Mapping[str, StoredSeries]) -> PriceSeries:
    """Total-return prices of one symbol: of closes, dividends and splits, else adjusted closes.

    One basis serves the whole series: closes and adjusted closes are never mixed. Stored closes are
    traded ones, so splits are applied; a first row needs no dividend and no split.
    """
    series = stored.get(symbol)
    if series is None:
        raise NoPricesError(symbol, "no prices are stored", remedy=IMPORT_REMEDY)
    dividends, splits = series.dividends.copy(), series.split_ratios.copy()
    dividends[:1] = np.nan_to_num(dividends[:1], nan=0.0)
    splits[:1] = np.nan_to_num(splits[:1], nan=1.0)
    lacks_close = np.isnan(series.closes)
    lacks_distributions = np.isnan(dividends) | np.isnan(splits)
    if not lacks_close.any() and not lacks_distributions.any():
        return PriceSeries.from_closes(
            symbol,
            series.dates,
            series.closes,
            dividends=dividends,
            splits=splits,
            split_adjusted=False,
        )
    lacks_adjusted = np.isnan(series.adjusted_closes)
    if not lacks_adjusted.any():
        return PriceSeries.from_adjusted_closes(symbol, series.dates, series.adjusted_closes)
    if lacks_close.any():
        date = series.dates[int(np.flatnonzero(lacks_close & ~lacks_adjusted | lacks_adjusted)[0])]
        raise NoPricesError(
            symbol,
            f"has closes on some sessions and adjusted closes on others (on {date} not both)",
            remedy="import one kind of price for the whole history",
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
    panel: PricePanel, start: dt.date | None, end: dt.date | None
) -> tuple[dt.date, dt.date]:
    """First and last session of the window that somebody asked for.

    A start that is no session moves to the next one, an end to the one before. Only days without
    trading may be cut off where prices begin or end: a weekend, and for the start one holiday.
    None is the first (last) session on which every symbol has a price.

    Raises
    ------
    UncoveredWindowError
        Prices begin later or end earlier than that.
    """
    priced = ~np.isnan(panel.prices)
    first = _day(panel.dates[int(priced.argmax(axis=0).max())])
    last = _day(panel.dates[panel.dates.size - 1 - int(priced[::-1].argmax(axis=0).max())])
    begin, finish = first if start is None else start, last if end is None else end
    if begin < first:
        if np.busday_count(begin, first) > 1:
            raise UncoveredWindowError(panel.symbols, begin, finish, first=first, last=last)
        begin = first
    if finish > last:
        if np.busday_count(last, finish + dt.timedelta(days=1)) > 1:
            raise UncoveredWindowError(panel.symbols, begin, finish, first=first, last=last)
        finish = last
    if begin > last:
        raise UncoveredWindowError(panel.symbols, begin, finish, first=first, last=last)
    return _day(panel.session_from(begin)), finish


def _day(date: np.datetime64) -> dt.date:
    day: dt.date = date.astype(dt.date)
    return day
