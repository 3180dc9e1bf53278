"""Prices against the sessions of an exchange: what is missing, and what is too much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.market.quality.distribution_rules import distribution_rows
from etf_backtest.market.quality.finding import Finding
from etf_backtest.market.quality.history import PriceHistory
from etf_backtest.market.quality.rules import SERIES_RULES
from etf_backtest.market.quality.series_findings import count_of, runs, warning
from etf_backtest.market.sessions import as_date
from etf_backtest.typing import BoolArray, DateArray


@dataclass(frozen=True, slots=True, eq=False)
class ExchangeSessions(FrozenArrays):
    """The days on which an exchange was open, as far as they are known.

    Attributes
    ----------
    exchange : str
        Its ISO code (MIC).
    dates : ndarray of datetime64[D]
        All sessions from `first` to `last`, ascending.
    first, last : datetime64[D]
        The days between which they are known, both included. With `last` before `first`, none are.
    """

    exchange: str
    dates: DateArray
    first: np.datetime64
    last: np.datetime64

    def knows(self, dates: DateArray) -> BoolArray:
        """Which days lie where the sessions are known."""
        inside: BoolArray = (dates >= self.first) & (dates <= self.last)
        return inside

    def was_open(self, dates: DateArray) -> BoolArray:
        """Which days were sessions; meaningless where they are not known."""
        return np.isin(dates, self.dates)


def missing_sessions(history: PriceHistory, sessions: ExchangeSessions) -> Iterator[Finding]:
    """Sessions without a price, between the first and the last price of the history."""
    priced = history.dates[history.has_price]
    if not priced.size:
        return
    expected = sessions.dates
    expected = expected[(expected > priced[0]) & (expected < priced[-1])]
    for first, last in runs(np.flatnonzero(~np.isin(expected, priced))):
        count = last - first + 1
        yield Finding(
            rule="missing_sessions",
            level=SERIES_RULES["missing_sessions"],
            message=f"no price on {count_of(count, 'session')} of {sessions.exchange}",
            symbol=history.symbol,
            date=as_date(expected[first]),
            value=str(count),
            last=as_date(expected[last]) if last > first else None,
        )


def extra_sessions(history: PriceHistory, sessions: ExchangeSessions) -> Iterator[Finding]:
    """Prices on days on which the exchange was closed; such rows in a row are one finding."""
    closed = sessions.knows(history.dates) & ~sessions.was_open(history.dates)
    for first, last in runs(np.flatnonzero(closed & history.has_price)):
        count = last - first + 1
        prices = "a price" if count == 1 else f"{count} prices"
        when = f"{as_date(history.dates[first]):%A}" if count == 1 else "days"
        yield warning(
            "extra_session",
            history,
            first,
            f"{prices} on {'a ' * (count == 1)}{when} on which {sessions.exchange} was closed",
            value=str(count),
            last=last if last > first else None,
        )


def distributions_off_session(
    history: PriceHistory, sessions: ExchangeSessions
) -> Iterator[Finding]:
    """Dividends and splits whose date is no session: nobody held the share overnight to it."""
    closed = sessions.knows(history.dates) & ~sessions.was_open(history.dates)
    for row, field, said in distribution_rows(history, closed):
        yield warning(
            "distribution_off_session",
            history,
            row,
            f"{said} on a {as_date(history.dates[row]):%A} on which {sessions.exchange} was "
            "closed, expected an ex-date that is a session",
            field=field,
            value=said.rpartition(" ")[2],
        )
