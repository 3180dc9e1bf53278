"""Prices from CSV files: long (symbol, date, close, ...) or wide (date, one column a symbol).

The header tells which of the two a file is; what a number means is never guessed from its value.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from etf_backtest.errors import PriceFileError, PriceProblem
from etf_backtest.market.bar import NUMBER_FIELDS, Bar, bar_problems, is_symbol

WideField = Literal["close", "adjusted_close"]
Closes = Literal["traded"]

_COLUMN_NAMES = {
    "symbol": "symbol",
    "ticker": "symbol",
    "date": "date",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "adjusted_close": "adjusted_close",
    "adj_close": "adjusted_close",
    "volume": "volume",
    "dividend_amount": "dividend_amount",
    "dividend": "dividend_amount",
    "dividends": "dividend_amount",
    "split_ratio": "split_ratio",
}
_DISTRIBUTIONS = re.compile(r"split|div|distribution", re.IGNORECASE)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_LONG_HEADER = "symbol,date,open,high,low,close,adjusted_close,volume,dividend_amount,split_ratio"


@dataclass(frozen=True, slots=True)
class PriceFile:
    """The validated content of one file."""

    path: Path
    layout: Literal["long", "wide"]
    bars: Sequence[Bar]
    """In the file's order; (symbol, date) is unique."""
    empty_cells: int
    """Cells of a wide file with no price: the symbol has no bar on that date."""
    ignored_columns: tuple[str, ...]
    """Columns of a long file that no field has."""


def read_prices(
    path: Path,
    *,
    wide_field: WideField | None = None,
    closes: Closes | None = None,
    no_distributions: bool = False,
) -> PriceFile:
    """Read and validate a CSV file of prices: all of it, or an error.

    Parameters
    ----------
    path : Path
        UTF-8 (a byte-order mark is fine), comma-separated, ISO dates, point as decimal sign.
    wide_field : {"close", "adjusted_close"}, optional
        What the numbers of a wide file are. A wide file does not say it, so it must be given.
    closes : {"traded"}, optional
        The caller's word that closes are as traded: not divided by later splits. A file with
        splits must come with it, because such closes look like any others.
    no_distributions : bool
        The caller knows that these symbols paid no dividends and did not split: bars without
        dividend or split get 0 and 1.

    Raises
    ------
    PriceFileError
        Naming the file and, where there is one, the row, symbol, date, field, and what was
        expected. All problems are in its `problems`.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise PriceFileError(path, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise PriceFileError(
            path, f"is not UTF-8 (byte {error.start})", remedy="save it as UTF-8 and try again"
        ) from error
    if "\x00" in text:
        raise PriceFileError(path, "has NUL bytes: it is not a CSV file")
    rows = _rows(path, text)
    header = [name.strip() for name in next(rows, (0, []))[1]]
    columns = [_COLUMN_NAMES.get(name.lower().replace(" ", "_")) for name in header]
    if "symbol" in columns:
        if wide_field is not None:
            raise PriceFileError(
                path,
                "has a symbol column, so its header already says what each number is",
                remedy="leave the field option out",
            )
        return _Reader(path, no_distributions, closes).long(header, columns, rows)
    if columns[:1] == ["date"]:
        fields = [name for name, column in zip(header[1:], columns[1:], strict=True) if column]
        if fields:
            raise PriceFileError(
                path,
                f"has the column {fields[0]} and no symbol: it looks like the bars of one symbol",
                remedy="add a column symbol",
            )
        if wide_field is None:
            raise PriceFileError(
                path,
                "has one column a symbol and does not say what its numbers are",
                remedy="say it with --field close or --field adjusted_close",
            )
        return _Reader(path, no_distributions, closes).wide(header, wide_field, rows)
    separator = next((mark for mark in (";", "\t", "|") if mark in ",".join(header)), None)
    if separator is not None:
        raise PriceFileError(
            path,
            f"is separated by {separator!r}",
            remedy="save it separated by commas, with a point as decimal sign",
        )
    raise PriceFileError(
        path,
        f"has the header {','.join(header)[:80]!r}",
        remedy=f"expected {_LONG_HEADER} (some of them), or date and one column a symbol",
    )


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of every row that is not empty; numbers as an editor shows them."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise PriceFileError(path, f"row {reader.line_num}: not CSV: {error}") from error


class _Reader:
    """Collects bars and problems of one file."""

    def __init__(self, path: Path, no_distributions: bool, closes: Closes | None) -> None:
        self.path = path
        self.closes = closes
        self.no_distributions = no_distributions
        self.bars: list[Bar] = []
        self.problems: list[PriceProblem] = []
        self.seen: dict[tuple[str, dt.date], int] = {}
        self.empty_cells = 0

    def long(
        self,
        header: list[str],
        columns: list[str | None],
        rows: Iterator[tuple[int, list[str]]],
    ) -> PriceFile:
        known = [column for column in columns if column is not None]
        for column in {c for c in known if known.count(c) > 1}:
            raise PriceFileError(self.path, f"has the column {column} twice")
        if "date" not in known:
            raise PriceFileError(self.path, "has no column date")
        if not {"close", "adjusted_close"} & set(known):
            raise PriceFileError(self.path, "has neither a column close nor adjusted_close")
        ignored = tuple(n for n, c in zip(header, columns, strict=True) if c is None)
        for name in ignored:
            if self.no_distributions and _DISTRIBUTIONS.search(name):
                raise PriceFileError(
                    self.path,
                    f"has the column {name!r}, which looks like distributions",
                    remedy="name it dividend_amount or split_ratio (1 where there was none), or "
                    "take it out, before you say that there were none",
                )
        for number, row in rows:
            if self._has_width(number, row, len(header)):
                cells = {c: cell.strip() for c, cell in zip(columns, row, strict=True) if c}
                self._add_cells(number, cells)
        return self._result("long", ignored)

    def wide(
        self, header: list[str], field: WideField, rows: Iterator[tuple[int, list[str]]]
    ) -> PriceFile:
        symbols = [name.upper() for name in header[1:]]
        if not symbols:
            raise PriceFileError(self.path, "has a date column and no symbols beside it")
        for symbol in symbols:
            if not is_symbol(symbol):
                raise PriceFileError(self.path, f"has the header {symbol!r}, which is no symbol")
            if symbols.count(symbol) > 1:
                raise PriceFileError(self.path, f"has the column {symbol} twice")
        for number, row in rows:
            if not self._has_width(number, row, len(header)):
                continue
            date = row[0].strip()
            for symbol, cell in zip(symbols, row[1:], strict=True):
                if cell.strip():
                    self._add_cells(number, {"symbol": symbol, "date": date, field: cell.strip()})
                else:
                    self.empty_cells += 1
        return self._result("wide", ())

    def _has_width(self, number: int, row: list[str], width: int) -> bool:
        if len(row) != width:
            self._problem(number, message=f"{len(row)} cells where the header has {width}")
        return len(row) == width

    def _add_cells(self, number: int, cells: dict[str, str]) -> None:
        symbol = cells["symbol"].upper() if cells["symbol"].isascii() else cells["symbol"]
        try:
            date = _iso_date(cells["date"])
        except ValueError:
            self._problem(
                number, symbol=symbol, message=f"{cells['date']!r} is not a date like 2024-01-31"
            )
            return
        values: dict[str, Decimal | int | None] = {}
        for field in NUMBER_FIELDS:
            cell = cells.get(field, "")
            parse: Callable[[str], Decimal | int] = _integer if field == "volume" else _decimal
            try:
                values[field] = parse(cell) if cell else None
            except ValueError:
                self._problem(
                    number, symbol=symbol, date=date, message=f"{field} {cell!r} is not a number"
                )
                return
        if self.no_distributions:
            for field, none in (("dividend_amount", Decimal(0)), ("split_ratio", Decimal(1))):
                values[field] = none if values[field] is None else values[field]
        self._add(number, Bar(symbol, date, **values))  # type: ignore[arg-type]  # int only for volume

    def _add(self, number: int, bar: Bar) -> None:
        problems = list(bar_problems(bar))
        for _field, message in problems:
            self._problem(number, symbol=bar.symbol, date=bar.date, message=message)
        first = self.seen.setdefault((bar.symbol, bar.date), number)
        if first != number:
            self._problem(
                number,
                symbol=bar.symbol,
                date=bar.date,
                message=f"is in the file twice, first in row {first}",
            )
        elif not problems:
            self.bars.append(bar)

    def _problem(
        self, row: int, *, message: str, symbol: str | None = None, date: dt.date | None = None
    ) -> None:
        self.problems.append(PriceProblem(row=row, symbol=symbol, date=date, message=message))

    def _result(self, layout: Literal["long", "wide"], ignored: tuple[str, ...]) -> PriceFile:
        if self.problems:
            raise PriceFileError(self.path, problems=tuple(self.problems))
        if not self.bars:
            raise PriceFileError(self.path, "has no prices in it")
        split = next((b for b in self.bars if b.close and b.split_ratio not in (None, 1)), None)
        if split is not None and self.closes is None:
            raise PriceFileError(
                self.path,
                f"has closes and splits ({split.symbol} on {split.date}), and does not say whether "
                "its closes are as traded or already divided by later splits",
                remedy="say --closes traded if they are; if not, import adjusted closes instead",
            )
        return PriceFile(self.path, layout, tuple(self.bars), self.empty_cells, ignored)


def _iso_date(cell: str) -> dt.date:
    """A date like 2024-01-31; fromisoformat() alone would take 20240131 and 2024-W05 as well."""
    if _ISO_DATE.fullmatch(cell) is None:
        raise ValueError(cell)
    return dt.date.fromisoformat(cell)


def _decimal(cell: str) -> Decimal:
    """A plain number; Decimal() alone would take NaN, Infinity and 1_000 as well."""
    if _NUMBER.fullmatch(cell) is None:
        raise ValueError(cell)
    return Decimal(cell)


def _integer(cell: str) -> int:
    """A whole number, also written as 1234.0 or 1.2e6 as pandas does."""
    number = _decimal(cell)
    if number.adjusted() > 18 or number != number.to_integral_value():
        raise ValueError(cell)
    return int(number)
