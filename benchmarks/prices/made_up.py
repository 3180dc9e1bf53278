"""Made-up prices, in bars and in a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from etf_backtest.market.bars import SCALES, UNKNOWN, Bars

SESSIONS = 5_000
"""Of each symbol: twenty years."""
_BATCH = 25
DAYS = np.busday_offset("2003-01-02", np.arange(SESSIONS), roll="forward")


def batches(rows: int, *, first: int = 0) -> Iterator[Bars]:
    """Bars of as many symbols as it takes, by symbol and date, 125,000 at a time."""
    symbols = rows // SESSIONS
    for start in range(first, first + symbols, _BATCH):
        yield _bars(start, min(_BATCH, first + symbols - start))


def _bars(first: int, symbols: int) -> Bars:
    rng = np.random.default_rng(first)
    shape = (symbols, SESSIONS)
    close = np.clip(100 * np.exp(np.cumsum(rng.normal(0, 0.01, shape), axis=1)), 1, 90_000)
    opened = close * (1 + rng.normal(0, 0.003, shape))
    prices = {
        "open": opened,
        "high": np.maximum(opened, close) * 1.004,
        "low": np.minimum(opened, close) * 0.996,
        "close": close,
        "adjusted_close": close * 0.9,
        "dividend_amount": np.where(np.arange(SESSIONS) % 63 == 0, 0.5, 0.0) + 0 * close,
    }
    return Bars.from_columns(
        [f"S{number:04d}" for number in range(first, first + symbols)],
        np.repeat(np.arange(symbols), SESSIONS),
        np.tile(DAYS, symbols),
        volume=rng.integers(10**5, 10**7, symbols * SESSIONS),
        split_ratio=np.full(symbols * SESSIONS, 10 ** SCALES["split_ratio"]),
        **{
            field: np.rint(values * 10 ** SCALES[field]).astype(np.int64).ravel()
            for field, values in prices.items()
        },
    )


def adjusted_anew(bars: Bars, rows: slice) -> Bars:
    """The same bars with other adjusted closes on some rows, as after a dividend."""
    closes = bars.adjusted_close.copy()
    closes[rows] += 1
    return replace(bars, adjusted_close=closes)


def write_csv(path: Path, bars: Iterator[Bars]) -> None:
    """The bars as a CSV file with our headers."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv

    types = {"volume": pa.int64()}
    writer = None
    for some in bars:
        columns: dict[str, pa.Array[pa.Scalar[pa.DataType]]] = {
            "symbol": pa.array(np.array(some.symbols)[some.codes]),
            "date": pa.array(some.dates),
        }
        for field, scale in SCALES.items():
            values = pa.array(some.numbers(field), mask=some.numbers(field) == UNKNOWN)
            if field not in types:
                wide = values.cast(pa.decimal128(19, 0)).cast(pa.decimal256(40, 0))
                unit = pa.scalar(10**scale).cast(pa.decimal256(20, 0))
                values = pc.divide(wide.cast(pa.decimal256(52, scale)), unit).cast(
                    pa.decimal256(70, scale), safe=False
                )
            columns[field] = values
        columns["source"] = pa.array(["test"] * len(some))
        table = pa.table(columns)
        if writer is None:
            writer = pyarrow.csv.CSVWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()
