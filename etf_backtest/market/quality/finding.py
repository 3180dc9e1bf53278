"""What a check of prices has found: where, which rule, and how bad it is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from etf_backtest.typing import JsonObject


class Level(StrEnum):
    """How bad it is."""

    REJECT = "reject"
    """The row cannot be stored."""
    WARN = "warn"
    """The row can be stored, and somebody should look at it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule has found.

    Attributes
    ----------
    rule : str
        The rule's name, in snake_case (docs/prices.md lists them).
    level : Level
    message : str
        What is wrong and what was expected, without place: "close 12 is above high 11".
    symbol, date, field, value : str, date, str, str, or None
        Where, and what stands there, as far as the rule is about one.
    last : date, optional
        The last day, where the finding is about a run of sessions that begins on `date`.
    file, row, text : str, int, str, or None
        The file, its line as an editor counts them, and the line as it stands.
    """

    rule: str
    level: Level
    message: str
    symbol: str | None = None
    date: dt.date | None = None
    field: str | None = None
    value: str | None = None
    last: dt.date | None = None
    file: str | None = None
    row: int | None = None
    text: str | None = None

    def __str__(self) -> str:
        """The place and the message: "row 7, SPY, 2024-01-02: close 12 is above high 11"."""
        day = self.date and self.date.isoformat()
        if self.last is not None and self.last != self.date:
            day = f"{day} to {self.last.isoformat()}"
        row = None if self.row is None else f"row {self.row}"
        where = ", ".join(part for part in (row, self.symbol, day) if part)
        return f"{where}: {self.message}" if where else self.message

    def to_dict(self) -> JsonObject:
        """The finding, ready for JSON."""
        return {
            "rule": self.rule,
            "level": self.level.value,
            "symbol": self.symbol,
            "date": None if self.date is None else self.date.isoformat(),
            "last": None if self.last is None else self.last.isoformat(),
            "field": self.field,
            "value": self.value,
            "file": self.file,
            "row": self.row,
            "message": self.message,
        }
