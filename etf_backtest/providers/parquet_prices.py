"""Prices from Parquet files, of any size."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from etf_backtest.errors import LayoutError
from etf_backtest.providers.batches import MOST_ROWS, Cells, price_batch, said_in
from etf_backtest.providers.csv_prices import in_file, stem_of
from etf_backtest.providers.layouts import Layout, PriceOptions, layout_of
from etf_backtest.providers.regular_file import RegularFile
from etf_backtest.providers.source import PriceBatch
from etf_backtest.providers.table_notes import with_notes

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq

PARQUET = b"PAR1"
_BUFFER = 1024 * 1024
_ROWS_A_BYTE, _SPARED_ROWS = 50, 10_000_000
"""A row of prices takes bytes; millions of rows that are all the same take none."""


@dataclass(frozen=True, slots=True)
class ParquetPrices:
    """The prices of one Parquet file (a `PriceSource`); rows are counted from 1.

    Attributes
    ----------
    path : Path
    name : str
        Kept with each row as its source.
    layout : Layout
        What the names of its columns say they are.
    """

    path: Path
    name: str
    layout: Layout

    @classmethod
    def open(cls, path: Path, options: PriceOptions, *, name: str) -> ParquetPrices:
        """Read the schema of a file, and nothing else.

        Raises
        ------
        PriceFileError
            It cannot be read, or its columns are not those of prices.
        """
        with RegularFile(path) as file:
            try:
                names = _columns(_parquet(file))
                layout = layout_of(list(names.values()), options, stem=stem_of(path))
            except LayoutError as error:
                raise in_file(path, error) from error
        return cls(path, name, layout)

    @property
    def split_adjusted(self) -> bool | None:
        """Whether its closes are divided by later splits; None where nobody has said it."""
        return self.layout.split_adjusted

    def batches(self) -> Iterator[PriceBatch]:
        """Yield its rows in order, at most `MOST_ROWS` bars at once.

        Raises
        ------
        PriceFileError
            It cannot be read to its end, was changed meanwhile, or has no prices in it.
        """
        with RegularFile(self.path) as file:
            try:
                batches = (
                    (len(cells.rows), price_batch(cells, self.layout))
                    for cells in self._cells(file)
                )
                yield from with_notes(batches, self.layout, file=self.path.name)
            except LayoutError as error:
                raise in_file(self.path, error) from error
            file.check_unchanged()

    def _cells(self, file: RegularFile) -> Iterator[Cells]:
        import pyarrow as pa

        parquet = _parquet(file)
        names = _columns(parquet)
        if tuple(name.strip() for name in names.values()) != self.layout.names:
            raise LayoutError("was changed after its columns were looked at")
        stored = tuple(names)
        taken = [stored[position] for position in self.layout.taken]
        at_once = max(1, MOST_ROWS // max(1, len(self.layout.symbols)))
        batches = parquet.iter_batches(batch_size=at_once, columns=taken, use_threads=False)
        row = 1
        while True:
            try:
                batch = next(batches, None)
                if batch is None:
                    return
                columns = [plain(batch.column(name)) for name in taken]
            except MemoryError as error:
                raise LayoutError(
                    f"has rows that do not fit into the memory (after row {row - 1})",
                    remedy="is it a table of prices?",
                ) from error
            except (pa.ArrowException, OSError) as error:
                raise _damaged(error) from error
            rows = np.arange(row, row + batch.num_rows)
            row += batch.num_rows
            yield Cells(columns, rows, partial(text_of, columns), self.path.name)


def _columns(parquet: pq.ParquetFile) -> dict[str, str]:
    """The columns of a file, and what they are called, the index of a DataFrame first.

    pandas writes an index behind the columns. One of moments without a name is the date, as it is
    in a DataFrame itself.
    """
    import pyarrow.types as kind

    schema = parquet.schema_arrow
    if len(set(schema.names)) < len(schema.names):
        twice = next(name for name in schema.names if schema.names.count(name) > 1)
        raise LayoutError(f"has the column {twice} twice")
    try:
        about = schema.pandas_metadata
    except ValueError:  # it is not JSON
        about = None
    written = about.get("index_columns") if isinstance(about, dict) else None
    several = written if isinstance(written, list) else []
    index = [name for name in several if isinstance(name, str) and name in schema.names]
    columns = {name: name for name in (*index, *schema.names)}
    unnamed = len(index) == 1 and index[0].startswith("__index_level_")
    if unnamed and kind.is_temporal(schema.field(index[0]).type):
        columns[index[0]] = "date"
    return columns


def plain(column: pa.Array[Any]) -> pa.Array[Any]:
    """The column with each value in its place: no dictionary, no views."""
    import pyarrow as pa
    import pyarrow.types as kind

    if kind.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.string()) if kind.is_string_view(column.type) else column


def text_of(columns: Sequence[pa.Array[Any]], position: int) -> str:
    """A row as a line of CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(said_in(column, position) for column in columns)
    return line.getvalue()


def _parquet(file: RegularFile) -> pq.ParquetFile:
    import pyarrow as pa
    from pyarrow import parquet as pq

    try:
        parquet = pq.ParquetFile(
            file.file, buffer_size=_BUFFER, pre_buffer=False, page_checksum_verification=True
        )
    except (pa.ArrowException, OSError) as error:
        raise _damaged(error) from error
    if parquet.metadata.num_rows > max(_SPARED_ROWS, _ROWS_A_BYTE * file.size):
        raise LayoutError(
            f"says that it has {parquet.metadata.num_rows:,} rows in {file.size:,} bytes",
            remedy="is it a table of prices?",
        )
    return parquet


def _damaged(error: Exception) -> LayoutError:
    return LayoutError(f"is cut off or damaged: {error}", remedy="fetch or write it again")
