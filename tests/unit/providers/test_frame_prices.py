"""DataFrames of a notebook: long and wide, exact, and without time zones."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import PriceDataError
from etf_backtest.providers import frame_prices as module
from etf_backtest.providers.frame_prices import frame_prices
from tests.unit.providers.reading import bars, findings, rejects

DAYS = pd.DatetimeIndex(["2024-01-02", "2024-01-03"])
WIDE = pd.DataFrame({"SPY": [472.65, np.nan], "qqq": [0.1 + 0.2, 400]}, index=DAYS)


@pytest.mark.parametrize(
    "frame",
    [
        WIDE,
        WIDE.rename_axis("Date"),
        WIDE.reset_index(names="date"),
        WIDE.set_index(DAYS.date).rename_axis("date"),
        WIDE.set_index(pd.PeriodIndex(DAYS, freq="D").astype(str)).rename_axis("date"),
        WIDE.astype("Float64"),
        WIDE.astype(object),
    ],
    ids=["index", "named", "column", "dates", "texts", "Float64", "objects"],
)
def test_wide_frames_have_dates_down_and_symbols_across(frame: pd.DataFrame) -> None:
    """0.1 + 0.2 is 0.30000000000000004, 0.3000 to four places."""
    read = list(frame_prices(frame, wide_field="close").batches())
    assert bars(read) == [
        {"row": 1, "symbol": "SPY", "date": "2024-01-02", "close": "472.6500"},
        {"row": 1, "symbol": "QQQ", "date": "2024-01-02", "close": "0.3000"},
        {"row": 2, "symbol": "QQQ", "date": "2024-01-03", "close": "400.0000"},
    ]
    assert [finding.rule for finding in findings(read)] == ["empty_cells"]


LONG = pd.DataFrame(
    {
        "symbol": ["A", "A"],
        "date": [dt.date(2024, 1, 2), dt.date(2024, 1, 3)],
        "close": [Decimal("1.00005"), Decimal("2.5")],
        "volume": [5.0, None],
        "split": [1, 2],
    }
).rename(columns={"split": "split_ratio"})


@pytest.mark.parametrize(
    "frame",
    [
        LONG,
        LONG.set_index(["symbol", "date"]),
        LONG.set_index("date"),
        LONG.astype({"symbol": "category", "close": str}),
        LONG.astype({"symbol": "string", "volume": "Int64"}),
        LONG.set_axis([7, 9]),
    ],
    ids=["plain", "two levels", "index", "category", "nullable", "counted"],
)
def test_long_frames_have_the_columns_of_our_files(frame: pd.DataFrame) -> None:
    source = frame_prices(frame, closes="traded", source="notebook")
    assert (source.name, source.split_adjusted) == ("notebook", False)
    assert bars(list(source.batches())) == [
        {
            "row": 1,
            "symbol": "A",
            "date": "2024-01-02",
            "close": "1.0000",  # half to even
            "volume": "5",
            "split_ratio": "1.000000000000",
        },
        {
            "row": 2,
            "symbol": "A",
            "date": "2024-01-03",
            "close": "2.5000",
            "split_ratio": "2.000000000000",
        },
    ]


def test_one_symbol_may_be_said() -> None:
    frame = pd.DataFrame({"Close": [1.5], "Volume": [3]}, index=DAYS[:1])
    read = list(frame_prices(frame, symbol="spy").batches())
    assert bars(read) == [
        {"row": 1, "symbol": "SPY", "date": "2024-01-02", "close": "1.5000", "volume": "3"}
    ]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ([1], "expected a DataFrame, received list"),
        (WIDE.tz_localize("America/New_York"), "has dates with the time zone America/New_York"),
        (
            WIDE.set_index(
                pd.Index([d.tz_localize("UTC") for d in DAYS], dtype=object, name="date")
            ),
            "has dates with the time zone UTC",
        ),
        (WIDE.reset_index(drop=True), "the frame has the header 'SPY,qqq'"),
        (pd.concat({"Close": WIDE}, axis=1), "columns have 2 levels, expected names"),
        (WIDE.assign(date=1).rename_axis("date"), "has its index 'date' as a column, too"),
        (WIDE.assign(qqq=[1, "x"]), "values of different kinds in the column 'qqq'"),
        (WIDE.assign(qqq=[True, False]), "has the type bool in the column close"),
        (WIDE.iloc[:0], "the frame has no prices in it"),
        (pd.DataFrame(), "the frame has the header ''"),
    ],
)
def test_frames_that_are_none_of_prices_are_one_error(frame: Any, message: str) -> None:
    with pytest.raises(PriceDataError) as caught:
        list(frame_prices(frame, wide_field="close").batches())
    assert message in str(caught.value)


def test_a_wide_frame_says_nothing_about_its_numbers() -> None:
    with pytest.raises(PriceDataError, match=r"does not say what its numbers are"):
        frame_prices(WIDE)


YFINANCE = pd.DataFrame(
    {
        "Open": [126.0125, 127.58],
        "High": [126.4425, 131.0],
        "Low": [124.5775, 126.0],
        "Close": [124.8075, 129.04],
        "Adj Close": [122.11, 126.26],
        "Volume": [187_630_000, 225_702_700],
        "Dividends": [0.0, 0.205],
        "Stock Splits": [0.0, 4.0],
    },
    index=pd.DatetimeIndex(["2020-08-28", "2020-08-31"], name="Date"),
)


def test_a_history_of_yfinance_needs_a_symbol_and_keeps_its_splits() -> None:
    """Its closes are divided by later splits, and a split of 0 is none."""
    with pytest.raises(PriceDataError, match="does not say which"):
        frame_prices(YFINANCE)
    source = frame_prices(YFINANCE, symbol="aapl")
    assert source.split_adjusted is True
    first, second = bars(list(source.batches()))
    assert (first["symbol"], first["close"], first["split_ratio"]) == (
        "AAPL",
        "124.8075",
        "1.000000000000",
    )
    assert (second["adjusted_close"], second["dividend_amount"]) == ("126.2600", "0.205000")
    assert second["split_ratio"] == "4.000000000000"


def test_a_history_that_yfinance_has_adjusted_wants_a_word() -> None:
    frame = YFINANCE.drop(columns="Adj Close")
    with pytest.raises(PriceDataError, match="auto_adjust, its default"):
        frame_prices(frame, symbol="AAPL")
    source = frame_prices(frame, symbol="AAPL", wide_field="adjusted_close")
    assert "adjusted_close" in bars(list(source.batches()))[0]


def test_clock_times_and_infinity_are_rejects() -> None:
    frame = WIDE.set_index(DAYS + pd.Timedelta("16h")).iloc[:1]
    assert rejects(list(frame_prices(frame, wide_field="close").batches())) == [
        "row 1: 2024-01-02T16:00:00 is not a date: it has a clock time"
    ]
    frame = pd.DataFrame({"SPY": [np.inf, 1]}, index=DAYS)
    assert rejects(list(frame_prices(frame, wide_field="close").batches())) == [
        "row 1, SPY, 2024-01-02: close 'inf' is not a number like 1234.5"
    ]


def test_long_frames_come_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    frame = pd.DataFrame(
        {"A": range(10), "B": range(10)}, index=pd.date_range("2024-01-01", periods=10)
    )
    read = list(frame_prices(frame, wide_field="adjusted_close").batches())
    assert [len(batch.bars) for batch in read] == [2] * 10
    assert [b["row"] for b in bars(read)] == [row for row in range(1, 11) for _ in "AB"]
