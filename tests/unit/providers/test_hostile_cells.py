"""Cells that are no mistake of people, but of programs: nothing of them is taken for a price."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from etf_backtest.errors import PriceFileError
from tests.unit.providers.reading import batches, rejects


@pytest.mark.parametrize(
    ("days", "shown"),
    [(-800_000, "-221-09-04"), (2**31 - 1, "5881580-07-11")],
    ids=["before year 1", "after year 9999"],
)
def test_a_day_of_a_year_that_python_does_not_have_is_a_reject(
    tmp_path: Path, days: int, shown: str
) -> None:
    """The days are Arrow's, in the proleptic Gregorian calendar."""
    path = tmp_path / "prices.parquet"
    dates = pa.array([days], pa.date32())
    pq.write_table(pa.table({"symbol": ["A"], "date": dates, "close": [1.0]}), path)
    assert rejects(batches(path)) == [f"row 1, A: {shown} is not a date of the years 1 to 9999"]


@pytest.mark.parametrize("line", [b"\n", b",,\n"], ids=["empty", "commas"])
def test_ten_million_lines_that_say_nothing_take_no_look_each(tmp_path: Path, line: bytes) -> None:
    """The file has 30 kB; a look at each of its lines takes longer than any test may."""
    path = tmp_path / "prices.csv.gz"
    path.write_bytes(gzip.compress(b"symbol,date,close\n" + line * 10_000_000, mtime=0))
    with pytest.raises(PriceFileError, match=r"has no prices in it|100 times its size"):
        batches(path)
