"""Cells that a spreadsheet would take for formulas, and back again.

Whoever opens a CSV file in a spreadsheet runs what its cells say: =HYPERLINK(...), +1-cmd... An
apostrophe before such a cell makes it text. It is taken away again by what reads our files, so
that nothing is lost; a cell that has one already gets a second.
"""

from __future__ import annotations

import re

_FORMULA = re.compile(r"['\s]*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")
"""How a formula begins, also in the wide characters of Japanese keyboards, or behind blanks."""
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?", re.ASCII)
"""-1.5 is computed to -1.5: no need to change it."""


def as_text(cell: str) -> str:
    """The cell, with an apostrophe before it where a spreadsheet would compute it."""
    if _FORMULA.match(cell) is None or _NUMBER.fullmatch(cell) is not None:
        return cell
    return f"'{cell}"


def from_text(cell: str) -> str:
    """What `as_text` was given."""
    return cell[1:] if cell.startswith("'") and as_text(cell[1:]) == cell else cell
