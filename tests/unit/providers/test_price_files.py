"""Files and folders: what is opened, what is refused without waiting, and what changed."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from etf_backtest.errors import PriceFileError
from etf_backtest.providers.price_files import open_prices
from tests.unit.providers.reading import FILES, bars, batches, opened

CONTENT = "symbol,date,close\nA,2024-01-02,1\n"


def test_a_folder_is_its_files_sorted_and_the_rest_is_told(tmp_path: Path) -> None:
    for name in ("QQQ.csv", "AGG.CSV"):
        shutil.copy(FILES / "SPY.csv", tmp_path / name)
    (tmp_path / "notes.md").write_text("x")
    (tmp_path / "more").mkdir()
    opened = open_prices([tmp_path, FILES / "SPY.csv"])
    assert [source.name for source in opened.sources] == ["AGG.CSV", "QQQ.csv", "SPY.csv"]
    assert [path.name for path in opened.ignored] == ["more", "notes.md"]
    symbols = [batch.bars.symbols for source in opened.sources for batch in source.batches()]
    assert symbols == [("AGG",), ("QQQ",), ("SPY",)]


def test_bulk_files_of_stooq_are_text_files(tmp_path: Path) -> None:
    shutil.copy(FILES / "stooq_bulk.txt", tmp_path / "spy.us.txt")
    with pytest.raises(PriceFileError, match=r"has no file \*\.csv"):
        open_prices([tmp_path])
    assert len(open_prices([tmp_path], format="stooq", wide_field="close").sources) == 1


def test_a_source_is_named_by_its_file_or_by_the_caller(tmp_path: Path) -> None:
    path = tmp_path / f"{'x' * 60}.csv"
    path.write_text(CONTENT)
    assert opened(path).name == "x" * 50
    assert opened(path, source="vendor").name == "vendor"


def test_one_symbol_is_not_that_of_two_files(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match="cannot be of the same symbol"):
        open_prices([FILES / "SPY.csv", FILES / "daily_SPY.csv"], symbol="SPY")


def test_a_path_may_be_text_or_alone(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(CONTENT)
    for given in (path, str(path), [str(path)]):
        assert [source.name for source in open_prices(given).sources] == ["prices.csv"]


def test_a_file_is_given_once(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(CONTENT)
    with pytest.raises(PriceFileError, match=r"prices\.csv: is given twice \(give it once\)"):
        open_prices([path, tmp_path])


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe without a writer would be waited for; /dev/zero never ends."""
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    server = socket.socket(socket.AF_UNIX)
    with server:
        server.bind(str(tmp_path / "socket.csv"))
        for path, message in [
            (tmp_path / "pipe.csv", "pipe.csv: cannot be read: is not a regular file"),
            (Path("/dev/zero"), "zero: cannot be read: is not a regular file"),
            (tmp_path / "socket.csv", "socket.csv: cannot be read: "),
            (tmp_path / "loop.csv", "Too many levels of symbolic links"),
            (tmp_path / "nowhere.csv", "nowhere.csv: cannot be read: No such file or directory"),
            (tmp_path / ("x" * 300), "File name too long"),
        ]:
            with pytest.raises(PriceFileError) as caught:
                open_prices([path])
            assert message in str(caught.value)


@contextmanager
def nobody() -> Iterator[None]:
    """Without the rights of root, who may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(CONTENT)
    path.chmod(0)
    with nobody(), pytest.raises(PriceFileError, match=r"prices\.csv: cannot be read: Permission"):
        open_prices([path])


def test_a_name_that_says_parquet_is_held_to_it(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    path.write_text(CONTENT)
    with pytest.raises(PriceFileError, match="is not a Parquet file, whatever it is called"):
        open_prices([path])


@pytest.mark.parametrize("change", ["append", "overwrite", "replace", "remove", "truncate"])
def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path, change: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(CONTENT)
    os.utime(path, ns=(1, 1))
    iterator = opened(path).batches()
    next(iterator)
    if change == "append":
        with path.open("a") as file:
            file.write("A,2024-01-03,2\n")
    elif change == "overwrite":
        path.write_text(CONTENT.replace("1\n", "2\n"))
    elif change == "replace":
        (tmp_path / "new.csv").write_text(CONTENT)
        os.utime(tmp_path / "new.csv", ns=(1, 1))
        (tmp_path / "new.csv").replace(path)
    elif change == "remove":
        path.unlink()
    else:
        os.truncate(path, 3)
    with pytest.raises(PriceFileError, match=r"prices\.csv: was changed while it was read"):
        list(iterator)


def test_reading_does_not_change_it(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(CONTENT)
    source = opened(path)
    assert bars(list(source.batches())) == bars(list(source.batches())) == bars(batches(path))
