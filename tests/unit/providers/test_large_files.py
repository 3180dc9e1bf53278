"""Memory is that of a batch, not that of the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MEASURE = """
import resource, sys
from pathlib import Path
import pyarrow.compute, pyarrow.csv, pyarrow.parquet
from etf_backtest.providers.price_files import open_prices
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
(source,) = open_prices([Path(sys.argv[1])]).sources
rows = largest = 0
for batch in source.batches():
    rows += len(batch.bars)
    largest = max(largest, len(batch.bars))
    assert not batch.findings, batch.findings[:1]
print(rows, largest, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
ROWS = 1_600_000
BLOCK_OF_ROWS = "".join(
    f"S{{}},{1990 + i // 300}-{i % 12 + 1:02d}-{i % 28 + 1:02d},"
    f"472.16,473.67,470.49,47{i % 10}.65,466.6612,123623700,0,1\n"
    for i in range(10_000)
)


def large(directory: Path, ending: str) -> Path:
    """About 100 MB of CSV, or the same in Parquet."""
    path = directory / "large.csv"
    with path.open("w") as file:
        file.write(
            "symbol,date,open,high,low,close,adjusted_close,volume,dividend_amount,split_ratio\n"
        )
        for block in range(ROWS // 10_000):
            file.write(BLOCK_OF_ROWS.replace("{}", str(block)))
    if ending == "parquet":
        from pyarrow import csv, parquet

        table = csv.read_csv(path)
        parquet.write_table(table, directory / "large.parquet", row_group_size=ROWS)
    assert path.stat().st_size > 100_000_000
    return directory / f"large.{ending}"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_of_100_mb_is_read_in_a_batch_s_memory(tmp_path: Path, ending: str) -> None:
    """150 MB more than before reading: as much is taken for a file of 2 GB (docs/prices.md)."""
    path = large(tmp_path, ending)
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    rows, largest, megabytes = map(int, run.stdout.split())
    assert rows == ROWS
    assert largest <= 131_072
    assert megabytes < 200
