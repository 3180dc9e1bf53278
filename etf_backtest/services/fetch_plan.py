"""Whether what a vendor says now goes on from what is stored, or has to be stored anew.

A vendor's adjusted closes (and split-adjusted closes) are all made from one end: after each
distribution or split the whole history is another. New rows may stand beside old ones only where
nothing of that has happened since.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from etf_backtest.database.price_store import StoredSeries
from etf_backtest.market.bars import SCALES, UNKNOWN, Bars
from etf_backtest.market.quality import Finding, Level

OVERLAP = 10
"""Sessions that are fetched once more, to see whether they are still the same."""

_COMPARED = {
    "close": "closes",
    "adjusted_close": "adjusted_closes",
    "dividend_amount": "dividends",
    "split_ratio": "split_ratios",
}

_EVENTS = {"split_ratio": 10 ** SCALES["split_ratio"], "dividend_amount": 0}
"""What stands in a column on days without event."""


def overlap_start(stored: StoredSeries) -> dt.date:
    """The day to fetch from: one more than is compared and stored.

    An event between two sessions is booked on the later. Of the first row of an answer it cannot be
    known whether there was one.
    """
    return _date(stored.dates[-min(OVERLAP + 1, stored.dates.size)])


def first_day(stored: StoredSeries) -> dt.date:
    """The oldest session that is stored."""
    return _date(stored.dates[0])


def last_day(stored: StoredSeries) -> dt.date:
    """The newest session that is stored."""
    return _date(stored.dates[-1])


def other_source(stored: StoredSeries, name: str) -> str | None:
    """Why rows of different sources are not continued: their prices may be adjusted otherwise."""
    others = sorted({source for _, source in stored.sources} - {name})
    return f"stored rows are from {', '.join(others)}" if others else None


def rewritten(stored: StoredSeries, bars: Bars) -> str | None:
    """The first sign that stored history and a vendor's answer are not of one piece.

    Parameters
    ----------
    stored : StoredSeries
    bars : Bars
        Of the same symbol, oldest first, asked for from `overlap_start` on. Values that the vendor
        does not say are no sign.
    """
    if not np.isin(stored.dates, bars.dates).any():
        return f"the answer has none of the stored sessions since {overlap_start(stored)}"
    return next(_differences(stored, bars), None) or next(_news(stored, bars), None)


def _differences(stored: StoredSeries, bars: Bars) -> Iterator[str]:
    days, before, now = np.intersect1d(stored.dates, bars.dates, return_indices=True)
    for field, name in _COMPARED.items():
        column: np.ndarray = getattr(stored, name)
        was, wholes = column[before], bars.numbers(field)[now]
        # both are the float64 next to the same decimal
        differs = (wholes != UNKNOWN) & (was != wholes / 10 ** SCALES[field])
        if field in _EVENTS:
            differs &= now > 0  # see overlap_start
        for place in np.flatnonzero(differs):
            value = _text(bars.value(field, int(now[place])))
            said = "unknown" if np.isnan(was[place]) else f"{was[place]:.12g}"
            yield f"{field} of {_date(days[place])} is {value}, stored was {said}"


def _news(stored: StoredSeries, bars: Bars) -> Iterator[str]:
    new = bars.dates > stored.dates[-1]
    for field, nothing in _EVENTS.items():
        for row in np.flatnonzero(new & (bars.numbers(field) != nothing)):
            value = bars.value(field, int(row))
            said = "unknown" if value is None else _text(value)
            yield f"{field} {said} on {_date(bars.dates[row])}"


def vanished(stored: StoredSeries, bars: Bars) -> Iterator[Finding]:
    """A warning of stored sessions that a vendor's answer for the same days has no longer."""
    inside = (stored.dates >= bars.dates[0]) & (stored.dates <= bars.dates[-1])
    gone = np.setdiff1d(stored.dates[inside], bars.dates)
    if gone.size:
        yield Finding(
            "vanished_session",
            Level.WARN,
            f"{gone.size:,} stored {'session' if gone.size == 1 else 'sessions'} that the answer "
            "does not have: kept as they are",
            stored.symbol,
            _date(gone[0]),
            last=_date(gone[-1]),
        )


def _date(day: np.datetime64) -> dt.date:
    date: dt.date = day.astype("datetime64[D]").item()
    return date


def _text(value: Decimal | None) -> str:
    return f"{value.normalize():f}" if value is not None else "unknown"
