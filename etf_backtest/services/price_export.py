"""Stored prices into a file that imports as the same prices."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etf_backtest.database.price_store import coverage
from etf_backtest.database.stored_bars import StoredBars, stored_bars
from etf_backtest.errors import NoPricesError
from etf_backtest.providers.price_export import write_prices
from etf_backtest.providers.source import PriceBatch
from etf_backtest.services.price_panel import IMPORT_REMEDY, symbols_named

if TYPE_CHECKING:
    from etf_backtest.database.url import DatabaseUrl


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written.

    Attributes
    ----------
    path : Path
    rows : int
    symbols : tuple of str
    split_adjusted : tuple of (bool or None)
        What is stored about the closes, each once; the file says it row by row.
    """

    path: Path
    rows: int
    symbols: tuple[str, ...]
    split_adjusted: tuple[bool | None, ...]


async def export_prices(
    url: DatabaseUrl,
    path: str | Path,
    symbols: str | Sequence[str] = (),
    *,
    start: dt.date | None = None,
    end: dt.date | None = None,
    as_of: int | None = None,
    overwrite: bool = False,
) -> ExportReport:
    """Write stored rows of symbols (of all where none is named) to a CSV or Parquet file.

    Parameters
    ----------
    url : DatabaseUrl
    path : path
        *.csv, *.csv.gz or *.parquet; it is there whole or not at all.
    symbols : str or sequence of str
    start, end : date, optional
        The first and the last day to have.
    as_of : int, optional
        The number of a price revision: prices as they were stored in that state.
    overwrite : bool
        Take the place of a file that is there.

    Raises
    ------
    NoPricesError
        Nothing is stored of a symbol on these days; nothing was written.
    PriceFileError
        The file cannot be written.
    """
    path, wanted = Path(path), symbols_named(symbols)
    asked = wanted or tuple(each.symbol for each in await coverage(url))
    stored = stored_bars(url, asked, start=start, end=end, as_of=as_of)
    loop = asyncio.get_running_loop()
    found: list[str] = []
    said: set[bool | None] = set()

    async def following() -> StoredBars | None:
        return await anext(stored, None)

    def batches() -> Iterator[PriceBatch]:
        # asked for by the thread that writes, answered by the loop that reads
        while (part := asyncio.run_coroutine_threadsafe(following(), loop).result()) is not None:
            found.append(part.bars.symbols[0])
            said.update(part.said)
            yield PriceBatch(part.bars, split_adjusted=part.split_adjusted)
        missing = [symbol for symbol in wanted if symbol not in found]
        if missing or not found:
            nobody = missing[0] if missing else "no symbol"
            when = "" if start is None and end is None else " on these days"
            raise NoPricesError(nobody, f"no prices are stored{when}", remedy=IMPORT_REMEDY)

    try:
        rows = await asyncio.to_thread(write_prices, path, batches(), overwrite=overwrite)
    finally:
        await stored.aclose()
    return ExportReport(path, rows, tuple(found), tuple(sorted(said, key=str)))
