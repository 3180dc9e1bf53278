"""Are stored prices, or those of a source before its import, believable?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from etf_backtest.database.direct import direct_connection
from etf_backtest.database.price_store import coverage
from etf_backtest.database.stored_bars import StoredBars, stored_bars
from etf_backtest.errors import NoPricesError, UnknownExchangeError
from etf_backtest.market.quality import (
    Finding,
    PriceHistory,
    SessionsSeen,
    check_series,
    histories,
)
from etf_backtest.providers.exchange_sessions import DEFAULT_EXCHANGE, exchange_sessions
from etf_backtest.services.ingest import Reading, good_bars
from etf_backtest.services.price_panel import IMPORT_REMEDY, symbols_named
from etf_backtest.services.written import meant
from etf_backtest.typing import JsonObject

if TYPE_CHECKING:
    from etf_backtest.database.url import DatabaseUrl
    from etf_backtest.market.quality import ExchangeSessions
    from etf_backtest.providers.source import PriceSource

_EXCHANGES = "SELECT symbol, exchange FROM etf_info WHERE symbol = ANY($1) AND exchange IS NOT NULL"
_WITH_SPLITS = """
SELECT symbol FROM unnest($1::text[]) WITH ORDINALITY AS named(symbol, place)
WHERE EXISTS (SELECT FROM market_data AS stored
              WHERE stored.symbol = named.symbol AND stored.split_ratio <> 1)
ORDER BY place LIMIT $2
"""
SPLIT_RULES = frozenset(
    {"split_adjusted_contradicted", "split_adjusted_unclear", "split_ratio_inverted"}
)
MOST_SPLIT_SYMBOLS = 50
"""The histories of so many symbols with splits are looked at after an import."""


@dataclass(frozen=True, slots=True)
class PriceCheck:
    """What was found in the history of a symbol.

    Attributes
    ----------
    symbol : str
    exchange : str or None
        The code of the exchange whose sessions it was compared with; None where it was not.
    rows : int
    first, last : date
    findings : tuple of Finding
        By date.
    notes : tuple of str
        What could not be checked, and what is a vendor's convention and no error.
    """

    symbol: str
    exchange: str | None
    rows: int
    first: dt.date
    last: dt.date
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> JsonObject:
        """The check, ready for JSON."""
        return {
            "symbol": self.symbol,
            "exchange": self.exchange,
            "rows": self.rows,
            "first_date": self.first.isoformat(),
            "last_date": self.last.isoformat(),
            "findings": [finding.to_dict() for finding in self.findings],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """What was found in sources before their import.

    Attributes
    ----------
    reading : Reading
        How much there is, the rows that cannot be stored, and the readers' warnings.
    series : tuple of PriceCheck
        The histories of what can be stored.
    """

    reading: Reading
    series: tuple[PriceCheck, ...]


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """What stored closes say about the splits stored beside them.

    Attributes
    ----------
    symbols : tuple of str
        Those that have a split and were looked at.
    findings : tuple of Finding
        Of `SPLIT_RULES`, by symbol and date.
    complete : bool
        Whether no other of the symbols has a split.
    """

    symbols: tuple[str, ...]
    findings: tuple[Finding, ...]
    complete: bool


async def check_stored_prices(
    url: DatabaseUrl,
    symbols: str | Sequence[str] = (),
    *,
    exchange: str | None = None,
    today: dt.date | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[PriceCheck, ...]:
    """Check what is stored of symbols, of all where none is named.

    Parameters
    ----------
    url : DatabaseUrl
    symbols : str or sequence of str
    exchange : str, optional
        A name or code, for all; by default each fund's own, where it is known, else New York's.
    today : date, optional
        By default today in UTC.
    progress : callable, optional
        Told how many symbols are done.

    Raises
    ------
    NoPricesError
        Nothing is stored of a symbol.
    UnknownExchangeError
        `exchange` is none.
    """
    wanted = list(symbols_named(symbols))
    known = [each.symbol for each in await coverage(url)]
    if missing := [symbol for symbol in wanted if symbol not in known]:
        near = meant(missing[0], known).rstrip("?")
        remedy = ", or ".join(part for part in (near, IMPORT_REMEDY) if part)
        raise NoPricesError(missing[0], "no prices are stored", remedy=remedy)
    wanted = wanted or known
    exchanges = await _exchanges(url, wanted) if exchange is None else {}
    checks: list[PriceCheck] = []
    async for stored in stored_bars(url, wanted):
        where = exchange or exchanges.get(stored.bars.symbols[0], DEFAULT_EXCHANGE)
        checks.append(_check(_history(stored), where, named=exchange is not None, today=today))
        if progress is not None:
            progress(len(checks))
    return tuple(checks)


async def check_splits(
    url: DatabaseUrl, symbols: str | Sequence[str], *, most: int = MOST_SPLIT_SYMBOLS
) -> SplitCheck:
    """Check the stored splits of symbols against their closes: the rules of `SPLIT_RULES` alone.

    They need no sessions of an exchange, so it takes milliseconds for a symbol.

    Parameters
    ----------
    url : DatabaseUrl
    symbols : str or sequence of str
        Those without a split, or of which nothing is stored, are passed over.
    most : int
        So many symbols with splits are looked at, the first that are named.
    """
    async with direct_connection(url) as connection:
        rows = await connection.fetch(_WITH_SPLITS, list(symbols_named(symbols)), most + 1)
    split = tuple(row["symbol"] for row in rows)
    looked_at = split[:most]
    findings = [
        finding
        async for stored in stored_bars(url, looked_at)
        for finding in check_series(_history(stored)).findings
        if finding.rule in SPLIT_RULES
    ]
    return SplitCheck(looked_at, tuple(findings), complete=len(split) <= most)


def check_sources(
    sources: Sequence[PriceSource],
    *,
    exchange: str | None = None,
    today: dt.date | None = None,
) -> SourceCheck:
    """Check sources as an import would, and their histories, and store nothing.

    All that can be stored is held in memory, about 200 bytes a row.

    Parameters
    ----------
    sources : sequence of PriceSource
    exchange : str, optional
        A name or code; New York's by default.
    today : date, optional
        By default today in UTC.

    Raises
    ------
    EtfBacktestError
        A source cannot be read to its end, or `exchange` is none.
    """
    reading, seen = Reading(), SessionsSeen()
    checks = [
        _check(history, exchange or DEFAULT_EXCHANGE, named=exchange is not None, today=today)
        for source in sources
        for history in histories(
            (
                batch.bars if batch.split_adjusted is None else (batch.bars, batch.split_adjusted)
                for batch in good_bars(source, reading, seen, skip_bad=True, today=today)
            ),
            split_adjusted=source.split_adjusted,
        )
    ]
    return SourceCheck(reading, tuple(checks))


def _check(
    history: PriceHistory, exchange: str, *, named: bool, today: dt.date | None
) -> PriceCheck:
    sessions: ExchangeSessions | None = None
    notes: tuple[str, ...] = ()
    try:
        sessions = _sessions(history, exchange)
    except UnknownExchangeError as error:
        if named:
            raise
        notes = (f"{exchange} is not an exchange whose sessions are known: {error.message}",)
    day = today or dt.datetime.now(dt.UTC).date()
    check = check_series(history, sessions=sessions, today=day)
    return PriceCheck(
        symbol=history.symbol,
        exchange=None if sessions is None else sessions.exchange,
        rows=len(history),
        first=history.dates[0].item(),
        last=history.dates[-1].item(),
        findings=check.findings,
        notes=notes or check.notes,
    )


def _sessions(history: PriceHistory, exchange: str) -> ExchangeSessions:
    return exchange_sessions(exchange, first=history.dates[0], last=history.dates[-1])


def _history(stored: StoredBars) -> PriceHistory:
    (history,) = histories([stored.bars])
    return replace(history, split_adjusted=stored.split_adjusted)


async def _exchanges(url: DatabaseUrl, symbols: Sequence[str]) -> Mapping[str, str]:
    """Where funds are traded, as far as it is stored."""
    async with direct_connection(url) as connection:
        rows = await connection.fetch(_EXCHANGES, list(symbols))
    return {row["symbol"]: row["exchange"] for row in rows}
