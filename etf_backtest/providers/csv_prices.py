"""Prices from CSV files, plain or gzipped, of any size."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from etf_backtest.errors import LayoutError, PriceFileError
from etf_backtest.market.quality import Finding, Level
from etf_backtest.providers.batches import MOST_ROWS, Cells, price_batch
from etf_backtest.providers.foreign_files import GZIP
from etf_backtest.providers.layouts import Layout, PriceOptions, layout_of
from etf_backtest.providers.records import Block, record_blocks
from etf_backtest.providers.regular_file import RegularFile
from etf_backtest.providers.source import PriceBatch
from etf_backtest.providers.table_notes import no_bars, with_notes
from etf_backtest.typing import IndexArray

if TYPE_CHECKING:
    import pyarrow as pa

_HEADER_BYTES = 64 * 1024
_LONGEST_TEXT = 10_000
_SAYING = re.compile(rb"[^ \t,\n]")
MOST_TIMES, SPARED = 100, 16 * 1024 * 1024
"""How many times its size a gzipped file may be, and from how many bytes on: prices pack to a
tenth, a file that was made to fill a machine to a thousandth."""


@dataclass(frozen=True, slots=True)
class CsvPrices:
    """The prices of one CSV file (a `PriceSource`).

    Attributes
    ----------
    path : Path
    name : str
        Kept with each row as its source.
    layout : Layout
        What its header says its columns are.
    """

    path: Path
    name: str
    layout: Layout

    @classmethod
    def open(cls, path: Path, options: PriceOptions, *, name: str) -> CsvPrices:
        """Read the header of a file, and nothing else.

        Raises
        ------
        PriceFileError
            It cannot be read, or its header is not one of prices.
        """
        with RegularFile(path) as file:
            read = _reader(file)
            try:
                header, _ = next(_with_header(record_blocks(read, size=_HEADER_BYTES)))
                layout = layout_of(header, options, stem=stem_of(path))
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
                batches = self._batches(_reader(file))
                yield from with_notes(batches, self.layout, file=self.path.name)
            except LayoutError as error:
                raise in_file(self.path, error) from error
            file.check_unchanged()

    def _batches(self, read: Callable[[int], bytes]) -> Iterator[tuple[int, PriceBatch]]:
        at_once = max(1, MOST_ROWS // max(1, len(self.layout.symbols)))
        for header, block in _with_header(record_blocks(read)):
            if tuple(name.strip() for name in header) != self.layout.names:
                raise LayoutError("was changed after its header was read")
            for first in range(0, len(block), at_once):
                yield self._batch(block, first, min(first + at_once, len(block)))
            if block.unended and len(block) and _says_something(block, len(block) - 1):
                yield 0, PriceBatch(no_bars(), (self._unended(block),))

    def _batch(self, block: Block, first: int, last: int) -> tuple[int, PriceBatch]:
        width = len(self.layout.names)
        part = slice(first, last)
        cells = block.cells[part]
        blank = block.ends[part] - block.starts[part] == cells - 1  # commas and nothing else
        fine = (cells == width) & ~blank
        others = first + np.flatnonzero(~fine & ~blank)
        strange = [record for record in others.tolist() if _says_something(block, record)]
        rejects = [self._misshapen(block, record, width) for record in strange]
        records = first + np.flatnonzero(fine)
        if not records.size:
            return 0, PriceBatch(no_bars(), tuple(rejects))
        data = _bytes_of(block, records, whole=bool(fine.all()))
        table = _parsed(data, self.layout, quoted=block.quoted)
        batch = price_batch(
            Cells(
                table,
                block.rows[records],
                lambda position: _shown(block, int(records[position])),
                self.path.name,
            ),
            self.layout,
        )
        findings = sorted((*rejects, *batch.findings), key=lambda finding: finding.row or 0)
        return records.size, PriceBatch(batch.bars, tuple(findings), batch.split_adjusted)

    def _misshapen(self, block: Block, record: int, width: int) -> Finding:
        cells = int(block.cells[record])
        if cells == 0:
            rule, message = "not_csv", "not CSV: a quote stands where none may, or is not closed"
        else:
            rule, message = (
                "wrong_width",
                f"{cells} cell{'s' * (cells != 1)} where the header has {width}",
            )
            if cells > width:
                message += " (a comma in a number?)"
            elif block.unended and record == len(block) - 1:
                message += " (the file is cut off here)"
        return Finding(
            rule,
            Level.REJECT,
            message,
            file=self.path.name,
            row=int(block.rows[record]),
            text=_shown(block, record),
        )

    def _unended(self, block: Block) -> Finding:
        return Finding(
            "no_end_of_line",
            Level.WARN,
            "the last line does not end: was the file written to its end?",
            file=self.path.name,
            row=int(block.rows[-1]),
            text=_shown(block, len(block) - 1),
        )


def stem_of(path: Path) -> str:
    """The file's name without its endings: SPY of SPY.csv.gz, BRK.B of BRK.B.csv."""
    name = path.name
    for ending in (".gz", ".csv", ".txt", ".parquet"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name


def in_file(path: Path, error: LayoutError) -> PriceFileError:
    """The same error with the name of the file."""
    return PriceFileError(path, error.message, remedy=error.remedy)


def _reader(file: RegularFile) -> Callable[[int], bytes]:
    """Bytes of a file, unpacked where it is gzipped."""
    if file.start(len(GZIP)) != GZIP:
        return file.read
    packed = gzip.GzipFile(fileobj=file.file)
    most = max(SPARED, MOST_TIMES * file.size)

    def read(size: int) -> bytes:
        parts = []
        if packed.tell() > most:
            raise PriceFileError(
                file.path,
                f"is more than {MOST_TIMES} times its size when it is unpacked",
                remedy="is it a table of prices?",
            )
        try:
            while size > 0 and (part := packed.read(size)):
                parts.append(part)
                size -= len(part)
        except EOFError as error:
            raise PriceFileError(
                file.path, "is cut off: its gzip data ends early", remedy="fetch it again"
            ) from error
        except (zlib.error, gzip.BadGzipFile) as error:
            raise PriceFileError(
                file.path, f"has damaged gzip data: {error}", remedy="fetch it again"
            ) from error
        except OSError as error:
            raise PriceFileError(file.path, f"cannot be read: {error.strerror or error}") from error
        return b"".join(parts)

    return read


def _with_header(blocks: Iterator[Block]) -> Iterator[tuple[list[str], Block]]:
    """The header and the records after it, block by block."""
    header: list[str] | None = None
    for block in blocks:
        rest = block
        if header is None:
            found = _SAYING.search(block.data)
            if found is None:
                continue
            first = int(np.searchsorted(block.ends, found.start()))
            if not block.cells[first]:
                raise LayoutError(f"row {block.rows[first]}: not CSV: a quote stands wrong")
            header = next(csv.reader(io.StringIO(block.text(first), newline="")))
            rest = _after(block, first)
        yield header, rest
    if header is None:
        raise LayoutError("is empty", remedy="expected a line of column names, and prices")


def _after(block: Block, record: int) -> Block:
    part = slice(record + 1, None)
    return Block(
        block.data,
        block.starts[part],
        block.ends[part],
        block.cells[part],
        block.rows[part],
        block.quoted,
        block.unended,
    )


def _bytes_of(block: Block, records: IndexArray, *, whole: bool) -> memoryview | bytes:
    """The records one after the other; without a copy where nothing lies between them."""
    view = memoryview(block.data)
    if whole:
        return view[block.starts[records[0]] : block.ends[records[-1]] + 1]
    return b"".join(
        view[start : end + 1]
        for start, end in zip(
            block.starts[records].tolist(), block.ends[records].tolist(), strict=True
        )
    )


def _parsed(data: memoryview | bytes, layout: Layout, *, quoted: bool) -> list[pa.Array[Any]]:
    """The cells of the columns that are taken, as strings; null where they say nothing."""
    import pyarrow as pa
    from pyarrow import csv as pa_csv

    names = [str(position) for position in range(len(layout.names))]
    taken = [names[position] for position in layout.taken]
    table = pa_csv.read_csv(
        pa.BufferReader(data),  # type: ignore[arg-type]  # the stubs know paths and files only
        read_options=pa_csv.ReadOptions(
            use_threads=False, column_names=names, block_size=len(data) + 1
        ),
        parse_options=pa_csv.ParseOptions(
            quote_char='"' if quoted else False, newlines_in_values=quoted, ignore_empty_lines=False
        ),
        convert_options=pa_csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(taken, pa.string()),
            include_columns=taken,
            null_values=list(layout.unknowns),
            strings_can_be_null=True,
        ),
    )
    return [column.combine_chunks() for column in table.columns]


def _says_something(block: Block, record: int) -> bool:
    return bool(block.text(record).strip(" \t,"))


def _shown(block: Block, record: int) -> str:
    text = block.text(record)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
