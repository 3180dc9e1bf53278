"""Files of funds: CSV with a header, one statement about one fund a row."""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from etf_backtest.errors import FundFileError, FundProblem
from etf_backtest.errors.wording import quoted
from etf_backtest.providers.foreign_files import LOOKED_AT, foreign
from etf_backtest.providers.fund_cells import (
    DOUBTFUL_BARE_RATIO,
    READERS,
    Status,
    UnreadableCellError,
)

LARGEST_FILE = 64 * 1024 * 1024
"""Bytes: more than a thousand times the funds of the world."""
HEADER = ",".join(READERS)

_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


@dataclass(frozen=True, slots=True)
class FundRow:
    """What one row of a file says; None where its cell is empty, and so says nothing.

    Attributes
    ----------
    row : int
        The line on which it begins, as an editor counts them.
    valid_from : date
        The first day on which its figures hold.
    expense_ratio : Decimal or None
        A fraction per year.
    assets_under_management, last_price : Decimal or None
        In the fund's currency; the price per share.
    delisted_date : date or None
        The first day without trading.
    """

    row: int
    symbol: str
    valid_from: dt.date
    name: str | None = None
    issuer: str | None = None
    expense_ratio: Decimal | None = None
    category: str | None = None
    benchmark_index: str | None = None
    status: Status | None = None
    inception_date: dt.date | None = None
    delisted_date: dt.date | None = None
    last_price: Decimal | None = None
    last_price_date: dt.date | None = None
    exchange: str | None = None
    currency: str | None = None
    assets_under_management: Decimal | None = None
    asset_class: str | None = None
    sector: str | None = None
    geography: str | None = None
    investment_style: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class FundFile:
    """The content of one file, in its order; (symbol, valid_from) is unique."""

    path: Path
    rows: tuple[FundRow, ...]
    warnings: tuple[str, ...]
    """What can be taken, and should be looked at."""


def read_funds(path: Path) -> FundFile:
    """Read a file of funds: all of it, or an error.

    Parameters
    ----------
    path : Path
        UTF-8 (a byte-order mark is fine), separated by commas, lines ended by LF or CRLF, with a
        header of the names of `READERS` in any order; `symbol` and `valid_from` must be there.

    Raises
    ------
    FundFileError
        It cannot be read, or what stands in it; `problems` has every cell that is wrong, with row,
        symbol, field, value, and what was expected.
    """
    rows = _rows(path, _text(path))
    number, header = next(rows, (1, []))
    names = _names(path, number, header)
    problems: list[FundProblem] = []
    warnings: list[str] = []
    funds: list[FundRow] = []
    seen: dict[tuple[str, dt.date], int] = {}
    for number, cells in rows:
        if len(cells) != len(names):
            more = " (a comma in a cell needs quotes around it)" if len(cells) > len(names) else ""
            problems.append(
                FundProblem(number, f"{len(cells)} cells where the header has {len(names)}{more}")
            )
            continue
        stated = {name: cell for name, cell in zip(names, cells, strict=True) if cell}
        found, values = _read(number, stated)
        problems.extend(found)
        if found:
            continue
        fund = FundRow(row=number, **values)
        first = seen.setdefault((fund.symbol, fund.valid_from), number)
        if first != number:
            problems.append(
                FundProblem(
                    number,
                    f"one row for a day; row {first} is of that day, too",
                    fund.symbol,
                    "valid_from",
                    str(fund.valid_from),
                )
            )
        warnings.extend(_doubts(fund, stated))
        funds.append(fund)
    if problems:
        raise FundFileError(path, problems=problems)
    if not funds:
        raise FundFileError(path, "has no funds in it", remedy="expected a row for each statement")
    return FundFile(path, tuple(funds), tuple(warnings))


def _read(number: int, stated: dict[str, str]) -> tuple[list[FundProblem], dict[str, Any]]:
    """The values of a row, and what is wrong with its cells."""
    symbol = stated.get("symbol")
    problems = [
        FundProblem(number, "a value", symbol, name, "")
        for name in ("symbol", "valid_from")
        if name not in stated
    ]
    values: dict[str, Any] = {}
    for name, cell in stated.items():
        try:
            values[name] = READERS[name](cell)
        except UnreadableCellError as error:
            problems.append(FundProblem(number, str(error), symbol, name, cell))
    return problems, values


def _doubts(fund: FundRow, stated: dict[str, str]) -> Iterator[str]:
    ratio, text = fund.expense_ratio, stated.get("expense_ratio", "")
    if ratio is not None and ratio >= DOUBTFUL_BARE_RATIO and not text.endswith("%"):
        yield (
            f"row {fund.row}, {fund.symbol}: the expense ratio {text} is {ratio:%} a year; "
            f"write {text}% if that was meant"
        )


def _names(path: Path, number: int, header: Sequence[str]) -> list[str]:
    """The columns of a header, each known and there once."""
    if not header:
        raise FundFileError(path, "is empty", remedy=f"expected a header: {HEADER}")
    names = [name.lower().replace(" ", "_") for name in header]
    if "symbol" not in names:
        separator = next((mark for mark in (";", "\t", "|") if mark in ",".join(header)), None)
        if separator is not None:
            raise FundFileError(
                path, f"is separated by {separator!r}", remedy="save it separated by commas"
            )
    problems = []
    for name in names:
        if name not in READERS:
            near = difflib.get_close_matches(name, READERS, n=1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            problems.append(
                FundProblem(number, f"columns of {HEADER}{meant}", field="header", value=name)
            )
        elif names.count(name) > 1:
            problems.append(FundProblem(number, "it once", field="header", value=name))
    problems += [
        FundProblem(number, f"a column {name}", field="header", value=",".join(names))
        for name in ("symbol", "valid_from")
        if name not in names
    ]
    if problems:
        raise FundFileError(path, problems=list(dict.fromkeys(problems)))
    return names


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of every row that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield number, stripped
            number = reader.line_num + 1
    except csv.Error as error:
        raise FundFileError(
            path, f"row {number}: not CSV: {error}", remedy="mend its quotes"
        ) from error


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "not a regular file"
            raise FundFileError(path, f"cannot be read: it is {what}")
        if path.stat().st_size > LARGEST_FILE:
            raise FundFileError(
                path, f"is larger than {LARGEST_FILE // 2**20} MB", remedy="is it a file of funds?"
            )
        data = path.read_bytes()
    except OSError as error:
        raise FundFileError(path, f"cannot be read: {error.strerror or error}") from error
    other = foreign(data[:LOOKED_AT])
    if other is not None:
        raise FundFileError(path, f"is {other}", remedy="save it as CSV")
    if data[:2] in _MARKS:
        raise FundFileError(
            path, f"is {_MARKS[data[:2]]}, not UTF-8", remedy="save it as UTF-8 and try again"
        )
    if b"\x00" in data:
        row = data[: data.index(b"\x00")].count(b"\n") + 1
        raise FundFileError(path, f"row {row} has a NUL byte: it is not a CSV file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        raise FundFileError(
            path,
            f"is not UTF-8 (row {row}, byte {quoted(data[error.start : error.start + 1])})",
            remedy="save it as UTF-8 and try again",
        ) from error
