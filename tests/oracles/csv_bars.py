"""A slow second reader of our long CSV form: one character and one Decimal after the other."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

ALIASES = {
    "symbol": "symbol",
    "date": "date",
    "open": "open",
    "close": "close",
    "volume": "volume",
    "dividend": "dividend_amount",
    "split_ratio": "split_ratio",
}
PLACES = {"open": 4, "close": 4, "volume": 0, "dividend_amount": 6, "split_ratio": 12}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True)
class Record:
    """Where a record begins, and its cells; none where its quotes are wrong."""

    row: int
    text: str
    cells: tuple[str, ...] | None


def records(text: str) -> list[Record]:
    """The records of a text; a line with a wrong quote is one without cells."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text and not text.endswith("\n"):
        text += "\n"
    found = []
    place = 0
    while place < len(text):
        cells, end = _cells(text, place)
        if cells is None:
            end = text.index("\n", place)
        row = text.count("\n", 0, place) + 1
        found.append(Record(row, text[place:end], cells))
        place = end + 1
    return found


def _cells(text: str, place: int) -> tuple[tuple[str, ...] | None, int]:
    cells = []
    while True:
        cell = ""
        if text[place] == '"':
            place += 1
            while True:
                if place == len(text):
                    return None, place
                if text[place] != '"':
                    cell += text[place]
                    place += 1
                elif text[place + 1 : place + 2] == '"':
                    cell += '"'
                    place += 2
                else:
                    place += 1
                    break
            if text[place] not in ",\n":
                return None, place
        else:
            while text[place] not in ",\n":
                if text[place] == '"':
                    return None, place
                cell += text[place]
                place += 1
        cells.append(cell)
        if text[place] == "\n":
            return tuple(cells), place
        place += 1


@dataclass(frozen=True)
class Outcome:
    """A bar with its scaled numbers, or a reject with the field that is wrong."""

    row: int
    symbol: str | None
    date: dt.date | None
    numbers: dict[str, int | None] | None
    wrong: str | None = None


def outcomes(text: str) -> list[Outcome]:
    """What becomes of each line that says something, after the header."""
    header, *rest = [record for record in records(text) if record.text.strip(" \t,")]
    assert header.cells is not None
    fields = [ALIASES.get(name.strip().lower().replace(" ", "_")) for name in header.cells]
    return [_outcome(record, fields) for record in rest]


def _outcome(record: Record, fields: list[str | None]) -> Outcome:
    if record.cells is None or len(record.cells) != len(fields):
        return Outcome(record.row, None, None, None, "shape")
    cells = {field: cell.strip() for field, cell in zip(fields, record.cells, strict=True) if field}
    symbol = cells["symbol"].upper() if cells["symbol"].isascii() else cells["symbol"]
    wrong = None if symbol else "symbol"
    date = None
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", cells["date"], re.ASCII):
            date = dt.date.fromisoformat(cells["date"])
    except ValueError:
        pass
    if date is None:
        wrong = wrong or "date"
    numbers: dict[str, int | None] = {}
    for field, cell in cells.items():
        if field in PLACES:
            try:
                numbers[field] = scaled(cell, PLACES[field], whole=field == "volume")
            except ValueError:
                wrong = wrong or field
    return Outcome(record.row, symbol or None, date, None if wrong else numbers, wrong)


def scaled(cell: str, places: int, *, whole: bool = False) -> int | None:
    """A number times 10**places, half to even; None of an empty cell."""
    if not cell:
        return None
    if not NUMBER.fullmatch(cell):
        raise ValueError(cell)
    with localcontext() as context:
        context.prec = 3000
        exact = Decimal(cell) * 10**places
        number = exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
        if (whole and number != exact) or abs(number) >= 2**63:
            raise ValueError(cell)
        return int(number)
