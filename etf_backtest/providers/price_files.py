"""Files and folders of prices as sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from etf_backtest.errors import PriceFileError
from etf_backtest.errors.wording import one_line
from etf_backtest.providers.csv_prices import CsvPrices
from etf_backtest.providers.foreign_files import LOOKED_AT, foreign
from etf_backtest.providers.headers import Format
from etf_backtest.providers.layouts import Closes, PriceField, PriceOptions
from etf_backtest.providers.parquet_prices import PARQUET, ParquetPrices
from etf_backtest.providers.regular_file import RegularFile
from etf_backtest.providers.source import PriceSource

SOURCE_LENGTH = 50
"""Characters of the database's column for the source."""
_ENDINGS = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True, slots=True)
class OpenedPrices:
    """Sources of prices in files.

    Attributes
    ----------
    sources : tuple of PriceSource
        One a file, folders sorted by name.
    ignored : tuple of Path
        What is in the folders and is no file of prices by its name.
    """

    sources: tuple[PriceSource, ...]
    ignored: tuple[Path, ...]


def open_prices(
    paths: str | Path | Sequence[str | Path],
    *,
    format: Format | None = None,  # noqa: A002  # the option's name
    symbol: str | None = None,
    wide_field: PriceField | None = None,
    closes: Closes | None = None,
    no_distributions: bool = False,
    source: str | None = None,
) -> OpenedPrices:
    """Look at the headers of CSV and Parquet files; prices are read when they are iterated over.

    Parameters
    ----------
    paths : path, or sequence of paths
        Files, or folders: of these every *.csv, *.csv.gz and *.parquet in them, not below them
        (*.txt, too, with `format="stooq"`: its bulk files).
    format : {"long", "wide", "yahoo", "stooq", "alphavantage"}, optional
        Where the header does not tell.
    symbol : str, optional
        Of a single file that has no column of symbols, and is not named by it.
    wide_field : {"close", "adjusted_close"}, optional
        What the numbers of wide files are, or closes of which an export does not say it.
    closes : {"traded", "split-adjusted"}, optional
        The caller's word for what closes are where there were splits.
    no_distributions : bool
        No dividends and no splits, where a file is silent.
    source : str, optional
        Kept with each row; the file's name by default. Cut to 50 characters.

    Raises
    ------
    PriceFileError
        Naming the file: it cannot be read, is no table of prices, or needs another word.
    """
    options = PriceOptions(
        format=format,
        symbol=symbol,
        wide_field=wide_field,
        closes=closes,
        no_distributions=no_distributions,
    )
    given = [paths] if isinstance(paths, str | Path) else paths
    ignored: list[Path] = []
    files = [file for path in given for file in _files(Path(path), options, ignored)]
    _refuse_twice(files)
    if symbol is not None and len(files) > 1:
        raise PriceFileError(
            files[1], "cannot be of the same symbol as the file before", remedy="give one file"
        )
    sources = [_opened(file, options, _source(source or file.name)) for file in files]
    return OpenedPrices(tuple(sources), tuple(ignored))


def _source(name: str) -> str:
    """What is stored beside each row, in characters that a database takes and a terminal shows."""
    return one_line(name)[:SOURCE_LENGTH].strip() or "unnamed"


def _refuse_twice(files: Sequence[Path]) -> None:
    """One file by two names, or by itself and by its folder, would be told row by row."""
    seen: set[Path] = set()
    for file in files:
        path = file.absolute()
        if path in seen:
            raise PriceFileError(file, "is given twice", remedy="give it once")
        seen.add(path)


def _files(path: Path, options: PriceOptions, ignored: list[Path]) -> Iterator[Path]:
    if not _is_folder(path):
        yield path
        return
    endings = (*_ENDINGS, ".txt") if options.format == "stooq" else _ENDINGS
    try:
        inside = sorted(path.iterdir())
    except OSError as error:
        raise PriceFileError(path, f"cannot be read: {error.strerror or error}") from error
    taken = {f for f in inside if f.name.lower().endswith(endings) and not _is_folder(f)}
    ignored.extend(file for file in inside if file not in taken)
    if not taken:
        raise PriceFileError(path, "has no file *.csv, *.csv.gz or *.parquet in it")
    yield from sorted(taken)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # it may not be looked at, or its name is too long: opening it tells
        return False


def _opened(path: Path, options: PriceOptions, name: str) -> PriceSource:
    """By its first bytes, whatever it is called."""
    with RegularFile(path) as file:
        start = file.start(LOOKED_AT)
    if start.startswith(PARQUET):
        return ParquetPrices.open(path, options, name=name)
    other = foreign(start)
    if other is None and path.name.lower().endswith(".parquet"):
        other = "not a Parquet file, whatever it is called"
    if other is not None:
        raise PriceFileError(path, f"is {other}", remedy="save it as CSV or Parquet")
    return CsvPrices.open(path, options, name=name)
