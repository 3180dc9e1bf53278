"""Columns of cells into bars, and a reject for each row that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from etf_backtest.errors import LayoutError
from etf_backtest.errors.wording import quoted
from etf_backtest.market.bar import is_formula
from etf_backtest.market.bars import SCALES, UNKNOWN, Bars, Whole
from etf_backtest.market.quality import Finding, Level
from etf_backtest.providers.dates import sessions
from etf_backtest.providers.decimals import is_text, whole_numbers
from etf_backtest.providers.layouts import Layout
from etf_backtest.providers.source import PriceBatch
from etf_backtest.providers.split_flags import (
    ONE_SPLIT,
    refuse_unsaid_splits,
    split_flags,
    with_word,
)
from etf_backtest.providers.spreadsheet import from_text
from etf_backtest.providers.symbol_names import stooq_symbol
from etf_backtest.typing import BoolArray, DateArray, IndexArray

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 131_072
"""Rows of a batch: of them its memory is made, not of the file."""


_RULES = {
    "symbol": "unreadable_symbol",
    "date": "unreadable_date",
    "split_adjusted": "unreadable_flag",
}


@dataclass(frozen=True, slots=True)
class Cells:
    """Some rows of a table, column by column.

    Attributes
    ----------
    columns : sequence of pyarrow.Array
        Those that the layout takes (`Layout.taken`), in its order; null where a cell is empty.
    rows : ndarray of int64
        Where each row stands in its file, as an editor counts lines.
    text : function of int to str, or None
        The line of a row, by its position here.
    file : str, optional
        The name of the file.
    """

    columns: Sequence[pa.Array[Any]]
    rows: Whole
    text: Callable[[int], str | None]
    file: str | None


@dataclass(slots=True)
class _Problems:
    """The first problem of each row, by its position: what is told, and what is left out."""

    found: dict[int, tuple[str, str | None, str]] = field(default_factory=dict)

    def add(self, name: str, column: pa.Array[Any], problems: dict[int, str]) -> None:
        for position, message in problems.items():
            said = said_in(column, position)
            start = "" if name in ("date", "symbol") else f"{name} "
            self.found.setdefault(position, (name, said, f"{start}{message}"))

    def good(self, count: int) -> BoolArray:
        mask = np.ones(count, dtype=np.bool_)
        mask[list(self.found)] = False
        return mask


def said_in(column: pa.Array[Any], position: int) -> str | None:
    """A cell as text; None where it is empty."""
    try:
        value = column[position].as_py()
    except (OverflowError, ValueError):  # a day of a year that Python does not have
        value = column[position].cast("string").as_py()
    return None if value is None else str(value)


def price_batch(cells: Cells, layout: Layout) -> PriceBatch:
    """Bars of the rows that can be read, and a reject for each of the others.

    Raises
    ------
    LayoutError
        A column is of a type that has no such values; or closes and a split are there, and nobody
        has said whether the closes are divided by later splits, or its column contradicts you.
    """
    batch = _wide(cells, layout) if layout.wide else _long(cells, layout)
    if layout.split_adjusted is None:
        refuse_unsaid_splits(batch.bars, batch.split_adjusted)
    return batch


def _long(cells: Cells, layout: Layout) -> PriceBatch:
    count = len(cells.rows)
    columns = dict(zip((layout.fields[i] for i in layout.taken), cells.columns, strict=True))
    problems = _Problems()
    if layout.symbol is not None:
        symbols: tuple[str, ...] = (layout.symbol,)
        codes = np.zeros(count, dtype=np.intp)
    else:
        symbols, codes = _symbols(columns["symbol"], layout, problems)
    dates, undated = sessions(columns["date"], layout.dates)
    problems.add("date", columns["date"], undated)
    _check_period(columns, problems)
    numbers = {}
    for name, column in columns.items():
        if name in SCALES:
            whole = name == "volume" and not layout.rounds_volume
            numbers[name], wrong = whole_numbers(column, SCALES[name], name=name, whole=whole)
            problems.add(name, column, wrong)
    flags = None
    if "split_adjusted" in columns:
        flags, wrong = split_flags(columns["split_adjusted"])
        problems.add("split_adjusted", columns["split_adjusted"], wrong)
    if "capital_gains" in columns:
        _add_gains(columns["capital_gains"], numbers, problems)
    if layout.format == "yahoo" and "split_ratio" in numbers:
        split = numbers["split_ratio"]
        split[split == 0] = ONE_SPLIT  # yfinance's word for "none"
    if layout.no_distributions:
        for name, none in (("dividend_amount", 0), ("split_ratio", ONE_SPLIT)):
            known = numbers.setdefault(name, np.full(count, UNKNOWN))
            known[known == UNKNOWN] = none
    findings = [
        _reject(cells, position, problems.found[position], symbols, codes, dates)
        for position in sorted(problems.found)
    ]
    bars = Bars.from_columns(symbols, codes, dates, rows=cells.rows, **numbers)
    if findings:
        good = problems.good(count)
        bars = _with_symbols_in_order(bars.take(good))
        flags = None if flags is None else flags[good]
    if flags is not None:
        flags = with_word(flags, layout.split_adjusted, bars)
    return PriceBatch(bars, tuple(findings), flags)


def _reject(
    cells: Cells,
    position: int,
    problem: tuple[str, str | None, str],
    symbols: tuple[str, ...],
    codes: IndexArray,
    dates: DateArray,
) -> Finding:
    name, value, message = problem
    code = int(codes[position])
    date = dates[position]
    return Finding(
        rule=_RULES.get(name, "unreadable_number"),
        level=Level.REJECT,
        message=message,
        symbol=symbols[code] if code >= 0 else None,
        date=None if np.isnat(date) else date.item(),
        field=name,
        value=value,
        file=cells.file,
        row=int(cells.rows[position]),
        text=cells.text(position),
    )


def _symbols(
    column: pa.Array[Any], layout: Layout, problems: _Problems
) -> tuple[tuple[str, ...], IndexArray]:
    """The different symbols and each row's code; -1 where there is none.

    Whether a symbol is one at all is a rule of `market.quality`.
    """
    import pyarrow as pa
    import pyarrow.types as kind

    if kind.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kind.is_null(column.type):
        column = column.cast(pa.string())
    if not is_text(column.type):
        raise LayoutError(
            f"has the type {column.type} in the column symbol", remedy="convert it to strings"
        )
    encoded = column.dictionary_encode()
    assert isinstance(encoded, pa.DictionaryArray)  # noqa: S101  # for the type checker
    positions: dict[str, int] = {}
    known: list[int] = []
    formulas: set[int] = set()
    for text in encoded.dictionary.to_pylist():
        cell = str(text).strip()
        symbol = cell.upper() if cell.isascii() else cell
        if is_formula(symbol):
            formulas.add(len(known))
        elif is_formula(bare := from_text(symbol)):
            symbol = bare
        if layout.format == "stooq":
            symbol = stooq_symbol(symbol)
        is_taken = symbol and len(known) not in formulas
        known.append(positions.setdefault(symbol, len(positions)) if is_taken else -1)
    indices = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
    codes = np.array([*known, -1], dtype=np.intp)[indices]
    wrong = dict.fromkeys(np.flatnonzero(codes < 0).tolist(), "has no symbol")
    for position in np.flatnonzero(np.isin(indices, list(formulas))).tolist():
        wrong[position] = "begins as a formula does: if it is a symbol, write ' before it"
    problems.add("symbol", column, wrong)
    return tuple(positions), codes


def _with_symbols_in_order(bars: Bars) -> Bars:
    """The same rows, with the symbols that they have in the order in which they appear."""
    codes, first, inverse = np.unique(bars.codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return Bars.from_columns(
        tuple(bars.symbols[int(codes[position])] for position in order),
        place[inverse],
        bars.dates,
        rows=bars.rows,
        **{name: bars.numbers(name) for name in SCALES},
    )


def _check_period(columns: dict[str | None, pa.Array[Any]], problems: _Problems) -> None:
    """Stooq's bulk files say the period and the clock time of each row."""
    import pyarrow.compute as pc

    for name, fine, expected in (
        ("period", ("D", "d"), "D: only daily bars are taken"),
        ("clock", ("000000", "0"), "000000: only daily bars are taken"),
    ):
        column = columns.get(name)
        if column is None:
            continue
        known = pc.is_in(column, value_set=_strings(fine)).to_numpy(zero_copy_only=False)
        problems.add(
            name,
            column,
            {
                int(row): f"is {quoted(column[int(row)].as_py() or '')}, expected {expected}"
                for row in np.flatnonzero(~known)
            },
        )


def _strings(values: Sequence[str]) -> pa.Array[Any]:
    import pyarrow as pa

    return pa.array(values, pa.string())


def _add_gains(column: pa.Array[Any], numbers: dict[str, Whole], problems: _Problems) -> None:
    """Capital gains are cash of the fund, too, which yfinance has in a column of their own.

    Where the dividend is not below them, it may include them already: Yahoo has them both ways.
    """
    gains, wrong = whole_numbers(column, SCALES["dividend_amount"], name="capital_gains")
    problems.add("capital_gains", column, wrong)
    paid = (gains != UNKNOWN) & (gains != 0)
    if not paid.any():
        return
    dividend = numbers.setdefault("dividend_amount", np.full(gains.size, UNKNOWN))
    twice = paid & (dividend != UNKNOWN) & (dividend >= gains)
    message = (
        "may be in the dividend already, which is not below them: "
        "write the whole distribution as dividend and 0 here"
    )
    problems.add("capital_gains", column, {int(row): message for row in np.flatnonzero(twice)})
    known = paid & ~twice
    dividend[known] = np.where(dividend[known] == UNKNOWN, 0, dividend[known]) + gains[known]


def _wide(cells: Cells, layout: Layout) -> PriceBatch:
    """A bar for each cell that has a value, row by row; a reject for each that is no number."""
    import pyarrow as pa

    count, width = len(cells.rows), len(layout.symbols)
    dates, undated = sessions(cells.columns[0], layout.dates)
    price = layout.fields[1]
    assert price is not None  # noqa: S101  # for the type checker
    columns = cells.columns[1:]
    if len({column.type for column in columns}) == 1:
        columns = [pa.concat_arrays(columns)]
    read = [whole_numbers(column, SCALES[price], name=price) for column in columns]
    values = np.concatenate([numbers for numbers, _ in read]).reshape(width, count).T
    wrong: dict[tuple[int, int], str] = {}
    start = 0
    for column, (_, problems) in zip(columns, read, strict=True):
        for position, message in problems.items():
            symbol, row = divmod(start + position, count)
            wrong[row, symbol] = message
        start += len(column)
    findings = [
        _wide_reject(cells, layout, row, symbol, message, dates)
        for (row, symbol), message in sorted(
            [((row, -1), message) for row, message in undated.items()]
            + [(place, message) for place, message in wrong.items() if place[0] not in undated]
        )
    ]
    known = values != UNKNOWN
    known[np.isnat(dates)] = False
    rows, codes = np.nonzero(known)
    numbers = {price: values[rows, codes]}
    if layout.no_distributions:
        numbers["dividend_amount"] = np.zeros(rows.size, dtype=np.int64)
        numbers["split_ratio"] = np.full(rows.size, ONE_SPLIT)
    bars = Bars.from_columns(layout.symbols, codes, dates[rows], rows=cells.rows[rows], **numbers)
    return PriceBatch(_with_symbols_in_order(bars), tuple(findings))


def _wide_reject(
    cells: Cells, layout: Layout, row: int, symbol: int, message: str, dates: DateArray
) -> Finding:
    number = symbol >= 0
    said = said_in(cells.columns[symbol + 1], row)
    return Finding(
        rule="unreadable_number" if number else "unreadable_date",
        level=Level.REJECT,
        message=f"{layout.fields[1]} {message}" if number else message,
        symbol=layout.symbols[symbol] if number else None,
        date=dates[row].item() if number else None,
        field=layout.fields[1] if number else "date",
        value=said,
        file=cells.file,
        row=int(cells.rows[row]),
        text=cells.text(row),
    )
