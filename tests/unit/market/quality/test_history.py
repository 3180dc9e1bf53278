"""Histories out of batches of bars, and of columns."""

from __future__ import annotations

import numpy as np
import pytest

from etf_backtest.errors import PriceDataError
from etf_backtest.market.bars import UNKNOWN, Bars
from etf_backtest.market.quality import PriceHistory, histories

DAYS = np.array(["2024-01-02", "2024-01-03", "2024-01-04"], "datetime64[D]")


def test_batches_are_put_together_by_symbol_and_date() -> None:
    first = Bars.from_columns(
        ["SPY", "QQQ"],
        np.array([0, 1, 0]),
        DAYS[[2, 1, 0]],
        close=np.array([4_700_001, 4_000_000, UNKNOWN]),
        adjusted_close=np.array([UNKNOWN, UNKNOWN, 4_600_000]),
        volume=np.array([7, 8, 9]),
        dividend_amount=np.array([1_500_000, 0, UNKNOWN]),
        split_ratio=np.array([2 * 10**12, 10**12, UNKNOWN]),
    )
    second = Bars.from_columns(["SPY"], np.array([0]), DAYS[1:2], close=np.array([4_650_000]))
    spy, qqq = histories([first, second], split_adjusted=False)
    assert (spy.symbol, qqq.symbol, len(spy), len(qqq)) == ("SPY", "QQQ", 3, 1)
    assert spy.dates.tolist() == DAYS.tolist()
    np.testing.assert_array_equal(spy.close, [np.nan, 465.0, 470.0001])
    np.testing.assert_array_equal(spy.adjusted_close, [460.0, np.nan, np.nan])
    np.testing.assert_array_equal(spy.volume, [9, np.nan, 7])
    np.testing.assert_array_equal(spy.dividend_amount, [np.nan, np.nan, 1.5])
    np.testing.assert_array_equal(spy.split_ratio, [np.nan, np.nan, 2.0])
    np.testing.assert_array_equal(spy.split_adjusted, [0, 0, 0])
    np.testing.assert_array_equal(spy.open, [np.nan] * 3)
    assert spy.has_price.all()
    with pytest.raises(ValueError, match="read-only"):
        spy.close[0] = 1.0


def test_symbols_without_rows_have_no_history() -> None:
    assert histories([]) == ()
    rows = Bars.from_columns(["A", "B"], np.array([1]), DAYS[:1], close=np.array([1]))
    assert [history.symbol for history in histories([rows])] == ["B"]


def test_what_is_said_of_the_closes() -> None:
    columns = {"close": [1.0, 2.0, 3.0]}
    said = [
        PriceHistory.from_columns("SPY", DAYS, split_adjusted=flag, **columns).split_adjusted
        for flag in (None, True, False, [1, 0, np.nan])
    ]
    np.testing.assert_array_equal(said, [[np.nan] * 3, [1.0] * 3, [0.0] * 3, [1.0, 0.0, np.nan]])


def test_histories_that_are_none() -> None:
    with pytest.raises(PriceDataError, match="SPY: the date 2024-01-02 stands twice"):
        PriceHistory.from_columns("SPY", DAYS[[0, 0]], close=[1.0, 2.0])
    with pytest.raises(PriceDataError, match="not sorted"):
        PriceHistory.from_columns("SPY", DAYS[::-1], close=[1.0, 2.0, 3.0])
    with pytest.raises(PriceDataError, match=r"3 dates, but its close has the shape \(2,\)"):
        PriceHistory.from_columns("SPY", DAYS, close=[1.0, 2.0])
    with pytest.raises(TypeError, match="a history has no price"):
        PriceHistory.from_columns("SPY", DAYS, price=[1.0, 2.0, 3.0])
    with pytest.raises(PriceDataError, match="stands twice"):
        histories([Bars.from_columns(["A"], np.zeros(2, int), DAYS[[0, 0]])])


def test_flags_go_with_their_rows() -> None:
    late = Bars.from_columns(["A"], np.zeros(1, int), DAYS[[1]], close=np.array([10_000]))
    early = Bars.from_columns(["A"], np.zeros(1, int), DAYS[[0]], close=np.array([10_000]))
    (history,) = histories([(late, np.array([1.0])), early], split_adjusted=False)
    np.testing.assert_array_equal(history.split_adjusted, [0, 1])
