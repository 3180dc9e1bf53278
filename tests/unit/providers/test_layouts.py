"""Which form of table a header is, and what the caller has to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from etf_backtest.errors import LayoutError, PriceFileError
from etf_backtest.market.quality import Level
from etf_backtest.providers.layouts import PriceOptions, layout_of
from tests.unit.providers.reading import FILES, bars, batches, findings, opened, rejects


def test_yahoo_says_its_symbol_by_the_file_and_its_closes_are_split_adjusted() -> None:
    source = opened(FILES / "SPY.csv")
    assert source.split_adjusted is True
    assert bars(list(source.batches()))[0] == {
        "row": 2,
        "symbol": "SPY",
        "date": "2024-01-02",
        "open": "472.1600",
        "high": "473.6700",
        "low": "470.4900",
        "close": "472.6500",
        "adjusted_close": "463.1907",
        "volume": "123623700",
    }


def test_yfinance_writes_midnight_and_0_for_no_split() -> None:
    """AAPL 2020: 0.82 paid before a split of 4, so 0.205 of today's shares."""
    read = batches(FILES / "AAPL.csv")
    assert [(b["date"], b["dividend_amount"], b["split_ratio"]) for b in bars(read)] == [
        ("2020-08-07", "0.205000", "1.000000000000"),
        ("2020-08-28", "0.000000", "1.000000000000"),
        ("2020-08-31", "0.000000", "4.000000000000"),
    ]
    assert bars(read)[0]["open"] == "113.2050"  # of 113.20500183105469
    assert not findings(read)


def test_capital_gains_are_paid_too_unless_they_may_be_in_the_dividend(tmp_path: Path) -> None:
    path = tmp_path / "FUND.csv"
    path.write_text(
        "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits,Capital Gains\n"
        "2023-12-14,10,10,10,10,9,1,0.25,0,1.5\n"
        "2023-12-15,10,10,10,10,9,1,2.0,0,1.5\n"
        "2023-12-18,10,10,10,10,9,1,,0,1.5\n"
    )
    read = batches(path)
    assert [(b["date"], b["dividend_amount"]) for b in bars(read)] == [
        ("2023-12-14", "1.750000"),  # 0.25 + 1.5
        ("2023-12-18", "1.500000"),
    ]
    assert rejects(read) == [
        "row 3, FUND, 2023-12-15: capital_gains may be in the dividend already, which is not below "
        "them: write the whole distribution as dividend and 0 here"
    ]


def test_yfinance_without_adj_close_has_to_be_explained(tmp_path: Path) -> None:
    """history() adjusts by default and then has no column Adj Close."""
    path = tmp_path / "SPY.csv"
    path.write_text(
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n2024-01-02,1,2,1,2,5,0.0,0.0\n"
    )
    with pytest.raises(PriceFileError, match=r"does not say what they are: yfinance.*--field"):
        opened(path)
    read = batches(path, wide_field="adjusted_close")
    assert bars(read) == [
        {
            "row": 2,
            "symbol": "SPY",
            "date": "2024-01-02",
            "adjusted_close": "2.0000",
            "volume": "5",
            "dividend_amount": "0.000000",
            "split_ratio": "1.000000000000",
        }
    ]
    assert [f.value for f in findings(read)] == ["Open", "High", "Low"]


def test_stooq_does_not_say_whether_dividends_are_in_its_closes() -> None:
    path = FILES / "spy_us_d.csv"
    with pytest.raises(PriceFileError, match=r"header does not tell whose form it is.*--format"):
        opened(path)
    with pytest.raises(PriceFileError, match="Stooq's files do not say whether"):
        opened(path, format="stooq")
    read = batches(path, format="stooq", wide_field="adjusted_close")
    assert [(b["symbol"], b["adjusted_close"], b["volume"]) for b in bars(read)] == [
        ("SPY", "466.4970", "125253291"),
        ("SPY", "462.6873", "104951284"),  # 104951284.5, half to even
    ]
    source = opened(path, format="stooq", wide_field="close", closes="split-adjusted")
    assert source.split_adjusted is True
    assert bars(list(source.batches()))[0]["high"] == "467.5038"
    assert opened(path, format="stooq", wide_field="close").split_adjusted is None


def test_stooq_in_bulk_has_tickers_with_exchanges_and_dates_without_dashes() -> None:
    read = batches(FILES / "stooq_bulk.txt", wide_field="close")
    assert [(b["symbol"], b["date"], b["close"]) for b in bars(read)] == [
        ("SPY", "2024-01-02", "472.6500"),
        ("VUSA.UK", "2024-01-02", "71.4000"),
    ]
    assert [f.value for f in findings(read)] == ["<OPENINT>"]


def test_stooq_in_bulk_only_has_daily_bars(tmp_path: Path) -> None:
    path = tmp_path / "bulk.txt"
    path.write_text(
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "SPY.US,5,20240102,153500,1,1,1,1,1,0\n"
        "SPY.US,D,20240102,153500,1,1,1,1,1,0\n"
        "SPY.US,D,2024-01-02,000000,1,1,1,1,1,0\n"
        "SPY.US,,20240102,000000,1,1,1,1,1,0\n"
    )
    assert rejects(batches(path, wide_field="close")) == [
        "row 2, SPY, 2024-01-02: period is '5', expected D: only daily bars are taken",
        "row 3, SPY, 2024-01-02: clock is '153500', expected 000000: only daily bars are taken",
        "row 4, SPY: '2024-01-02' is not a date like 20240131",
        "row 5, SPY, 2024-01-02: period is '', expected D: only daily bars are taken",
    ]


def test_stooq_in_polish_is_told_by_its_header() -> None:
    names = ["Data", "Otwarcie", "Najwyzszy", "Najnizszy", "Zamkniecie", "Wolumen"]
    layout = layout_of(names, PriceOptions(wide_field="close"), stem="pko_d")
    assert (layout.format, layout.symbol) == ("stooq", "PKO")
    assert layout.fields == ("date", "open", "high", "low", "close", "volume")


def test_alpha_vantage_has_closes_as_traded() -> None:
    """AAPL closed at 499.23 before its split of 4, at 129.04 after it."""
    source = opened(FILES / "daily_adjusted_AAPL.csv")
    assert source.split_adjusted is False
    read = bars(list(source.batches()))
    assert [(b["symbol"], b["close"], b["split_ratio"]) for b in read] == [
        ("AAPL", "129.0400", "4.000000000000"),
        ("AAPL", "499.2300", "1.000000000000"),
        ("AAPL", "444.4500", "1.000000000000"),
    ]
    assert read[2]["dividend_amount"] == "0.820000"
    plain = opened(FILES / "daily_SPY.csv")
    assert plain.split_adjusted is False
    assert "dividend_amount" not in bars(list(plain.batches()))[0]


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        ("", {}, "has the header ''"),
        ("a,b", {}, "has the header 'a,b' (expected symbol,date,open"),
        ("symbol;date;close", {}, "is separated by ';' (save it separated by commas"),
        ("Date\tClose", {}, "is separated by '\\t'"),
        ("Price,Close,High", {}, "several lines of header, as yfinance.download() writes them"),
        ("timestamp,open,high,low,close,adjusted close,volume,dividend amount", {}, "weekly"),
        ("date,close,volume", {}, "(say --format yahoo, stooq or long"),
        ("date,open,high,low,close,adj close,volume", {}, "whose form it is"),
        ("symbol,close", {}, "has no column date"),
        ("symbol,date,open", {}, "nor adjusted_close (its columns are symbol, date, open)"),
        ("symbol,date,close,Close", {}, "has the column close twice"),
        ("symbol,date,close", {"symbol": "A"}, "leave the symbol option out"),
        ("symbol,date,close", {"wide_field": "close"}, "leave --field (wide_field) out, or give"),
        ("date,SPY", {"wide_field": "adjusted"}, "wide_field='adjusted' (say one of close, adj"),
        ("symbol,date,close", {"closes": "split_adjusted"}, "(say one of traded, split-adjusted)"),
        ("symbol,date,close", {"format": "csv"}, "(say one of long, wide, yahoo, stooq, alpha"),
        ("symbol,date,close", {"format": "yahoo"}, "which the form of Yahoo Finance has not"),
        ("day,close", {"format": "yahoo"}, "not in the form of Yahoo Finance: has no colu"),
        ("date,SPY,QQQ", {}, "say it with --field close or --field adjusted_close"),
        ("date", {"wide_field": "close"}, "no symbols beside it"),
        ("date,A,a", {"wide_field": "close"}, "has the column A twice"),
        ("date,S PY", {"wide_field": "close"}, "'S PY', which is no symbol"),
        ("date,A", {"wide_field": "close", "symbol": "A"}, "leave the symbol option out"),
        ("day,A", {"wide_field": "close", "format": "wide"}, "a wide table has date and one colu"),
        ("date,close", {"format": "long"}, "does not say which (say it: --symbol)"),
        ("date,close", {"format": "long", "symbol": "S PY"}, "'S PY', which is no symbol"),
        (
            "symbol,date,close,Splits",
            {"no_distributions": True},
            "has the column 'Splits', which looks like distributions",
        ),
        (
            "Date,Open,High,Low,Close,Adj Close,Volume",
            {"symbol": "A", "closes": "traded"},
            "whose closes are split-adjusted, and you say --closes traded",
        ),
    ],
)
def test_headers_that_need_another_word(header: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(LayoutError) as caught:
        layout_of(header.split(","), PriceOptions(**options))  # type: ignore[arg-type]
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("form", "stem", "symbol"),
    [
        ("yahoo", "SPY", "SPY"),
        ("yahoo", "brk-b", "BRK-B"),
        ("yahoo", "^GSPC", "^GSPC"),
        ("yahoo", "SPY (1)", None),
        ("stooq", "spy_us_d", "SPY"),
        ("stooq", "^spx_d", "^SPX"),
        ("stooq", "vusa_uk_d", "VUSA.UK"),
        ("stooq", "spy_us_w", None),
        ("alphavantage", "daily_adjusted_SPY", "SPY"),
        ("alphavantage", "SPY", "SPY"),
    ],
)
def test_a_file_is_named_by_its_symbol(form: str, stem: str, symbol: str | None) -> None:
    header = ["timestamp" if form == "alphavantage" else "Date", "Close"]
    if form == "yahoo":
        header.append("Adj Close")
    options = PriceOptions(format=form, wide_field="close" if form == "stooq" else None)  # type: ignore[arg-type]
    if symbol is None:
        with pytest.raises(LayoutError, match=r"its name .* is none"):
            layout_of(header, options, stem=stem)
    else:
        assert layout_of(header, options, stem=stem).symbol == symbol


def test_one_symbol_may_be_said(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("date,close\n2024-01-02,472.65\n")
    read = batches(path, format="long", symbol="spy")
    assert bars(read) == [{"row": 2, "symbol": "SPY", "date": "2024-01-02", "close": "472.6500"}]


def test_closes_of_a_table_with_splits_need_a_word(tmp_path: Path) -> None:
    """125.01 -> 129.04 with a split of 4 may be a gain of 3 % or of 313 %: nobody can tell."""
    path = tmp_path / "prices.csv"
    path.write_text(
        "symbol,date,close,split_ratio\nAAPL,2020-08-28,125.01,1\nAAPL,2020-08-31,129.04,4\n"
    )
    with pytest.raises(PriceFileError, match=r"splits \(AAPL on 2020-08-31\).*--closes traded"):
        batches(path)
    assert opened(path).split_adjusted is None
    for closes, adjusted in (("traded", False), ("split-adjusted", True)):
        source = opened(path, closes=closes)
        assert source.split_adjusted is adjusted
        assert len(bars(list(source.batches()))) == 2


def test_no_distributions_is_the_callers_word_for_silent_cells(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("date,symbol,close,dividend\n2024-01-02,A,1,\n2024-01-03,A,1,0.5\n")
    read = bars(batches(path, no_distributions=True))
    assert [(b["dividend_amount"], b["split_ratio"]) for b in read] == [
        ("0.000000", "1.000000000000"),
        ("0.500000", "1.000000000000"),
    ]
    assert "dividend_amount" not in bars(batches(path))[0]


def test_columns_that_are_not_taken_are_told(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("symbol,date,close,vwap\nSPY,2024-01-02,1,2\n")
    (finding,) = findings(batches(path))
    assert (finding.rule, finding.level, finding.value) == ("ignored_column", Level.WARN, "vwap")


def test_wide_tables_have_a_bar_for_each_cell_with_a_number(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("date,SPY,QQQ\n2024-01-02,472.65,\n2024-01-03,468.79,400\n2024-13-01,1,x\n,,\n")
    read = batches(path, wide_field="close", no_distributions=True)
    assert [(b["row"], b["symbol"], b["close"], b["split_ratio"]) for b in bars(read)] == [
        (2, "SPY", "472.6500", "1.000000000000"),
        (3, "SPY", "468.7900", "1.000000000000"),
        (3, "QQQ", "400.0000", "1.000000000000"),
    ]
    assert rejects(read) == ["row 4: '2024-13-01' is not a date like 2024-01-31"]
    assert str(findings(read)[-1]) == "1 empty cell: no price of a symbol on a date"
    path.write_text("date,SPY,QQQ\n2024-01-02,472.65,4oo\n")
    (reject,) = findings(batches(path, wide_field="adjusted_close"))
    assert (reject.symbol, reject.field, reject.value, reject.text) == (
        "QQQ",
        "adjusted_close",
        "4oo",
        "2024-01-02,472.65,4oo",
    )
