"""Rows that were not stored, as a file."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from etf_backtest.errors import PriceFileError
from etf_backtest.market.quality import Finding, Level
from etf_backtest.providers.rejects_file import HEADER, write_rejects

FINDING = Finding(
    "unreadable_number",
    Level.REJECT,
    "close 'x' is not a number like 1234.5",
    symbol="SPY",
    date=dt.date(2024, 1, 2),
    field="close",
    value="x",
    file="prices.csv",
    row=2,
    text='SPY,2024-01-02,"x\ny"',
)


def test_each_finding_is_a_line_that_says_where_and_why(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    assert write_rejects(path, [FINDING, Finding("wrong_width", Level.REJECT, "2 cells")]) == 2
    with path.open(newline="", encoding="utf-8") as file:
        header, first, second = csv.reader(file)
    assert tuple(header) == HEADER
    assert dict(zip(HEADER, first, strict=True)) == {
        "file": "prices.csv",
        "row": "2",
        "symbol": "SPY",
        "date": "2024-01-02",
        "field": "close",
        "value": "x",
        "rule": "unreadable_number",
        "message": "close 'x' is not a number like 1234.5",
        "text": 'SPY,2024-01-02,"x\ny"',
    }
    assert second == ["", "", "", "", "", "", "wrong_width", "2 cells", ""]


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    path.write_text("mine")
    with pytest.raises(
        PriceFileError, match=r"\.csv: is there already \(give another name, or remove it first\)"
    ):
        write_rejects(path, [FINDING])
    assert path.read_text() == "mine"


def test_nothing_half_is_left(tmp_path: Path) -> None:
    def failing() -> Iterator[Finding]:
        yield FINDING
        raise KeyError("stopped")

    with pytest.raises(KeyError, match="stopped"):
        write_rejects(tmp_path / "rejects.csv", failing())
    assert not list(tmp_path.iterdir())
