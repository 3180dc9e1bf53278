"""Files of funds: what is read, and how each fault is told."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest.errors import FundFileError
from etf_backtest.providers.fund_cells import (
    READERS,
    UnreadableCellError,
    read_amount,
    read_price,
    read_ratio,
)
from etf_backtest.providers.fund_file import FundFile, FundRow, read_funds

HEADER = "symbol,valid_from,name,expense_ratio"


def read(folder: Path, content: str | bytes) -> FundFile:
    path = folder / "funds.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_funds(path)


def refused(folder: Path, content: str | bytes) -> FundFileError:
    with pytest.raises(FundFileError) as caught:
        read(folder, content)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0003", "0.0003"),
        ("0.03%", "0.0003"),
        ("0.03 %", "0.0003"),
        ("0.0945%", "0.000945"),
        ("0", "0"),
        ("3e-4", "0.0003"),
        ("0.1", "0.1"),
        ("12.86%", "0.1286"),
        ("100%", "1"),
    ],
)
def test_a_ratio_is_a_fraction_or_has_a_percent_sign(text: str, expected: str) -> None:
    assert read_ratio(text) == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0.2", "was 0.2% meant?"),
        ("1", "was 1% meant?"),
        ("3", "0 to 100%"),
        ("101%", "0 to 100%"),
        ("-0.01%", "0 to 100%"),
        ("0,03%", "a point is the decimal sign"),
        ("0.03 percent", "a percent like 0.03%"),
        ("nan", "a fraction like 0.0003"),
        ("%", "a fraction like 0.0003"),
        ("0.03%%", "a fraction like 0.0003"),
        ("0.09455%", "at most 4 decimals of a percent"),
        ("\N{ARABIC-INDIC DIGIT ONE}%", "a fraction like 0.0003"),
    ],
)
def test_what_is_no_ratio(text: str, told: str) -> None:
    with pytest.raises(UnreadableCellError, match=told.replace("?", r"\?")):
        read_ratio(text)


@given(st.integers(0, 100_000))
def test_a_percent_and_its_fraction_are_the_same(ratio: int) -> None:
    fraction = Decimal(ratio).scaleb(-6)
    assert read_ratio(str(fraction)) == read_ratio(f"{fraction * 100}%") == fraction


def test_amounts_and_prices() -> None:
    assert read_amount("1.25e9") == 1_250_000_000
    assert read_amount("0") == 0
    assert read_price("12.3456") == Decimal("12.3456")
    for text in ("1,000", "-1", "1.234", "$5", "1e18", "5%", "1e-3"):
        with pytest.raises(UnreadableCellError):
            read_amount(text)
    for text in ("0", "1.23456", "1000000", "-3", "12,5"):
        with pytest.raises(UnreadableCellError):
            read_price(text)


def test_a_row(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        "Symbol,Valid From,name,expense_ratio,delisted_date,status,source\n"
        'aaa,2024-12-31,"A, or not",0.03%,,Active,\n'
        "\n"
        "BBB,2020-10-26,B,,2020-10-26,delisted,press release\n",
    )
    assert file.rows == (
        FundRow(
            2, "AAA", dt.date(2024, 12, 31), "A, or not",
            expense_ratio=Decimal("0.0003"), status="active",
        ),
        FundRow(
            4, "BBB", dt.date(2020, 10, 26), "B",
            delisted_date=dt.date(2020, 10, 26), status="delisted", source="press release",
        ),
    )  # fmt: skip
    assert file.warnings == ()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_marks_and_ends_of_lines(tmp_path: Path, end: str, mark: bytes) -> None:
    text = f"{HEADER}\nAAA,2024-12-31,Ä,0.03%\nBBB,2024-12-31,B,0.04%"
    file = read(tmp_path, mark + text.replace("\n", end).encode())
    assert [(row.row, row.symbol, row.name) for row in file.rows] == [
        (2, "AAA", "Ä"),
        (3, "BBB", "B"),
    ]


def test_a_doubtful_ratio_is_taken_and_told(tmp_path: Path) -> None:
    file = read(tmp_path, f"{HEADER}\nAAA,2024-12-31,A,0.03\nBBB,2024-12-31,B,3%\n")
    assert [row.expense_ratio for row in file.rows] == [Decimal("0.03"), Decimal("0.03")]
    assert file.warnings == (
        "row 2, AAA: the expense ratio 0.03 is 3% a year; write 0.03% if that was meant",
    )


def test_every_problem_is_told_with_its_place(tmp_path: Path) -> None:
    error = refused(
        tmp_path,
        f"{HEADER}\n"
        "AAA,31.12.2024,A,0.3\n"
        "BBB,2024-12-31,B\n"
        ",2024-12-31,C,0.03%\n"
        "DDD,2024-02-30,D,\n"
        "EEE,2024-12-31,E,\n"
        "eee,2024-12-31,E,\n"
        "F F,2024-12-31,F,\n",
    )
    assert [(p.row, p.symbol, p.field, p.value) for p in error.problems] == [
        (2, "AAA", "valid_from", "31.12.2024"),
        (2, "AAA", "expense_ratio", "0.3"),
        (3, None, None, None),
        (4, None, "symbol", ""),
        (5, "DDD", "valid_from", "2024-02-30"),
        (7, "EEE", "valid_from", "2024-12-31"),
        (8, "F F", "symbol", "F F"),
    ]
    assert str(error.problems[0]) == (
        "row 2, AAA: valid_from '31.12.2024': expected a date like 2024-12-31"
    )
    assert str(error.problems[2]) == "row 3: 3 cells where the header has 4"
    assert "row 6 is of that day, too" in error.problems[5].expected
    assert error.message == (
        "funds.csv: row 2, AAA: valid_from '31.12.2024': expected a date like 2024-12-31 "
        "(and 6 more problems)"
    )
    assert "nothing of it was stored" in str(error)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (HEADER, "has no funds in it"),
        ("symbol;valid_from\nAAA;2024-12-31\n", "is separated by ';'"),
        ("symbol,valid_from,expence_ratio\n", "did you mean expense_ratio?"),
        ("symbol,valid_from,name,name\n", "expected it once"),
        ("symbol,name\n", "expected a column valid_from"),
        (
            f"{HEADER}\nAAA,2024-12-31,\xc4,\n".encode("latin-1"),
            "is not UTF-8 (row 2, byte b'\\xc4')",
        ),
        (f"{HEADER}\nAAA".encode("utf-16"), "is UTF-16, not UTF-8"),
        (f"{HEADER}\nA\0A,2024-12-31,A,\n", "row 2 has a NUL byte"),
        (f'{HEADER}\nAAA,2024-12-31,"A,\n', "row 2: not CSV"),
        (f"{HEADER}\nAAA,2024-12-31,{'n' * 256},\n", "at most 255 characters, not 256"),
        (f"{HEADER}\nAAA,2024-12-31,A,0.03%,x\n", "a comma in a cell needs quotes"),
    ],
)
def test_what_is_no_file_of_funds(tmp_path: Path, content: str | bytes, told: str) -> None:
    assert told in str(refused(tmp_path, content))


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FundFileError, match="cannot be read: No such file"):
        read_funds(tmp_path / "none.csv")
    with pytest.raises(FundFileError, match="it is a folder"):
        read_funds(tmp_path)


@settings(max_examples=300)
@given(
    st.binary(max_size=200) | st.text(alphabet='symbol,valid_from\n\r"%0123456789.-A', max_size=200)
)
def test_anything_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for start in ("", f"{HEADER}\n"):
        data = start.encode() + (content.encode() if isinstance(content, str) else content)
        try:
            file = read(folder, data)
        except FundFileError as error:
            told = error.message
        else:
            told = str(file.rows)
        assert told


@given(st.sampled_from(sorted(READERS)), st.text(max_size=40))
def test_any_cell_is_read_or_refused(name: str, text: str) -> None:
    try:
        value = READERS[name](text)
    except UnreadableCellError as error:
        value = str(error)
    assert isinstance(value, str | Decimal | dt.date)
