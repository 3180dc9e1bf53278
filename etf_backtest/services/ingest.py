"""Prices from sources into the store: all or none, or the good rows and a list of the others."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from etf_backtest.database.price_import import StoreReport, open_import
from etf_backtest.errors import PriceDataError, RejectedPricesError
from etf_backtest.market.bars import Bars
from etf_backtest.market.quality import Finding, Level, SessionsSeen, check_bars
from etf_backtest.providers.source import PriceBatch
from etf_backtest.typing import BoolArray, JsonObject

if TYPE_CHECKING:
    from etf_backtest.database.url import DatabaseUrl
    from etf_backtest.providers.source import PriceSource

SOURCE_LENGTH = 50
MOST_REJECTS = 1_000
"""As many are told where nothing is stored; reading goes no further then."""
MOST_SKIPPED = 1_000_000
"""More bad rows than that are kept in memory for nobody: the file is something else."""


@dataclass(slots=True)
class Reading:
    """What sources turned out to have, batch by batch.

    Attributes
    ----------
    rows : int
        Bars that were read and can be stored.
    symbols : dict of str to None
        In the order in which they appear.
    first, last : date, optional
    warnings, rejects : list of Finding
    """

    rows: int = 0
    symbols: dict[str, None] = field(default_factory=dict)
    first: dt.date | None = None
    last: dt.date | None = None
    warnings: list[Finding] = field(default_factory=list)
    rejects: list[Finding] = field(default_factory=list)

    def add(self, bars: Bars) -> None:
        """Count bars that can be stored."""
        if not len(bars):
            return
        first, last = bars.dates.min().item(), bars.dates.max().item()
        self.rows += len(bars)
        self.symbols |= dict.fromkeys(bars.symbols)
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)

    def note(self, findings: Sequence[Finding]) -> None:
        """Remember what was found."""
        for finding in findings:
            to = self.rejects if finding.level is Level.REJECT else self.warnings
            to.append(finding)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came of an import.

    Attributes
    ----------
    rows : int
        Rows that were taken over; the store tells how many of them it had already.
    symbols : tuple of str
    first, last : date or None
    store : StoreReport
    warnings : tuple of Finding
    rejects : tuple of Finding
        Rows that were left out, with the reasons.
    """

    rows: int
    symbols: tuple[str, ...]
    first: dt.date | None
    last: dt.date | None
    store: StoreReport
    warnings: tuple[Finding, ...]
    rejects: tuple[Finding, ...]


async def import_prices(
    url: DatabaseUrl,
    sources: PriceSource | Sequence[PriceSource],
    *,
    skip_bad: bool = False,
    today: dt.date | None = None,
    provider: str = "file",
    details: JsonObject | None = None,
    progress: Callable[[int], None] | None = None,
    tell_rejects: Callable[[Sequence[Finding]], object] | None = None,
) -> ImportReport:
    """Store everything that sources have, in one transaction.

    Doing it again changes nothing. A value that a source leaves out keeps what is stored.

    Parameters
    ----------
    url : DatabaseUrl
    sources : PriceSource or sequence of PriceSource
        Read once, one after the other, a batch at a time: `frame_prices(frame)` for one, or
        `open_prices(paths).sources`.
    skip_bad : bool
        Store the good rows and report the others, instead of storing nothing.
    today : date, optional
        Later dates are bad; by default today in UTC.
    provider : str
        Kept with the revision: what kind of source it is.
    details : dict, optional
        Kept with the revision.
    progress : callable, optional
        Told how many rows were read so far.
    tell_rejects : callable, optional
        Given the rows that are left out, if any, before the others are stored for good: if it
        fails, nothing is.

    Raises
    ------
    RejectedPricesError
        Rows cannot be stored (and `skip_bad` is off); nothing was stored.
    EtfBacktestError
        What is given is no source, one cannot be read to its end, or rows contradict what is
        stored; nothing was stored.
    """
    sources = _sources(sources)
    reading = Reading()
    names = list(dict.fromkeys(source.name[:SOURCE_LENGTH] for source in sources))
    about = {"files": names, **(details or {})}
    said = {source.split_adjusted for source in sources}
    async with open_import(
        url,
        source=names[0] if len(names) == 1 else f"{len(names)} files"[:SOURCE_LENGTH],
        provider=provider,
        split_adjusted=said.pop() if len(said) == 1 else None,
        details=about,
    ) as store:
        seen = SessionsSeen()
        for source in sources:
            batches = good_bars(source, reading, seen, skip_bad=skip_bad, today=today)
            # reading is work: it goes on in a thread while the server takes the batch before
            name = source.name[:SOURCE_LENGTH]
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                for bars, flag in _by_flag(batch, source.split_adjusted):
                    await store.add(bars, source=name, split_adjusted=flag)
                if progress is not None:
                    progress(reading.rows)
        if reading.rejects and not skip_bad:
            raise RejectedPricesError(problems(reading.rejects))
        report = await store.finish(skip_contradictory=skip_bad)
        reading.note(report.contradictory)
        if reading.rejects and tell_rejects is not None:
            tell_rejects(reading.rejects)
    return ImportReport(
        rows=reading.rows - len(report.contradictory),
        symbols=tuple(reading.symbols),
        first=reading.first,
        last=reading.last,
        store=report,
        warnings=tuple(reading.warnings),
        rejects=tuple(reading.rejects),
    )


def _sources(given: PriceSource | Sequence[PriceSource]) -> Sequence[PriceSource]:
    """Sources, as a notebook gives them."""
    sources = given if isinstance(given, Sequence) else (given,)
    for each in sources:
        if not hasattr(each, "batches"):
            raise PriceDataError(
                f"expected sources of prices, received {type(each).__name__}",
                remedy="give frame_prices(frame), or open_prices(paths).sources",
            )
    return sources


def good_bars(
    source: PriceSource,
    reading: Reading,
    seen: SessionsSeen,
    *,
    skip_bad: bool,
    today: dt.date | None = None,
) -> Iterator[PriceBatch]:
    """Yield the rows of a source that can be stored, and note the rest in `reading`.

    Without `skip_bad` nothing more is yielded, and after `MOST_REJECTS` nothing more is read, once
    a row was bad.
    """
    day = today or dt.datetime.now(dt.UTC).date()
    for batch in source.batches():
        check = check_bars(batch.bars, today=day, seen=seen)
        reading.note(batch.findings)
        reading.note([_in_file(finding, source.name) for finding in check.findings])
        if len(reading.rejects) > (MOST_SKIPPED if skip_bad else MOST_REJECTS):
            raise RejectedPricesError(problems(reading.rejects), more=True)
        if reading.rejects and not skip_bad:
            continue
        good = _good(batch, check.rejected) if check.rejected.any() else batch
        reading.add(good.bars)
        if len(good.bars):
            yield good


def _good(batch: PriceBatch, rejected: BoolArray) -> PriceBatch:
    flags = batch.split_adjusted
    return PriceBatch(
        batch.bars.take(~rejected), split_adjusted=None if flags is None else flags[~rejected]
    )


def _by_flag(batch: PriceBatch, split_adjusted: bool | None) -> Iterator[tuple[Bars, bool | None]]:
    """The rows that say the same of their closes, together."""
    flags = batch.split_adjusted
    if flags is None:
        yield batch.bars, split_adjusted
        return
    for flag, rows in ((False, flags == 0), (True, flags == 1), (None, np.isnan(flags))):
        if rows.any():
            yield batch.bars if rows.all() else batch.bars.take(rows), flag


def problems(findings: Sequence[Finding]) -> list[str]:
    """Findings as lines that begin with the file."""
    return [f"{found.file}: {found}" if found.file else str(found) for found in findings]


def _in_file(finding: Finding, name: str) -> Finding:
    from dataclasses import replace

    return replace(finding, file=name) if finding.file is None and finding.row else finding
