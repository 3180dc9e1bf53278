"""All rules over the history of a symbol."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from etf_backtest.market.quality.adjusted_close_rules import adjusted_close_report
from etf_backtest.market.quality.calendar_rules import (
    ExchangeSessions,
    distributions_off_session,
    extra_sessions,
    missing_sessions,
)
from etf_backtest.market.quality.distribution_rules import (
    contradicted_splits,
    distributions_without_close,
    dividends_above_close,
    unclear_adjustment,
)
from etf_backtest.market.quality.finding import Finding, Level
from etf_backtest.market.quality.history import PriceHistory
from etf_backtest.market.quality.movement_rules import (
    jumps,
    price_spikes,
    stale_runs,
    zero_volumes,
)
from etf_backtest.market.quality.series_findings import count_of
from etf_backtest.market.sessions import as_date


@dataclass(frozen=True, slots=True)
class SeriesCheck:
    """What somebody should look at in the history of a symbol.

    Attributes
    ----------
    symbol : str
    findings : tuple of Finding
        By date.
    notes : tuple of str
        What could not be checked and why, and conventions of the vendor that are no errors.
    """

    symbol: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def check_series(
    history: PriceHistory,
    *,
    sessions: ExchangeSessions | None = None,
    today: dt.date | None = None,
) -> SeriesCheck:
    """Apply the rules over series to a stored history, or to one that shall be imported.

    Parameters
    ----------
    history : PriceHistory
        Of rows that can be stored (`check_bars`).
    sessions : ExchangeSessions, optional
        When the symbol's exchange was open. Without it, and where they are not known, no session
        is reported as missing or extra; `notes` says so.
    today : date, optional
        Later dates are found; None does not check it.
    """
    with np.errstate(all="ignore"):  # NaN is "not known", and compares as such
        adjusted = adjusted_close_report(history)
        contradicted = tuple(contradicted_splits(history))
        dates = [finding.date for finding in contradicted]
        rows = np.searchsorted(history.dates, np.array(dates, "datetime64[D]")).tolist()
        found = [
            *_future(history, today),
            *stale_runs(history),
            *zero_volumes(history),
            *price_spikes(history),
            *jumps(history, explained=frozenset(rows)),
            *dividends_above_close(history),
            *distributions_without_close(history),
            *unclear_adjustment(history),
            *contradicted,
            *adjusted.findings,
        ]
        if sessions is not None:
            found += missing_sessions(history, sessions)
            found += extra_sessions(history, sessions)
            found += distributions_off_session(history, sessions)
    found.sort(key=lambda finding: finding.date or dt.date.min)
    notes = (*_unchecked_sessions(history, sessions), *adjusted.notes)
    return SeriesCheck(history.symbol, tuple(found), notes)


def _future(history: PriceHistory, today: dt.date | None) -> Iterator[Finding]:
    if today is None:
        return
    for date in history.dates[history.dates > np.datetime64(today)].tolist():
        yield Finding(
            rule="future_date",
            level=Level.REJECT,
            message=f"{date} is in the future (today is {today})",
            symbol=history.symbol,
            date=date,
            field="date",
            value=str(date),
        )


def _unchecked_sessions(history: PriceHistory, sessions: ExchangeSessions | None) -> Iterator[str]:
    if sessions is None:
        yield "missing and extra sessions were not looked for: no exchange was given"
        return
    unknown = int((~sessions.knows(history.dates)).sum())
    if not unknown:
        return
    known = f"from {as_date(sessions.first)} to {as_date(sessions.last)}"
    if sessions.last < sessions.first:
        known = "on none of these days"
    yield (
        f"{count_of(unknown, 'row')} could not be compared with the sessions of "
        f"{sessions.exchange}, which are known {known}"
    )
