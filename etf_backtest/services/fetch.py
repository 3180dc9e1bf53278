"""Prices from Yahoo into the store: what is new since the last time, or a whole history."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from etf_backtest.database.price_import import StoreReport, open_import
from etf_backtest.database.price_store import StoredSeries, load_series
from etf_backtest.errors import (
    ContradictoryPricesError,
    FetchStoppedError,
    NoSessionsError,
    PricesLockedError,
    ProviderError,
    RejectedBarsError,
)
from etf_backtest.market.bars import Bars
from etf_backtest.market.quality import Finding, Level, bar_findings
from etf_backtest.providers.retries import RetryPolicy
from etf_backtest.providers.yahoo import EARLIEST, YahooPrices
from etf_backtest.providers.yahoo_answers import YAHOO, Chart
from etf_backtest.providers.yahoo_bars import chart_batch
from etf_backtest.providers.yahoo_connection import YahooConnection
from etf_backtest.services.fetch_plan import (
    first_day,
    last_day,
    other_source,
    overlap_start,
    rewritten,
    vanished,
)
from etf_backtest.services.fetch_report import FetchReport, SymbolFetch

if TYPE_CHECKING:
    from etf_backtest.database.url import DatabaseUrl

Ask = Callable[[str, dt.date, dt.date | None], Awaitable[Chart]]


async def fetch_prices(
    url: DatabaseUrl,
    symbols: Sequence[str],
    *,
    start: dt.date | None = None,
    end: dt.date | None = None,
    anew: bool = False,
    cache_dir: Path,
    connection: YahooConnection | None = None,
    retries: RetryPolicy | None = None,
    narrate: Callable[[str], None] = lambda _: None,
) -> FetchReport:
    """Fetch symbols from Yahoo, one after the other, and store each in a transaction of its own.

    Of a symbol that is stored already, the last sessions are fetched once more with what is new.
    Where they are not what they were, where there was a dividend or a split since, or where rows
    are from another source, its whole stored history is fetched anew: adjusted closes are only
    comparable within one answer.

    Parameters
    ----------
    url : DatabaseUrl
    symbols : sequence of str
        As Yahoo spells them, in any case. Each is fetched once.
    start : date, optional
        The first session to have. By default what is stored goes on, and what is not stored comes
        from its beginning.
    end : date, optional
        The last session to have; by default the last that is over.
    anew : bool
        Fetch whole histories whatever is stored.
    cache_dir, connection, retries
        As for `YahooPrices`.
    narrate : callable
        Told of waits, of histories fetched anew and of failures, always in the caller's thread.

    Returns
    -------
    FetchReport
        Failures of single symbols are in it; the others are stored.

    Raises
    ------
    OptionalDependencyError
        yfinance is not installed.
    """
    with _asking_aside(cache_dir, connection, retries, narrate) as ask:
        fetched = []
        for symbol in dict.fromkeys(symbol.strip().upper() for symbol in symbols):
            fetch = _SymbolFetch(url, ask, symbol, start, end, narrate)
            try:
                fetched.append(await fetch.run(anew=anew))
            except (ProviderError, ContradictoryPricesError, PricesLockedError) as error:
                narrate(f"not stored: {error}")
                findings = tuple(fetch.findings)
                fetched.append(SymbolFetch(symbol=symbol, findings=findings, failure=error))
    return FetchReport(tuple(fetched))


@dataclass(slots=True)
class _SymbolFetch:
    """One symbol on its way."""

    url: DatabaseUrl
    ask: Ask
    symbol: str
    start: dt.date | None
    end: dt.date | None
    narrate: Callable[[str], None]
    findings: list[Finding] = field(default_factory=list)

    async def run(self, *, anew: bool) -> SymbolFetch:
        stored = await _stored(self.url, self.symbol)
        if stored is None:
            return await self._whole(self.start or EARLIEST, self.end)
        end = None if self.end is None else max(self.end, last_day(stored))
        reason = "it was asked for" if anew else other_source(stored, YahooPrices.name)
        if reason is None:
            since = overlap_start(stored)
            chart = await self.ask(self.symbol, since, end)
            bars = self._bars(chart, since, end)
            reason = rewritten(stored, bars) or self._older_is_wanted(stored, chart)
            if reason is None:
                self.findings.extend(vanished(stored, bars))
                return await self._store(bars, skipped=1)
        start = min(self.start or first_day(stored), first_day(stored))
        self.narrate(f"{self.symbol}: {reason}: fetching everything from {start} anew")
        return await self._whole(start, end, stored=stored, reason=reason)

    def _older_is_wanted(self, stored: StoredSeries, chart: Chart) -> str | None:
        first = first_day(stored)
        if self.start is None or self.start >= first:
            return None
        if chart.first_trade is not None and chart.first_trade >= first:
            return None
        return f"stored rows begin on {first}"

    async def _whole(
        self,
        start: dt.date,
        end: dt.date | None,
        *,
        stored: StoredSeries | None = None,
        reason: str | None = None,
    ) -> SymbolFetch:
        self.findings.clear()
        bars = self._bars(await self.ask(self.symbol, start, end), start, end)
        if stored is not None:
            self.findings.extend(vanished(stored, bars))
        return await self._store(bars, anew=reason)

    def _bars(self, chart: Chart, start: dt.date, end: dt.date | None) -> Bars:
        """The answer's sessions, all of them believable."""
        batch = chart_batch(chart, start=start, end=end)
        self.findings.extend(batch.findings)
        self.findings.extend(bar_findings(batch.bars, today=chart.answered.date()))
        rejects = [str(finding) for finding in self.findings if finding.level is Level.REJECT]
        if rejects:
            raise RejectedBarsError(self.symbol, provider=YAHOO, problems=rejects)
        if not len(batch.bars):
            reason = str(self.findings[0]) if self.findings else "its answer has none"
            raise NoSessionsError(
                self.symbol, provider=YAHOO, window=f"from {start}", reason=reason
            )
        return batch.bars

    async def _store(self, bars: Bars, *, anew: str | None = None, skipped: int = 0) -> SymbolFetch:
        report = await _store(self.url, bars.take(np.arange(skipped, len(bars))), anew=anew)
        return SymbolFetch(
            symbol=self.symbol,
            inserted=report.inserted,
            updated=report.updated,
            unchanged=report.unchanged + skipped,
            first=bars.dates[0].item(),
            last=bars.dates[-1].item(),
            anew=anew,
            findings=tuple(self.findings),
        )


@contextmanager
def _asking_aside(
    cache_dir: Path,
    connection: YahooConnection | None,
    retries: RetryPolicy | None,
    narrate: Callable[[str], None],
) -> Iterator[Ask]:
    """Ask Yahoo in a thread of its own; nobody waits there once nobody listens any more."""
    loop = asyncio.get_running_loop()
    stop = threading.Event()

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise FetchStoppedError("all symbols")

    def tell(text: str) -> None:
        loop.call_soon_threadsafe(lambda: narrate(text))

    source = YahooPrices(
        cache_dir=cache_dir,
        connection=connection,
        retries=retries,
        narrate=tell,
        sleep=sleep,
    )
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="yahoo")

    async def ask(symbol: str, start: dt.date, end: dt.date | None) -> Chart:
        return await loop.run_in_executor(thread, source.chart, symbol, start, end)

    try:
        yield ask
    finally:
        stop.set()
        thread.shutdown(wait=False, cancel_futures=True)


# The seam to the store: what follows knows its form, and nothing above does.


async def _stored(url: DatabaseUrl, symbol: str) -> StoredSeries | None:
    """What is stored of a symbol."""
    return (await load_series(url, [symbol])).series.get(symbol)


async def _store(url: DatabaseUrl, bars: Bars, *, anew: str | None) -> StoreReport:
    """Store bars of a symbol in one transaction, and why they were fetched anew with it."""
    async with open_import(
        url,
        source=YahooPrices.name,
        provider=YahooPrices.name,
        split_adjusted=YahooPrices.split_adjusted,
        details={"symbols": list(bars.symbols)} | ({} if anew is None else {"anew": anew}),
    ) as store:
        await store.add(bars)
        return await store.finish()
