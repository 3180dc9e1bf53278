"""CSV files: what is taken, what each kind of bad input is told, and that nothing is lost."""

from __future__ import annotations

import datetime as dt
import gzip
from functools import partial
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etf_backtest.errors import EtfBacktestError, PriceFileError
from etf_backtest.market.bars import UNKNOWN
from etf_backtest.market.quality import Level
from etf_backtest.providers import csv_prices
from etf_backtest.providers.records import record_blocks
from tests.oracles import csv_bars
from tests.unit.providers.reading import bars, batches, findings, opened, rejects

HEAD = "symbol,date,open,high,low,close,volume\n"
ROW = "SPY,2024-01-02,472.16,473.67,470.49,472.65,123623700\n"


def write(directory: Path, content: str | bytes, name: str = "prices.csv") -> Path:
    path = directory / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_every_digit_is_kept(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "symbol,date,close,adj_close,volume,dividend,split_ratio\n"
        "spy,2024-01-02,472.65,466.6612,9007199254740993,0.123456,1.000000000001\n",
    )
    assert bars(batches(path, closes="traded")) == [
        {
            "row": 2,
            "symbol": "SPY",
            "date": "2024-01-02",
            "close": "472.6500",
            "adjusted_close": "466.6612",
            "volume": "9007199254740993",  # 2**53 + 1: no float has it
            "dividend_amount": "0.123456",
            "split_ratio": "1.000000000001",
        }
    ]


@pytest.mark.parametrize(
    "content",
    [
        HEAD + ROW,
        "\ufeff" + HEAD + ROW,
        (HEAD + ROW).replace("\n", "\r\n"),
        (HEAD + ROW).replace("\n", "\r"),
        '"' + (HEAD + ROW).replace(",", '","').replace("\n", '"\n"').removesuffix('"'),
        (HEAD + ROW).replace(",", " , "),
        HEAD.upper() + ROW,
        "note," + HEAD + '"two\nlines, ""quoted""",' + ROW,
        gzip.compress((HEAD + ROW).encode(), mtime=0),
        gzip.compress(HEAD.encode(), mtime=0)
        + gzip.compress(ROW.encode(), mtime=0),  # as `cat a.gz b.gz` makes it
    ],
    ids=["plain", "mark", "CRLF", "CR", "quoted", "blanks", "upper", "note", "gzip", "two gzips"],
)
def test_forms_of_the_same_file(tmp_path: Path, content: str | bytes) -> None:
    read = batches(write(tmp_path, content))
    assert [(b["symbol"], b["close"], b["volume"]) for b in bars(read)] == [
        ("SPY", "472.6500", "123623700")
    ]
    assert not findings(read, Level.REJECT)


def test_blank_lines_count_and_say_nothing(tmp_path: Path) -> None:
    """An editor shows the second row of prices on line 7."""
    path = write(tmp_path, "\n" + HEAD + "\r\n" + ROW + "  \t\n,,,,,,\n" + ROW)
    assert [b["row"] for b in bars(batches(path))] == [4, 7]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("SPY,2024-01-02,1,2,1,NaN,5", "row 2, SPY, 2024-01-02: close 'NaN' is not a number"),
        ("SPY,2024-01-02,1,2,1,1_0,5", "close '1_0' is not a number like 1234.5"),
        ("SPY,2024-01-02,1,2,1,12abc,5", "close '12abc' is not a number"),
        ('SPY,2024-01-02,1,2,1,"472,65",5', "close '472,65' is not a number like 1234.5"),
        ('SPY,2024-01-02,1,2,1,"1,472.65",5', "close '1,472.65' is not a number"),
        ("SPY,2024-01-02,1,2,1,472,65,5", "8 cells where the header has 7 (a comma in a number?)"),
        ("SPY,2024-01-02,1,2,1,1e16,5", "close 1E+16 is out of range"),
        ("SPY,2024-01-02,1,2,1,1,5.5", "volume '5.5' is not a number like 1234: it is not whole"),
        ("SPY,01/02/2024,1,2,1,1,5", "row 2, SPY: '01/02/2024' is not a date like 2024-01-31"),
        ("SPY,02.01.2024,1,2,1,1,5", "'02.01.2024' is not a date"),
        ("SPY,20240102,1,2,1,1,5", "'20240102' is not a date"),
        ("SPY,2024-02-30,1,2,1,1,5", "'2024-02-30' is not a date"),
        ("SPY,2020-W01-4,1,2,1,1,5", "'2020-W01-4' is not a date"),
        ("SPY,2024-01-02 09:30:00,1,2,1,1,5", "like 2024-01-31 (it has a clock time)"),
        ("SPY,2024-01-02T00:00:00Z,1,2,1,1,5", "(it has a clock time)"),
        ("SPY,,1,2,1,1,5", "row 2, SPY: has no date"),
        (",2024-01-02,1,2,1,1,5", "row 2, 2024-01-02: has no symbol"),
        ("SPY,2024-01-02,1,2,1,1", "row 2: 6 cells where the header has 7"),
        ('SPY,2024-01-02,1,2,1,1"2,5', "row 2: not CSV: a quote stands where none may"),
        ('SPY,2024-01-02,1,2,1,"1"2,5', "not CSV"),
        ('SPY,2024-01-02,1,2,1,1,"5', "not CSV"),
        ("SPY;2024-01-02;1;2;1;1;5", "1 cell where the header has 7"),
    ],
)
def test_a_row_that_cannot_be_read_is_one_reject_with_its_text(
    tmp_path: Path, row: str, message: str
) -> None:
    read = batches(write(tmp_path, f"{HEAD}{row}\n{ROW}"))
    (finding,) = findings(read, Level.REJECT)
    assert message in str(finding)
    assert (finding.file, finding.row, finding.text) == ("prices.csv", 2, row)
    assert [b["row"] for b in bars(read)] == [3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "prices.csv: is empty"),
        ("\n\n  \n", "is empty"),
        (HEAD, "has no prices in it"),
        (HEAD + "\n,,,,,,\n", "has no prices in it"),
        ('sym"bol,date,close\nA,2024-01-02,1\n', "row 1: not CSV: a quote stands wrong"),
        ("symbol;date;close\nSPY;2024-01-02;1\n", "is separated by ';'"),
        ("symbol\tdate\tclose\nSPY\t2024-01-02\t1\n", r"is separated by '\t'"),
        (HEAD.encode("utf-16"), "is UTF-16, not UTF-8 (save it as UTF-8 and try again)"),
        ((HEAD + "Stra\u00dfe").encode("latin-1"), "(byte 44 is 0xDF, row 2)"),
        (HEAD + ROW + "\0" * 100, "has a NUL byte (byte 93, row 3)"),
        (
            gzip.compress((HEAD + ROW).encode(), mtime=0)[:-12],
            "is cut off: its gzip data ends early",
        ),
        (
            gzip.compress((HEAD + ROW).encode(), mtime=0)[:12],
            "is cut off: its gzip data ends early",
        ),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0" + b"\xff" * 40, "has damaged gzip data"),
        (
            gzip.compress(HEAD.encode(), mtime=0) + b"rubbish",
            "has damaged gzip data: Not a gzipped file",
        ),
        (b"PK\x03\x04rest", "is a ZIP archive or an Excel workbook (save it as CSV or Parquet)"),
    ],
)
def test_a_file_that_is_no_table_is_one_error(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(PriceFileError) as caught:
        batches(path)
    assert message in str(caught.value)
    assert caught.value.path == path


def test_a_last_line_that_was_cut_is_a_reject_or_a_warning(tmp_path: Path) -> None:
    """4 of its 7 cells are a reject; all of them, without an end, may be cut in the last number."""
    read = batches(write(tmp_path, HEAD + ROW + ROW[:25]))
    assert rejects(read) == ["row 3: 4 cells where the header has 7 (the file is cut off here)"]
    read = batches(write(tmp_path, HEAD + ROW + ROW[:-3]))
    (finding,) = findings(read)
    assert (finding.rule, finding.level, finding.row) == ("no_end_of_line", Level.WARN, 3)
    assert len(bars(read)) == 2


def test_the_header_may_not_change_between_looking_and_reading(tmp_path: Path) -> None:
    source = opened(write(tmp_path, "symbol,date,close\nA,2024-01-02,1\n"))
    write(tmp_path, "symbol,date,open,close\nA,2024-01-02,1,1\n")
    with pytest.raises(PriceFileError, match="was changed after its header was read"):
        list(source.batches())


def test_many_batches_are_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 rows in blocks of 100 bytes and batches of 7 rows, two of them wrong."""
    monkeypatch.setattr(csv_prices, "MOST_ROWS", 7)
    monkeypatch.setattr(csv_prices, "record_blocks", partial(record_blocks, size=100))
    lines = [f"S{i % 3},{dt.date(2020, 1, 1) + dt.timedelta(i)},{i}.5" for i in range(1, 1001)]
    lines[500], lines[700] = "S1,x,1", "S1,2024-01-02"
    path = write(tmp_path, "symbol,date,close\n" + "\n".join(lines) + "\n")
    read = batches(path)
    assert all(len(batch.bars) <= 7 for batch in read)
    assert [b["row"] for b in bars(read)] == [i + 1 for i in range(1, 1001) if i not in (501, 701)]
    assert [f.row for f in findings(read)] == [502, 702]


cells = st.sampled_from(
    ["1", "472.65", "0.00005", "1e3", "", " 7 ", "x", "-1", "1,5", '"', '"2.5"', '"a,b"', '"c\nd"']
) | st.sampled_from(["1" * 25, "NaN", "\u00e9", "5.5", '"1"2', '""', "."])
dates = st.sampled_from(
    ["2024-01-02", "2024-02-30", "", "01/02/2024", '"2024-01-03"', "0000-01-01"]
)
symbols = st.sampled_from(["SPY", "spy", "", '"QQQ"', "\u00e9", " A "])
good_lines = st.tuples(symbols, dates, cells, cells, cells, cells).map(",".join)
bad_lines = st.text(st.sampled_from(list('",ab1 \t.-\r')), max_size=20)
tables = st.lists(good_lines | good_lines | bad_lines, max_size=12)
ends = st.sampled_from(["\n", "\r\n", "\r"])
FUZZ_HEAD = "symbol,date,open,close,dividend,note"


@given(lines=tables, end=ends, ended=st.booleans())
@example(lines=['A,2024-01-02,1,1,1,"', "A,2024-01-03,1,1,1,b"], end="\n", ended=True)
@example(lines=['A,2024-01-02,"1', '",1,1,b', "A,2024-01-03,1,1,1,b"], end="\r\n", ended=False)
@example(lines=["A,2024-01-02,1,1,1,\u00e9"], end="\r", ended=False)
def test_every_line_is_a_bar_or_a_reject_as_a_slow_reader_says(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str, ended: bool
) -> None:
    """The oracle reads character by character, with Decimal (tests/oracles/csv_bars.py)."""
    text = end.join([FUZZ_HEAD, *lines]) + end * ended
    path = write(tmp_path_factory.mktemp("fuzz"), text)
    expected = csv_bars.outcomes(text)
    if not expected:
        with pytest.raises(PriceFileError, match="has no prices in it"):
            batches(path)
        return
    read = batches(path)
    got = [
        csv_bars.Outcome(
            int(batch.bars.rows[i]),
            batch.bars.symbol(i),
            batch.bars.dates[i].item(),
            {
                name: None if batch.bars.numbers(name)[i] == UNKNOWN else int(n)
                for name in ("open", "close", "dividend_amount")
                for n in [batch.bars.numbers(name)[i]]
            },
        )
        for batch in read
        for i in range(len(batch.bars))
    ]
    got += [
        csv_bars.Outcome(
            finding.row or 0,
            finding.symbol,
            finding.date,
            None,
            "shape" if finding.rule in ("not_csv", "wrong_width") else finding.field,
        )
        for finding in findings(read, Level.REJECT)
    ]
    assert sorted(got, key=lambda outcome: outcome.row) == expected


@given(content=st.binary(max_size=300))
@example(content=b"\x1f\x8b")
@example(content=b"PAR1")
@example(content=b"PAR1" + b"\0" * 8 + b"PAR1")
@example(content=b"symbol,date,close\n\x1f\x8b,")
def test_any_bytes_give_bars_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    directory = tmp_path_factory.mktemp("fuzz")
    for start in (b"", b"symbol,date,close\nA,2024-01-02,", gzip.compress(b"date,A\n", mtime=0)):
        try:
            read = batches(write(directory, start + content))
        except EtfBacktestError:
            continue
        assert bars(read) or rejects(read)
