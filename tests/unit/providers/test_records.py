"""Bytes into records: lines as an editor counts them, quotes, encodings."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etf_backtest.errors import LayoutError
from etf_backtest.providers import records as records_module
from etf_backtest.providers.records import record_blocks
from tests.oracles import csv_bars


def read(content: bytes, size: int = 64) -> list[tuple[int, str, int]]:
    """Row, text and number of cells of every record."""
    return [
        (int(block.rows[i]), block.text(i), int(block.cells[i]))
        for block in record_blocks(io.BytesIO(content).read, size=size)
        for i in range(len(block))
    ]


near_csv = st.text(
    st.sampled_from(['"', ",", "\n", "\r", "a", "é", " ", "1", "€"]), max_size=60
) | st.lists(
    st.sampled_from(['"a"', "b", '"c\nd"', '"e""f"', "\n", ",", "\r\n", '"', '""', "\r"]),
    max_size=25,
).map("".join)


@given(text=near_csv, size=st.integers(1, 50))
@example(text='a,"\n1,2\n3,4\n', size=4)  # a quote that is never closed swallows no other line
@example(text='a,"b\r\nc"\r\nd', size=7)  # CRLF in quotes, cut between CR and LF
@example(text='"a""', size=3)
@example(text='"\n"x\n1,2\n', size=2)
def test_blocks_of_any_size_give_what_a_slow_reader_gives(text: str, size: int) -> None:
    """The oracle walks character by character over the whole text (tests/oracles/csv_bars.py)."""
    expected = [
        (record.row, record.text, 0 if record.cells is None else len(record.cells))
        for record in csv_bars.records(text)
    ]
    assert read(text.encode(), size) == expected


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    content = b"a\n\n\r\nb\rc\r\n\r\nd"
    assert [(row, text) for row, text, _ in read(content) if text] == [
        (1, "a"),
        (4, "b"),
        (5, "c"),
        (7, "d"),
    ]


def test_a_mark_of_utf_8_belongs_to_no_cell() -> None:
    assert read("\ufeffa,b\n".encode()) == [(1, "a,b", 2)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n".encode("utf-16"), "is UTF-16, not UTF-8"),
        ("a,b\n".encode("utf-16-be"), "has a NUL byte \\(byte 1, row 1\\)"),
        ("a,b\n".encode("utf-32"), "is UTF-32, not UTF-8"),
        ("a\r\nb\nstraße\n".encode("latin-1"), "byte 10 is 0xDF, row 3"),
        (b"a\nb\n" + "€".encode()[:2], "byte 5 is 0xE2, row 3"),
        (b"a\n\n1,2\x00\n", "has a NUL byte \\(byte 7, row 3\\)"),
    ],
)
@pytest.mark.parametrize("size", [4, 64])
def test_other_encodings_are_told_with_their_place(content: bytes, message: str, size: int) -> None:
    with pytest.raises(LayoutError, match=message):
        read(content, size)


def test_a_file_without_line_ends_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records_module, "LONGEST_LINE", 1000)
    with pytest.raises(LayoutError, match="row 2 is longer than"):
        read(b"a\n" + b"1," * 1000)


def test_a_quote_that_does_not_end_soon_is_a_stray_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a file of gigabytes would have to be held until its end."""
    monkeypatch.setattr(records_module, "LONGEST_RECORD", 100)
    rest = [(row, "1,2", 2) for row in range(2, 202)]
    assert read(b'a,"\n' + b"1,2\n" * 200) == [(1, 'a,"', 0), *rest]
