"""Rows that cannot be stored: by hand, and against the rules for one bar at a time."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etf_backtest.market.bar import Bar, bar_problems
from etf_backtest.market.bars import SCALES, UNKNOWN, Bars
from etf_backtest.market.quality import BAR_RULES, Level, SessionsSeen, bar_findings, check_bars

DAY = dt.date(2024, 1, 2)
GOOD: dict[str, Any] = {"open": 10, "high": 12, "low": 9, "close": 11, "adjusted_close": 10.5}


def bars(*rows: dict[str, Any]) -> Bars:
    """Rows of numbers as people write them, with a date of their own each."""
    symbols = list(dict.fromkeys(row.get("symbol", "SPY") for row in rows))
    dates = [row.get("date", DAY + dt.timedelta(days=place)) for place, row in enumerate(rows)]
    columns = {
        field: np.array([scaled(row.get(field), scale) for row in rows], np.int64)
        for field, scale in SCALES.items()
    }
    return Bars.from_columns(
        symbols,
        np.array([symbols.index(row.get("symbol", "SPY")) for row in rows], np.int32),
        np.array(dates, "datetime64[D]"),
        rows=np.arange(len(rows)) + 2,
        **columns,
    )


def scaled(value: object, scale: int) -> int:
    return UNKNOWN if value is None else int(Decimal(str(value)).scaleb(scale))


@pytest.mark.parametrize(
    ("changes", "rule", "field", "value", "message"),
    [
        ({"symbol": "S PY"}, "symbol_form", "symbol", "S PY", "'S PY' is not a symbol"),
        ({"symbol": ".SPY"}, "symbol_form", "symbol", ".SPY", "'.SPY' is not a symbol"),
        ({"symbol": "S" * 21}, "symbol_form", "symbol", "S" * 21, "is not a symbol"),
        (
            {"date": dt.date(1677, 12, 31)},
            "date_range",
            "date",
            "1677-12-31",
            "1677-12-31 is not a date that can be used (1678-01-01 to 2262-04-11)",
        ),
        ({"date": dt.date(2262, 4, 12)}, "date_range", "date", "2262-04-12", "can be used"),
        (
            {"date": dt.date(2024, 6, 2)},
            "future_date",
            "date",
            "2024-06-02",
            "2024-06-02 is in the future (today is 2024-06-01)",
        ),
        (
            {"open": None, "low": 0},
            "price_range",
            "low",
            "0",
            "low 0 is not a price (0.0001 to 999999.9999)",
        ),
        ({"adjusted_close": -1.5}, "price_range", "adjusted_close", "-1.5", "-1.5 is not a price"),
        ({"adjusted_close": 1000000}, "price_range", "adjusted_close", "1000000", "not a price"),
        (
            {"close": None, "adjusted_close": None},
            "no_close",
            "close",
            None,
            "neither a close nor an adjusted close",
        ),
        ({"low": 12.5}, "ohlc_contradiction", "low", "12.5", "low 12.5 is above high 12"),
        ({"open": 12.0001}, "ohlc_contradiction", "open", "12.0001", "12.0001 is above high 12"),
        ({"close": 8.9999}, "ohlc_contradiction", "close", "8.9999", "8.9999 is below low 9"),
        ({"high": None, "open": 8}, "ohlc_contradiction", "open", "8", "open 8 is below low 9"),
        ({"volume": -1}, "volume_range", "volume", "-1", "volume -1 is not a volume (0 or more)"),
        (
            {"dividend_amount": -0.000001},
            "dividend_range",
            "dividend_amount",
            "-0.000001",
            "dividend_amount -0.000001 is not a dividend (0 to 999999.999999)",
        ),
        ({"dividend_amount": 1000000}, "dividend_range", "dividend_amount", "1000000", "dividend"),
        (
            {"split_ratio": 0},
            "split_range",
            "split_ratio",
            "0",
            "split_ratio 0 is not a split ratio (0.000000000001 to 999999.999999999999)",
        ),
        ({"split_ratio": 1000000}, "split_range", "split_ratio", "1000000", "split ratio"),
    ],
)
def test_one_rule(
    changes: dict[str, Any], rule: str, field: str, value: str | None, message: str
) -> None:
    rows = bars(GOOD, {**GOOD, "date": dt.date(2024, 2, 1), **changes}, GOOD)
    check = check_bars(rows, today=dt.date(2024, 6, 1))
    (finding,) = check.findings
    assert (finding.rule, finding.field, finding.value) == (rule, field, value)
    assert finding.level is Level.REJECT is BAR_RULES[rule]
    assert message in finding.message
    assert finding.symbol == changes.get("symbol", "SPY")
    assert finding.date == changes.get("date", dt.date(2024, 2, 1))
    assert finding.row == 3
    assert check.rejected.tolist() == [False, True, False]
    assert len(rows.take(~check.rejected)) == 2


@pytest.mark.parametrize(
    "row",
    [
        GOOD,
        {"close": 0.0001},
        {"adjusted_close": 999999.9999},
        {"close": 5, "low": 5, "high": 5, "open": 5, "volume": 0},
        {"close": 5, "volume": 2**63 - 1},
        {"close": 5, "dividend_amount": "999999.999999", "split_ratio": "0.000000000001"},
        {"close": 5, "dividend_amount": 0, "split_ratio": "999999.999999999999"},
        {"close": 5, "low": 4},
        {"adjusted_close": 5, "high": 4},  # an adjusted close is not within the day's range
        {"close": 5, "date": dt.date(1678, 1, 1)},
        {"close": 5, "symbol": "^GSPC"},
        {"close": 5, "symbol": "BRK-B"},
        {"close": 5, "symbol": "A" * 20},
    ],
)
def test_what_the_table_takes(row: dict[str, Any]) -> None:
    assert bar_findings(bars(row), today=dt.date(2024, 6, 1)) == ()


def test_today_is_not_the_future_and_none_is_not_checked() -> None:
    rows = bars({"close": 1, "date": DAY}, {"close": 1, "date": DAY + dt.timedelta(days=1)})
    assert [f.date for f in bar_findings(rows, today=DAY)] == [dt.date(2024, 1, 3)]
    assert bar_findings(rows, today=None) == ()


def test_dates_that_no_calendar_has() -> None:
    rows = Bars.from_columns(
        ["SPY"],
        np.zeros(2, np.int32),
        np.array(["NaT", "12345-01-01"], "datetime64[D]"),
        close=np.full(2, 10_000),
    )
    nat, far = bar_findings(rows, today=DAY)
    assert (nat.rule, nat.date, nat.value, nat.row) == ("date_range", None, "NaT", None)
    assert (far.rule, far.date, far.value) == ("date_range", None, "12345-01-01")


def test_findings_come_in_the_order_of_rows_and_fields() -> None:
    worst = {"open": -1, "close": -2, "volume": -3, "split_ratio": -4}
    found = bar_findings(bars(worst, GOOD, {"open": -1}, {"symbol": "?"}), today=None)
    assert [(f.row, f.field) for f in found] == [
        (2, "open"), (2, "close"), (2, "volume"), (2, "split_ratio"),
        (4, "open"), (4, "close"), (5, "symbol"), (5, "close"),
    ]  # fmt: skip


def test_the_second_row_of_a_day_names_the_first() -> None:
    rows = bars(
        {"close": 1, "date": DAY},
        {"close": 1, "date": DAY, "symbol": "QQQ"},
        {"close": 2, "date": DAY},
        {"close": 3, "date": DAY},
    )
    check = check_bars(rows, today=None)
    assert [str(finding) for finding in check.findings] == [
        "row 4, SPY, 2024-01-02: this symbol has this date twice, first in row 2",
        "row 5, SPY, 2024-01-02: this symbol has this date twice, first in row 2",
    ]
    assert check.rejected.tolist() == [False, False, True, True]


def test_a_row_that_is_refused_is_nobodys_first() -> None:
    rows = bars({"close": -1, "date": DAY}, {"close": 2, "date": DAY})
    check = check_bars(rows, today=None)
    assert [finding.rule for finding in check.findings] == ["price_range"]
    assert check.rejected.tolist() == [True, False]


def test_duplicates_across_batches() -> None:
    seen = SessionsSeen()
    assert check_bars(bars(GOOD, GOOD), today=None, seen=seen).findings == ()
    second = bars({**GOOD, "symbol": "QQQ"}, GOOD, {**GOOD, "symbol": "QQQ", "date": DAY})
    first, last = check_bars(second, today=None, seen=seen).findings
    assert str(first) == (
        "row 3, SPY, 2024-01-03: this symbol has this date twice, first in an earlier part"
    )
    assert str(last) == "row 4, QQQ, 2024-01-02: this symbol has this date twice, first in row 2"
    assert first.rule == "duplicate"
    assert first.value == "2024-01-03"


def test_no_rows() -> None:
    check = check_bars(bars(GOOD).take(np.zeros(1, np.bool_)), today=DAY)
    assert check.findings == ()
    assert check.rejected.shape == (0,)
    with pytest.raises(ValueError, match="read-only"):
        check_bars(bars(GOOD), today=DAY).rejected[0] = True


# few values, most of them at the ends of what is allowed, so that they often contradict
EDGES = {
    4: (-1, 0, 1, 2, 99_999, 100_000, 100_001, 10**10 - 1, 10**10),
    0: (-1, 0, 1, 2**63 - 1, -(2**63) + 1),
    6: (-1, 0, 1, 10**12 - 1, 10**12),
    12: (-1, 0, 1, 10**12, 10**18 - 1, 10**18),
}


@st.composite
def any_bars(draw: st.DrawFn) -> Bars:
    count = draw(st.integers(0, 12))
    symbols = ("SPY", "spy", "^VIX", ".X", "", "A" * 21)
    columns = {
        field: np.array(
            draw(
                st.lists(st.sampled_from((UNKNOWN, *EDGES[scale])), min_size=count, max_size=count)
            ),
            np.int64,
        )
        for field, scale in SCALES.items()
    }
    codes = draw(st.lists(st.integers(0, 5), min_size=count, max_size=count))
    days = np.datetime64("2024-01-01") + np.arange(count)
    return Bars.from_columns(symbols, np.array(codes, np.int32), days, **columns)


@given(any_bars())
def test_columns_are_judged_as_single_bars_are(rows: Bars) -> None:
    check = check_bars(rows, today=None)
    found = [(finding.date, finding.field) for finding in check.findings]
    expected = []
    for row in range(len(rows)):
        numbers: dict[str, Any] = {field: rows.value(field, row) for field in SCALES}
        numbers["volume"] = None if numbers["volume"] is None else int(numbers["volume"])
        bar = Bar(rows.symbol(row), rows.dates[row].item(), **numbers)
        problems = list(bar_problems(bar))
        expected += [(bar.date, field) for field, _message in problems]
        assert bool(check.rejected[row]) == bool(problems)
    assert sorted(found, key=str) == sorted(expected, key=str)
