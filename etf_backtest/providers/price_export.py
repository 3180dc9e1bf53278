"""Bars into files that read back as the same bars."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from etf_backtest.errors import PriceFileError
from etf_backtest.market.bars import SCALES, UNKNOWN
from etf_backtest.providers.new_file import new_file
from etf_backtest.providers.source import PriceBatch
from etf_backtest.providers.spreadsheet import as_text

if TYPE_CHECKING:
    import pyarrow as pa

    Write = Callable[[pa.RecordBatch], None]

COLUMNS = ("symbol", "date", *SCALES, "split_adjusted")
_PRECISION = 19
"""Digits of a whole number of 64 bits."""


def write_prices(path: Path, batches: Iterable[PriceBatch], *, overwrite: bool = False) -> int:
    """Write bars as our long form: CSV, gzipped CSV or Parquet, by the ending of the name.

    Importing the file gives the same numbers, to the last place, and of each row whether its close
    is split-adjusted: true, false, or empty where not said. The file is there whole or not at all.
    A symbol that a spreadsheet would take for a formula has an apostrophe before it, which is taken
    away at the import.

    Parameters
    ----------
    path : Path
        *.csv, *.csv.gz or *.parquet. Parquet has decimals and dates as such, and checksums.
    batches : iterable of PriceBatch
        Their bars and `split_adjusted`; where that is None, it is not said.
    overwrite : bool
        Take the place of a file that is there.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    PriceFileError
        Its ending is another one, it is there already, or the disk does not take it.
    """
    import pyarrow as pa

    name = path.name.lower()
    writer = next((w for ending, w in _WRITERS.items() if name.endswith(ending)), None)
    if writer is None:
        raise PriceFileError(
            path, "is no name of a file of prices", remedy=f"end it with {', '.join(_WRITERS)}"
        )
    rows = 0
    with ExitStack() as stack:
        file = stack.enter_context(new_file(path, overwrite=overwrite))
        write = stack.enter_context(writer(file))
        for batch in batches:
            try:
                write(_record_batch(batch))
            except pa.ArrowInvalid as error:
                raise PriceFileError(path, f"cannot be written: {error}") from error
            rows += len(batch.bars)
    return rows


def _schema() -> pa.Schema:
    import pyarrow as pa

    types: dict[str, pa.DataType] = {"symbol": pa.string(), "date": pa.date32()}
    types |= {name: pa.decimal128(_PRECISION, scale) for name, scale in SCALES.items()}
    types["split_adjusted"] = pa.bool_()
    return pa.schema(types)


def _record_batch(batch: PriceBatch) -> pa.RecordBatch:
    import pyarrow as pa

    bars, said = batch.bars, batch.split_adjusted
    flags = np.full(len(bars), np.nan) if said is None else said
    codes = pa.array(bars.codes, pa.int32())
    names = [as_text(symbol) for symbol in bars.symbols]
    symbols = pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string()))
    dates = pa.array(bars.dates, pa.date32())
    numbers = [_decimals(bars.numbers(name), scale) for name, scale in SCALES.items()]
    closes: pa.Array[Any] = pa.array(flags == 1, pa.bool_(), mask=np.isnan(flags))
    columns: list[pa.Array[Any]] = [symbols.cast(pa.string()), dates, *numbers, closes]
    return pa.record_batch(columns, schema=_schema())


def _decimals(numbers: np.ndarray[Any, np.dtype[np.int64]], scale: int) -> pa.Array[Any]:
    """Whole numbers of the last place as decimals, `UNKNOWN` as null: the same 64 bits."""
    import pyarrow as pa

    words = np.empty((numbers.size, 2), dtype="<i8")
    words[:, 0] = numbers
    words[:, 1] = numbers >> 63
    known = np.packbits(numbers != UNKNOWN, bitorder="little")
    buffers: list[pa.Buffer | None] = [pa.py_buffer(known.tobytes()), pa.py_buffer(words.tobytes())]
    return pa.Array.from_buffers(pa.decimal128(_PRECISION, scale), numbers.size, buffers)


@contextmanager
def _csv(file: IO[bytes]) -> Iterator[Write]:
    import pyarrow as pa
    from pyarrow import csv

    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    file.write(f"{','.join(COLUMNS)}\n".encode())
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    with csv.CSVWriter(file, schema, write_options=options) as writer:

        def write(batch: pa.RecordBatch) -> None:
            columns = [batch.column(0), batch.column(1).cast(pa.string())]
            columns += [_texts(column) for column in batch.columns[2:-1]]
            columns.append(batch.column("split_adjusted").cast(pa.string()))
            writer.write_batch(pa.record_batch(columns, schema=schema))

        yield write


def _texts(column: pa.Array[Any]) -> pa.Array[Any]:
    """Decimals without the zeros at their end: 472.65, 1, 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = column.cast(pa.string())
    plain = pc.and_(pc.match_substring(text, "."), pc.invert(pc.match_substring(text, "E")))
    short = pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), ".")
    zero: pa.Array[Any] = pc.equal(column, pa.scalar(Decimal(0), column.type))
    texts: pa.Array[Any] = pc.if_else(zero, pa.scalar("0"), pc.if_else(plain, short, text))
    return texts


@contextmanager
def _gzipped(file: IO[bytes]) -> Iterator[Write]:
    packed = gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0)
    with packed, _csv(cast("IO[bytes]", packed)) as write:
        yield write


@contextmanager
def _parquet(file: IO[bytes]) -> Iterator[Write]:
    from pyarrow import parquet as pq

    with pq.ParquetWriter(file, _schema(), compression="zstd", write_page_checksum=True) as writer:
        yield lambda batch: writer.write_batch(batch)


_WRITERS: dict[str, Callable[[IO[bytes]], AbstractContextManager[Write]]] = {
    ".csv": _csv,
    ".csv.gz": _gzipped,
    ".parquet": _parquet,
}
