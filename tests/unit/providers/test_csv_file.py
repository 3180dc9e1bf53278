"""Reading price files: what is taken, and what each kind of bad input is told."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etf_backtest.errors import PriceFileError
from etf_backtest.providers.csv_file import read_prices
from etf_backtest.providers.sample_prices import SAMPLE_SYMBOLS, read_sample_prices


def write(directory: Path, content: str | bytes) -> Path:
    path = directory / "prices.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


LONG = """symbol,date,open,high,low,close,adj_close,volume,dividend,split_ratio
SPY,2024-01-02,472.16,473.67,470.49,472.65,466.66,123623700,0,1
SPY,2024-01-03,470.43,471.19,468.17,468.79,462.85,103585900,1.5,2
"""


def test_long_file_keeps_every_digit(tmp_path: Path) -> None:
    file = read_prices(write(tmp_path, LONG), closes="traded")
    assert file.layout == "long"
    bar = file.bars[1]
    assert bar.symbol == "SPY"
    assert bar.date == dt.date(2024, 1, 3)
    assert (bar.close, bar.adjusted_close) == (Decimal("468.79"), Decimal("462.85"))
    assert (bar.volume, bar.dividend_amount) == (103585900, Decimal("1.5"))
    assert bar.split_ratio == Decimal(2)


def test_long_file_leaves_unknown_what_it_does_not_say(tmp_path: Path) -> None:
    bar = read_prices(write(tmp_path, "date,symbol,close\n2024-01-02,spy,472.65\n")).bars[0]
    assert bar.symbol == "SPY"
    assert bar.close == Decimal("472.65")
    assert bar.adjusted_close is None
    assert bar.dividend_amount is None
    assert bar.split_ratio is None


def test_no_distributions_is_the_callers_word_for_silent_cells(tmp_path: Path) -> None:
    path = write(tmp_path, "date,symbol,close,dividend\n2024-01-02,A,1,\n2024-01-03,A,1,0.5\n")
    first, second = read_prices(path, no_distributions=True).bars
    assert (first.dividend_amount, first.split_ratio) == (Decimal(0), Decimal(1))
    assert (second.dividend_amount, second.split_ratio) == (Decimal("0.5"), Decimal(1))


def test_closes_of_a_file_with_splits_need_a_word(tmp_path: Path) -> None:
    """125.01 -> 129.04 with a split of 4 may be a gain of 3 % or of 313 %: nobody can tell."""
    path = write(
        tmp_path,
        "symbol,date,close,split_ratio\nAAPL,2020-08-28,125.01,1\nAAPL,2020-08-31,129.04,4\n",
    )
    with pytest.raises(PriceFileError, match=r"splits \(AAPL on 2020-08-31\).*--closes traded"):
        read_prices(path)
    assert len(read_prices(path, closes="traded").bars) == 2


def test_no_distributions_does_not_overrule_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "date,symbol,close,split_ratio\n2024-01-02,A,1,0\n")
    with pytest.raises(PriceFileError, match="0 is not a split ratio"):
        read_prices(path, no_distributions=True)
    path = write(tmp_path, "date,symbol,close,Stock Splits\n2024-01-02,A,1,2\n")
    assert read_prices(path).ignored_columns == ("Stock Splits",)
    with pytest.raises(PriceFileError, match="'Stock Splits', which looks like distributions"):
        read_prices(path, no_distributions=True)


def test_wide_file_says_nothing_about_its_numbers_so_it_must_be_said(tmp_path: Path) -> None:
    path = write(tmp_path, "date,SPY,QQQ\n2024-01-02,472.65,\n2024-01-03,468.79,400\n")
    with pytest.raises(PriceFileError, match="--field close or --field adjusted_close"):
        read_prices(path)
    file = read_prices(path, wide_field="close")
    assert [(b.symbol, b.close, b.adjusted_close) for b in file.bars] == [
        ("SPY", Decimal("472.65"), None),
        ("SPY", Decimal("468.79"), None),
        ("QQQ", Decimal(400), None),
    ]
    assert file.empty_cells == 1
    assert read_prices(path, wide_field="adjusted_close").bars[0].close is None


def test_byte_order_mark_crlf_and_blank_lines_are_fine(tmp_path: Path) -> None:
    content = "\ufeffsymbol,date,close\r\nSPY,2024-01-02,472.65\r\n\r\n"
    assert len(read_prices(write(tmp_path, content)).bars) == 1


def test_unknown_columns_are_named_and_not_guessed(tmp_path: Path) -> None:
    file = read_prices(write(tmp_path, "symbol,date,close,vwap\nSPY,2024-01-02,1,2\n"))
    assert file.ignored_columns == ("vwap",)


HEAD = "symbol,date,open,high,low,close,volume\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD + "SPY,2024-01-02,1,2,1,-1,5\n", "row 2, SPY, 2024-01-02: close -1 is not a price"),
        (HEAD + "SPY,2024-01-02,1,2,1,0,5\n", "close 0 is not a price"),
        (HEAD + "SPY,2024-01-02,1,2,1,NaN,5\n", "close 'NaN' is not a number"),
        (HEAD + "SPY,2024-01-02,1,2,1,1_0,5\n", "close '1_0' is not a number"),
        (HEAD + "SPY,2024-01-02,1,2,1,12abc,5\n", "close '12abc' is not a number"),
        (HEAD + "SPY,2024-01-02,1,2,1,1e9,5\n", "close 1E\\+9 is not a price"),
        (HEAD + "SPY,2024-01-02,1,2,1,0.00001,5\n", "is not a price"),
        (HEAD + "SPY,2024-01-02,1,2,1,,5\n", "neither a close nor an adjusted close"),
        (HEAD + "SPY,2024-01-02,1,2,3,1,5\n", "low 3 is above high 2"),
        (HEAD + "SPY,2024-01-02,1,2,1,3,5\n", "close 3 is above high 2"),
        (HEAD + "SPY,2024-01-02,0.5,2,1,1,5\n", "open 0.5 is below low 1"),
        (HEAD + "SPY,2024-01-02,1,2,1,1,-5\n", "-5 is not a volume"),
        (HEAD + "SPY,2024-01-02,1,2,1,1,5.5\n", "volume '5.5' is not a number"),
        (HEAD + "SPY,01/02/2024,1,2,1,1,5\n", "'01/02/2024' is not a date like 2024-01-31"),
        (HEAD + "SPY,20240102,1,2,1,1,5\n", "'20240102' is not a date"),
        (HEAD + "SPY,2024-02-30,1,2,1,1,5\n", "'2024-02-30' is not a date"),
        (HEAD + "S PY,2024-01-02,1,2,1,1,5\n", "'S PY' is not a symbol"),
        (HEAD + "SPY,2024-01-02,1,2,1,1\n", "row 2: 6 cells where the header has 7"),
        (HEAD + 'SPY,2024-01-02,1,2,1,1,"5\n', "not CSV"),
        (HEAD, "has no prices in it"),
        ("", "has the header ''"),
        ("symbol;date;close\nSPY;2024-01-02;1\n", "is separated by ';'"),
        ("Date,Open,High,Low,Close\n2024-01-02,1,2,1,1\n", "has the column Open and no symbol"),
        (HEAD + "SPY,2020-W01-4,1,2,1,1,5\n", "'2020-W01-4' is not a date"),
        (HEAD + "stra\u00dfe,2024-01-02,1,2,1,1,5\n", "is not a symbol"),
        ("a,b\n1,2\n", "has the header 'a,b'"),
        ("symbol,close\nSPY,1\n", "has no column date"),
        ("symbol,date,open\nSPY,2024-01-02,1\n", "neither a column close nor adjusted_close"),
        ("symbol,date,close,Close\nSPY,2024-01-02,1,1\n", "has the column close twice"),
        (b"symbol,date,close\nSPY,2024-01-02,\xff1\n", "is not UTF-8"),
        (b"symbol,date,close\nSPY,2024-01-02,1\x00\n", "has NUL bytes"),
    ],
)
def test_bad_file_is_refused_whole_and_says_where(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(PriceFileError, match=message):
        read_prices(write(tmp_path, content))


def test_a_bar_that_is_there_twice_names_both_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "symbol,date,close\nA,2024-01-02,1\nB,2024-01-02,1\nA,2024-01-02,1\n")
    with pytest.raises(PriceFileError, match=r"row 4, A, 2024-01-02: .* first in row 2"):
        read_prices(path)


def test_all_problems_are_counted_and_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "symbol,date,close\nA,2024-01-02,0\nA,x,1\nA,2024-01-04,-1\n")
    with pytest.raises(PriceFileError, match="and 2 more problems") as caught:
        read_prices(path)
    assert [problem.row for problem in caught.value.problems] == [2, 3, 4]


def test_a_missing_file_and_a_folder_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match=r"nowhere\.csv: cannot be read: No such file"):
        read_prices(tmp_path / "nowhere.csv")
    with pytest.raises(PriceFileError, match="cannot be read: Is a directory"):
        read_prices(tmp_path)


def test_wide_file_with_bad_headers(tmp_path: Path) -> None:
    for content, message in [
        ("date\n2024-01-02\n", "no symbols beside it"),
        ("date,A,a\n2024-01-02,1,1\n", "has the column A twice"),
        ("date,S PY\n2024-01-02,1\n", "'S PY', which is no symbol"),
    ]:
        with pytest.raises(PriceFileError, match=message):
            read_prices(write(tmp_path, content), wide_field="close")


def test_a_field_for_a_file_that_names_its_columns_is_a_contradiction(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match="leave the field option out"):
        read_prices(write(tmp_path, LONG), wide_field="close")


@given(content=st.binary(max_size=200))
def test_any_bytes_give_bars_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = write(tmp_path_factory.mktemp("fuzz"), b"symbol,date,close\nA,2024-01-02," + content)
    try:
        bars = read_prices(path).bars
    except PriceFileError as error:
        bars, problem = (), error
        assert problem.path == path
    assert all(bar.close is not None and bar.close > 0 for bar in bars)


def test_sample_is_what_its_provenance_says() -> None:
    """2,264 sessions of 5 ETFs, adjusted closes only; first and last prices as in the file."""
    file = read_sample_prices()
    assert len(file.bars) == 5 * 2264
    assert {bar.symbol for bar in file.bars} == set(SAMPLE_SYMBOLS)
    assert all(bar.close is None and bar.adjusted_close is not None for bar in file.bars)
    by_key = {(bar.symbol, bar.date): bar.adjusted_close for bar in file.bars}
    assert by_key["MTUM", dt.date(2014, 1, 2)] == Decimal("52.704")
    assert by_key["VLUE", dt.date(2022, 12, 28)] == Decimal("88.473")


def test_sample_equals_the_data_of_the_skfolio_distribution() -> None:
    from skfolio.datasets import load_factors_dataset  # type: ignore[import-untyped]

    theirs = load_factors_dataset()
    ours = {(bar.symbol, bar.date): bar.adjusted_close for bar in read_sample_prices().bars}
    for symbol in SAMPLE_SYMBOLS:
        for date, price in theirs[symbol].items():
            assert float(ours[symbol, date.date()] or 0) == price
