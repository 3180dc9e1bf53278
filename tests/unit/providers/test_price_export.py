"""Bars into files: what is read back is what was written, and a file is whole or not there."""

from __future__ import annotations

import errno
import gzip
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etf_backtest.errors import PriceFileError
from etf_backtest.market.bars import SCALES, UNKNOWN, Bars
from etf_backtest.providers.price_export import write_prices
from etf_backtest.providers.source import PriceBatch
from tests.unit.providers.reading import batches, findings

ENDINGS = ("csv", "csv.gz", "parquet")
numbers = st.integers(-(2**63) + 1, 2**63 - 1) | st.just(UNKNOWN) | st.integers(0, 10**6)
flags = st.sampled_from([0.0, 1.0, np.nan])
rows = st.tuples(
    st.sampled_from(["SPY", "BRK.B", "^GSPC"]),
    st.integers(-719162, 2932896),  # the years 1 to 9999
    st.tuples(*(numbers for _ in SCALES)),
)


def made(content: list[tuple[str, int, tuple[int, ...]]]) -> Bars:
    symbols = tuple(dict.fromkeys(symbol for symbol, _, _ in content))
    return Bars.from_columns(
        symbols,
        np.array([symbols.index(symbol) for symbol, _, _ in content], dtype=np.int32),
        np.array([day for _, day, _ in content], dtype="datetime64[D]"),
        **{
            name: np.array([values[i] for _, _, values in content], dtype=np.int64)
            for i, name in enumerate(SCALES)
        },
    )


def content_of(bars: list[Bars]) -> list[tuple[str, int, tuple[int, ...]]]:
    return [
        (
            each.symbol(row),
            int(each.dates[row].astype(int)),
            tuple(int(each.numbers(name)[row]) for name in SCALES),
        )
        for each in bars
        for row in range(len(each))
    ]


@pytest.mark.parametrize("ending", ENDINGS)
@given(content=st.lists(rows, min_size=1, max_size=6))
@example(content=[("A", 0, (0, 1, 10, 4726500, -1, 10**18, 1, 1))])
@example(content=[("A", 0, (1200000, 0, 0, 0, 0, 100, 1000000, 10**12))])
def test_what_is_read_back_is_what_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    ending: str,
    content: list[tuple[str, int, tuple[int, ...]]],
) -> None:
    path = tmp_path_factory.mktemp("export") / f"prices.{ending}"
    written = [PriceBatch(made(content[:2])), PriceBatch(made(content[2:]))]
    assert write_prices(path, written) == len(content)
    read = batches(path, closes="traded")
    assert content_of([batch.bars for batch in read]) == content
    assert not findings(read)


@pytest.mark.parametrize("ending", ENDINGS)
@given(said=st.lists(flags, min_size=1, max_size=6))
def test_what_is_said_of_closes_is_read_back_row_by_row(
    tmp_path_factory: pytest.TempPathFactory, ending: str, said: list[float]
) -> None:
    path = tmp_path_factory.mktemp("export") / f"prices.{ending}"
    # no split: rows that say nothing are fine, too
    unsplit: list[tuple[str, int, tuple[int, ...]]] = [
        ("A", day, (UNKNOWN, UNKNOWN, UNKNOWN, 9, 9, 9, 9, 10**12)) for day in range(6)
    ]
    flags = np.array(said)
    write_prices(path, [PriceBatch(made(unsplit[: len(said)]), split_adjusted=flags)])
    (read,) = batches(path)
    assert read.split_adjusted is not None
    np.testing.assert_array_equal(read.split_adjusted, said)


def test_csv_is_plain(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    one = made([("SPY", 19724, (UNKNOWN, 0, 1, 4726500, 4000000, 100, 1, 10**12))])
    said = (np.nan, 0.0, 1.0)
    write_prices(path, [PriceBatch(one, split_adjusted=np.array([flag])) for flag in said])
    assert path.read_text() == (
        "symbol,date,open,high,low,close,adjusted_close,volume,dividend_amount,split_ratio,"
        "split_adjusted\n"
        "SPY,2024-01-02,,0,0.0001,472.65,400,100,0.000001,1,\n"
        "SPY,2024-01-02,,0,0.0001,472.65,400,100,0.000001,1,false\n"
        "SPY,2024-01-02,,0,0.0001,472.65,400,100,0.000001,1,true\n"
    )
    write_prices(tmp_path / "prices.csv.gz", batches(path))
    assert gzip.decompress((tmp_path / "prices.csv.gz").read_bytes()) == path.read_bytes()


ONE = PriceBatch(made([("A", 0, (1, 2, 3, 4, 5, 6, 7, 8))]))


def test_a_file_that_is_there_stays_unless_it_may_go(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("mine")
    with pytest.raises(PriceFileError, match=r"already \(give another name, or say --over"):
        write_prices(path, [ONE])
    assert path.read_text() == "mine"
    write_prices(path, [ONE], overwrite=True)
    assert path.read_text().startswith("symbol,")
    assert [file.name for file in tmp_path.iterdir()] == ["prices.csv"]


def test_a_file_that_came_in_the_meantime_stays(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"

    def late() -> Iterator[PriceBatch]:
        yield ONE
        path.write_text("theirs")

    with pytest.raises(PriceFileError, match="is there already"):
        write_prices(path, late())
    assert path.read_text() == "theirs"
    assert [file.name for file in tmp_path.iterdir()] == ["prices.csv"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_source_that_fails_leaves_nothing(tmp_path: Path, ending: str) -> None:
    def failing() -> Iterator[PriceBatch]:
        yield ONE
        raise KeyError("stopped")

    with pytest.raises(KeyError, match="stopped"):
        write_prices(tmp_path / f"prices.{ending}", failing())
    assert not list(tmp_path.iterdir())


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond that, as with a quota that is used up."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_disk_that_takes_no_more_is_one_error_and_leaves_nothing(
    tmp_path: Path, ending: str
) -> None:
    rng = np.random.default_rng(4)
    many = Bars.from_columns(
        ("A",),
        np.zeros(20_000, dtype=np.int32),
        np.datetime64("1970-01-01") + np.arange(20_000),
        close=rng.integers(1, 10**9, 20_000),
    )
    with largest_file(64 * 1024), pytest.raises(PriceFileError) as caught:
        write_prices(tmp_path / f"prices.{ending}", [PriceBatch(many)])
    assert f"cannot be written: {os.strerror(errno.EFBIG)}" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_places_that_take_no_file_are_named(tmp_path: Path) -> None:
    for path, message in [
        (tmp_path / "no" / "prices.csv", "cannot be written: No such file or directory"),
        (tmp_path / "prices.xlsx", "end it with .csv, .csv.gz, .parquet"),
    ]:
        with pytest.raises(PriceFileError) as caught:
            write_prices(path, [ONE])
        assert message in str(caught.value)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(PriceFileError, match="is there, and is no regular file"):
        write_prices(tmp_path / "pipe.csv", [ONE], overwrite=True)


def test_a_symbol_that_csv_cannot_have_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match="cannot be written: CSV values may not contain"):
        write_prices(tmp_path / "prices.csv", [PriceBatch(made([('A,"', 0, (1,) * len(SCALES))]))])
    assert not list(tmp_path.iterdir())
