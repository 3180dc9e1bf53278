"""What is told about a whole table: columns that are not taken, and cells without a price."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from etf_backtest.errors import LayoutError
from etf_backtest.market.bars import SCALES, Bars
from etf_backtest.market.quality import Finding, Level
from etf_backtest.providers.headers import ALIASES, normalised
from etf_backtest.providers.layouts import Layout
from etf_backtest.providers.source import PriceBatch


def with_notes(
    batches: Iterator[tuple[int, PriceBatch]], layout: Layout, *, file: str | None
) -> Iterator[PriceBatch]:
    """Yield the batches of a table, with what there is to tell about all of it.

    Parameters
    ----------
    batches : iterator of (int, PriceBatch)
        Rows of the table that have cells enough, and what became of them.
    layout : Layout
    file : str, optional
        The name of the file.

    Raises
    ------
    LayoutError
        There was neither a bar nor a reject.
    """
    if layout.ignored:
        yield PriceBatch(no_bars(), tuple(_ignored(each, layout, file) for each in layout.ignored))
    something, empty = False, 0
    for rows, batch in batches:
        something = something or bool(len(batch.bars)) or _has_reject(batch)
        if layout.wide:
            empty += _empty_cells(rows, batch, len(layout.symbols))
        yield batch
    if not something:
        raise LayoutError("has no prices in it")
    if empty:
        cells = "cell" if empty == 1 else "cells"
        message = f"{empty:,} empty {cells}: no price of a symbol on a date"
        yield PriceBatch(no_bars(), (Finding("empty_cells", Level.WARN, message, file=file),))


def no_bars() -> Bars:
    """No bars at all."""
    return Bars.from_columns((), np.empty(0, np.int32), np.empty(0, "datetime64[D]"))


def _ignored(name: str, layout: Layout, file: str | None) -> Finding:
    known = ALIASES[layout.format].get(normalised(name))
    why = "it is adjusted, too" if known in SCALES else "no field has that name"
    message = f"the column {name!r} is not taken: {why}"
    return Finding("ignored_column", Level.WARN, message, value=name, file=file)


def _has_reject(batch: PriceBatch) -> bool:
    return any(finding.level is Level.REJECT for finding in batch.findings)


def _empty_cells(rows: int, batch: PriceBatch, width: int) -> int:
    dated = rows - sum(finding.rule == "unreadable_date" for finding in batch.findings)
    unreadable = sum(finding.rule == "unreadable_number" for finding in batch.findings)
    return dated * width - len(batch.bars) - unreadable
