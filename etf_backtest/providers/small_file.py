"""Small files of text that people write: rules, rates."""

from __future__ import annotations

from pathlib import Path

from etf_backtest.errors import EtfBacktestError, PriceFileError
from etf_backtest.providers.foreign_files import GZIP, LOOKED_AT, foreign
from etf_backtest.providers.regular_file import RegularFile

MOST_BYTES = 8 * 1024 * 1024


class NoTextError(EtfBacktestError):
    """A file is not there, is too large, or is something else than text in UTF-8."""


def small_text(path: Path) -> str:
    """The text of a regular file of at most `MOST_BYTES`, with its line ends as they are.

    Raises
    ------
    NoTextError
        Without the name of the file.
    """
    try:
        with RegularFile(path) as file:
            data = file.read(MOST_BYTES + 1)
    except PriceFileError as error:
        raise NoTextError(error.message.removeprefix(f"{path.name or path}: ")) from error
    except ValueError as error:  # a NUL in its name
        raise NoTextError("cannot be read: no file can have this name") from error
    other = "packed by gzip" if data.startswith(GZIP) else foreign(data[:LOOKED_AT])
    if other is not None:
        raise NoTextError(f"is {other}")
    if len(data) > MOST_BYTES:
        raise NoTextError(f"is larger than {MOST_BYTES // 2**20} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NoTextError(f"is not UTF-8 (byte {error.start + 1:,})") from error
