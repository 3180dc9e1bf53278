"""Files offered as data that are something else, or far more than they look."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import resource
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

import etf_backtest
from etf_backtest.database.panel_cache import PanelCache
from etf_backtest.errors import EtfBacktestError, FundFileError, PriceFileError
from etf_backtest.providers.fund_file import read_funds
from etf_backtest.providers.price_files import open_prices
from tests.acceptance.cli.conftest import RunCli
from tests.acceptance.hostile.conftest import the_line

MEMORY = 400 * 1024
"""Kilobytes by which a bomb may raise what the process takes."""


class Bomb:
    """What a pickle does that somebody has made: here it writes a file."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.write_text, (Path("executed"), "by a pickle")


@pytest.fixture(autouse=True)
def within_bounds(user_home: Path) -> Iterator[None]:
    """Every test: nothing of a pickle was run, a few seconds, and some memory."""
    pickle.loads(pickle.dumps(Bomb()))
    assert Path("executed").exists()  # it does what it says
    Path("executed").unlink()
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert not Path("executed").exists()
    assert time.process_time() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY


def zipped(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def saved_by_numpy() -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, prices=np.array([Bomb()], dtype=object))
    return file.getvalue()


FILES = {
    "a pickle": (pickle.dumps(Bomb()), "is a Python pickle, which is never read"),
    "a pickle of protocol 0": (pickle.dumps(Bomb(), protocol=0), "is a Python pickle"),
    "a pickle of protocol 2": (pickle.dumps([Bomb()], protocol=2), "is a Python pickle"),
    "arrays with pickles": (saved_by_numpy(), "is a ZIP archive"),
    "one array": (b"\x93NUMPY\x01\x00", "is a NumPy array"),
    "a zip": (zipped("prices.csv", b"0" * 10_000_000), "is a ZIP archive or an Excel workbook"),
    "an empty zip": (zipped("x", b"")[-22:], "is an empty ZIP archive"),
    "a page": (b"\n <!DOCTYPE html><title>404", "is a web page"),
    "XML": (b"\xef\xbb\xbf<?xml version='1.0'?>", "is a web page or XML"),
    "HDF5": (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
    "a database": (b"SQLite format 3\0", "is an SQLite database"),
    "a program": (b"\x7fELF\x02\x01", "is a program"),
}


@pytest.mark.parametrize("name", ["SPY.csv", "SPY.parquet", "SPY.pkl", "SPY.npz"])
@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES)
def test_prices_are_told_by_their_bytes(name: str, content: bytes, message: str) -> None:
    Path(name).write_bytes(content)
    with pytest.raises(PriceFileError, match=f"{name}: {message}"):
        open_prices(name)


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES)
def test_so_are_funds(content: bytes, message: str) -> None:
    Path("funds.csv").write_bytes(content)
    with pytest.raises(FundFileError, match=message):
        read_funds(Path("funds.csv"))


def test_the_command_line_says_the_same(cli: RunCli) -> None:
    Path("p.csv").write_bytes(pickle.dumps(Bomb()))
    assert "is a Python pickle" in the_line(cli("prices", "import", "p.csv", code=1).err)
    assert "is a Python pickle" in the_line(cli("etf", "import", "p.csv", code=1).err)


def all_of(path: str) -> None:
    for source in open_prices(path, closes="traded").sources:
        for _ in source.batches():
            pass


PACKED = {
    "ends of lines": b"\n",
    "commas": b",",
    "quotes": b'"',
    "one long line": b"a",
    "a header and nothing": b"symbol,date,close\n" + b"\n" * 1000,
    "the same row": b"SPY,2024-01-02,1,1\n",
    "bytes that are none": b"\0",
}


@pytest.mark.parametrize("part", PACKED.values(), ids=PACKED)
def test_a_gzipped_file_that_would_fill_the_machine(part: bytes) -> None:
    """160 MB in 160 kB: members of 16 MB, one after the other. Any number of them ends as soon."""
    member = gzip.compress((part * (16 * 2**20 // len(part) + 1))[: 16 * 2**20], mtime=0)
    first = gzip.compress(b"symbol,date,close,volume\n", mtime=0) if len(part) == 19 else b""
    Path("bomb.csv.gz").write_bytes(first + member * 10)
    with pytest.raises(EtfBacktestError):
        all_of("bomb.csv.gz")


def test_a_parquet_file_of_millions_of_rows_in_no_bytes() -> None:
    count = 12_000_000
    indices = np.zeros(count, np.int8)
    columns = {
        "symbol": pa.DictionaryArray.from_arrays(indices, pa.array(["SPY"])),
        "date": pa.DictionaryArray.from_arrays(indices, pa.array(["2024-01-02"])),
        "close": pa.DictionaryArray.from_arrays(indices, pa.array(["1"])),
    }
    pq.write_table(pa.table(columns), "bomb.parquet", compression="zstd")
    assert Path("bomb.parquet").stat().st_size < 200_000
    with pytest.raises(PriceFileError, match="says that it has 12,000,000 rows in"):
        open_prices("bomb.parquet")


PLANTED = {
    "a pickle": pickle.dumps(Bomb()),
    "arrays": saved_by_numpy(),
    "nothing": b"",
    "our mark and a pickle": b"ebpanel2" + pickle.dumps(Bomb()),
}


@pytest.mark.parametrize("content", PLANTED.values(), ids=PLANTED)
def test_what_was_planted_in_the_cache_is_removed_and_not_run(content: bytes) -> None:
    cache = PanelCache(Path("cache"), most_bytes=10**6)
    cache.folder.mkdir()
    for key in ("0" * 64, "1" * 64):
        (cache.folder / f"{key}.panel").write_bytes(content)
        assert cache.get(key) is None


@pytest.mark.parametrize(
    "header", [b"[" * 100_000, b"{}", b"[]", b"null", b'{"sessions":"x"}', b"\xff"]
)
def test_a_planted_panel_with_the_right_sum_is_no_panel(header: bytes) -> None:
    import zlib

    cache = PanelCache(Path("cache"), most_bytes=10**6)
    cache.folder.mkdir()
    check = np.array([len(header), zlib.crc32(header)], "<u8").tobytes()
    (cache.folder / "key.panel").write_bytes(b"ebpanel2" + check + header)
    assert cache.get("key") is None


def test_a_pipe_in_the_cache_is_not_waited_for() -> None:
    cache = PanelCache(Path("cache"), most_bytes=10**6)
    cache.folder.mkdir()
    os.mkfifo(cache.folder / "key.panel")
    assert cache.get("key") is None


def test_nothing_here_reads_pickles() -> None:
    """Python's own, NumPy's, pandas' and joblib's: no module calls what loads them.

    But for the two ends of the pipe between a worker and the child that it has started itself.
    """
    package = Path(etf_backtest.__file__).parent
    for path in package.rglob("*.py"):
        if "client" not in path.parts and path.parent.name != "jobs":
            text = path.read_text(encoding="utf-8")
            for call in (
                "pickle.load",
                "import pickle",
                "np.load(",
                "read_pickle",
                "joblib",
                "yaml",
            ):
                assert call not in text, (path, call)


def test_names_of_files_are_harmless(cli: RunCli) -> None:
    """Escapes and bytes that are no UTF-8 in a name: told escaped, stored escaped."""
    for number, name in enumerate((b"a\x1b[31m.csv", b"b\xff.csv", b"-rf.csv", b"$(touch x).csv")):
        row = f"A{number},2024-01-02,1\n"
        Path(os.fsdecode(name)).write_text("symbol,date,close\n" + row)
    ran = cli("prices", "import", ".", "--closes", "traded")
    for line in (ran.out + ran.err).splitlines():
        assert line.isprintable()
    assert "4 inserted" in ran.out
    shown = cli("prices", "list", "--json").out
    assert all(line.isprintable() for line in shown.splitlines())
    assert not Path("x").exists()
