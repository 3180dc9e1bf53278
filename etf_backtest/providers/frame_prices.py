"""Prices from a pandas DataFrame, as it is in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from etf_backtest.errors import LayoutError, PriceDataError
from etf_backtest.errors.wording import quoted
from etf_backtest.providers.batches import MOST_ROWS, Cells, price_batch
from etf_backtest.providers.headers import Format, format_of
from etf_backtest.providers.layouts import Closes, Layout, PriceField, PriceOptions, layout_of
from etf_backtest.providers.parquet_prices import plain, text_of
from etf_backtest.providers.source import PriceBatch
from etf_backtest.providers.table_notes import with_notes

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True, slots=True, eq=False)
class FramePrices:
    """The prices of a DataFrame (a `PriceSource`); rows are counted from 1.

    Attributes
    ----------
    frame : DataFrame
        Its index, where it has a name or dates, as the first columns.
    name : str
        Kept with each row as its source.
    layout : Layout
    """

    frame: pd.DataFrame
    name: str
    layout: Layout

    @property
    def split_adjusted(self) -> bool | None:
        """Whether its closes are divided by later splits; None where nobody has said it."""
        return self.layout.split_adjusted

    def batches(self) -> Iterator[PriceBatch]:
        """Yield its rows in order, at most `MOST_ROWS` bars at once.

        Raises
        ------
        PriceDataError
            A column has no such values, or there are no prices.
        """
        try:
            batches = (
                (len(cells.rows), price_batch(cells, self.layout)) for cells in self._cells()
            )
            yield from with_notes(batches, self.layout, file=None)
        except LayoutError as error:
            raise _in_frame(error) from error

    def _cells(self) -> Iterator[Cells]:
        at_once = max(1, MOST_ROWS // max(1, len(self.layout.symbols)))
        for first in range(0, len(self.frame), at_once):
            part = self.frame.iloc[first : first + at_once]
            columns = [
                _column(part.iloc[:, position], self.layout.names[position])
                for position in self.layout.taken
            ]
            rows = np.arange(first + 1, first + 1 + len(part))
            yield Cells(columns, rows, partial(text_of, columns), None)


def frame_prices(
    frame: pd.DataFrame,
    *,
    symbol: str | None = None,
    wide_field: PriceField | None = None,
    closes: Closes | None = None,
    no_distributions: bool = False,
    source: str = "DataFrame",
) -> FramePrices:
    """Prices of a DataFrame: long (columns symbol, date, close, ...) or wide (one a symbol).

    Decimals and strings are exact; of a float, the shortest decimal that gives it is kept. None
    and NaN are unknown.

    Parameters
    ----------
    frame : DataFrame
        Columns by the names of our long CSV files, or dates down and one column a symbol; with a
        `symbol` also those of yfinance's `Ticker(...).history(auto_adjust=False)`. The dates, and
        the symbols, may be its index. Dates have no time zone and no clock time.
    symbol : str, optional
        Of a frame with the bars of one symbol.
    wide_field : {"close", "adjusted_close"}, optional
        What the numbers of a wide frame are, or the closes of a vendor's that does not say it. It
        must be given then: nothing is guessed.
    closes : {"traded", "split-adjusted"}, optional
        What closes are where there were splits.
    no_distributions : bool
        No dividends and no splits, where the frame is silent.
    source : str
        Kept with each row; cut to 50 characters.

    Raises
    ------
    PriceDataError
        It is no such frame, or more has to be said.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise PriceDataError(f"expected a DataFrame, received {type(frame).__name__}")
    table = _with_index(frame)
    names = [str(name) for name in table.columns]
    options = PriceOptions(
        format=None if symbol is None else _form_of_one(tuple(names)),
        symbol=symbol,
        wide_field=wide_field,
        closes=closes,
        no_distributions=no_distributions,
    )
    try:
        layout = layout_of(names, options)
    except LayoutError as error:
        raise _in_frame(error) from error
    return FramePrices(table, source[:50], layout)


def _form_of_one(names: tuple[str, ...]) -> Format:
    """A vendor's form, if the names are its own, else ours: the closes of both differ."""
    try:
        form = format_of(names)
    except LayoutError:  # bars of one symbol, and nobody's own names
        return "long"
    return "long" if form == "wide" else form


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its index as the first columns, unless it only counts the rows."""
    import pandas as pd

    if frame.columns.nlevels > 1:
        raise PriceDataError(
            f"the frame's columns have {frame.columns.nlevels} levels, expected names",
            remedy="choose one: frame['Close'], or droplevel(), or multi_level_index=False",
        )
    index = frame.index
    if isinstance(index, pd.DatetimeIndex) and index.name is None:
        frame = frame.rename_axis(index="date")
    elif not any(index.names):
        return frame
    try:
        return frame.reset_index()
    except ValueError as error:
        raise PriceDataError(
            f"the frame has its index {quoted(index.name)} as a column, too",
            remedy="drop one of the two: reset_index(drop=True)",
        ) from error


def _column(series: pd.Series[Any], name: str) -> pa.Array[Any]:
    import pyarrow as pa

    try:
        column = pa.chunked_array([pa.Array.from_pandas(series)])
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise LayoutError(
            f"has values of different kinds in the column {name!r}: {error}",
            remedy="convert the column to one type",
        ) from error
    return plain(column.combine_chunks())


def _in_frame(error: LayoutError) -> PriceDataError:
    message = error.message
    return PriceDataError(f"the frame {message}", remedy=error.remedy)
