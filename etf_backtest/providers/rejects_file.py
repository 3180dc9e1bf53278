"""Rows that were not stored, with the reasons, as a file to mend them by."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable
from pathlib import Path

from etf_backtest.errors.wording import unseen
from etf_backtest.market.quality import Finding
from etf_backtest.providers.new_file import new_file
from etf_backtest.providers.spreadsheet import as_text

HEADER = ("file", "row", "symbol", "date", "field", "value", "rule", "message", "text")


def write_rejects(path: Path, findings: Iterable[Finding]) -> int:
    """Write findings as CSV, one a line; never over a file that is there.

    What a spreadsheet would compute has an apostrophe before it (`spreadsheet.as_text`).

    Parameters
    ----------
    path : Path
    findings : iterable of Finding

    Returns
    -------
    int
        How many there are.

    Raises
    ------
    PriceFileError
        It is there already, or the disk does not take it; nothing of it is left then.
    """
    count = 0
    with new_file(path) as file:
        text = codecs.getwriter("utf-8")(file, "backslashreplace")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(HEADER)
        for finding in findings:
            cells = _cells(finding)
            writer.writerow(_shown(cell) if isinstance(cell, str) else cell for cell in cells)
            count += 1
    return count


def _shown(cell: str) -> str:
    """As it was written, but for what a terminal or a spreadsheet would obey."""
    if unseen(cell, lines=True) is not None:
        cell = "".join(repr(c)[1:-1] if unseen(c, lines=True) else c for c in cell)
    return as_text(cell)


def _cells(finding: Finding) -> tuple[str | int | None, ...]:
    date = None if finding.date is None else finding.date.isoformat()
    return (
        finding.file,
        finding.row,
        finding.symbol,
        date,
        finding.field,
        finding.value,
        finding.rule,
        finding.message,
        finding.text,
    )
