"""Drawdowns of a value that is short enough to follow by hand."""

import datetime as dt
from dataclasses import FrozenInstanceError
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest import metrics
from etf_backtest.metrics import Drawdown, drawdown_frame, drawdown_table
from etf_backtest.typing import DateArray, FloatArray

# falls at once, recovers to its first value, rises, falls twice as deep, recovers above, falls
VALUES = np.array([100.0, 90.0, 95.0, 100.0, 120.0, 108.0, 96.0, 130.0, 117.0, 125.0])
DATES: DateArray = np.array(
    [f"2024-01-{day:02}" for day in (1, 2, 5, 8, 9, 12, 16, 20, 21, 29)], dtype="datetime64[D]"
)


def returns(values: FloatArray) -> FloatArray:
    changes: FloatArray = values[1:] / values[:-1] - 1
    return changes


def about(depth: float) -> Any:
    return pytest.approx(depth, rel=1e-12)


def day(number: int) -> dt.date:
    return dt.date(2024, 1, number)


def test_by_hand() -> None:
    deepest, first, last = drawdown_table(returns(VALUES), DATES)
    # the session of 100.0, 01-08, is not under water; 96 / 120 - 1; back above on 01-20
    assert deepest == Drawdown(
        start=day(9),
        trough=day(16),
        recovery=day(20),
        depth=about(-0.2),
        sessions_to_trough=2,
        sessions_to_recovery=3,
        sessions=3,
        days_to_trough=7,
        days_to_recovery=11,
        days=11,
    )
    # of two equally deep ones the earlier first; the initial value is a peak, reached again
    assert first == Drawdown(
        start=day(1),
        trough=day(2),
        recovery=day(8),
        depth=about(-0.1),
        sessions_to_trough=1,
        sessions_to_recovery=3,
        sessions=3,
        days_to_trough=1,
        days_to_recovery=7,
        days=7,
    )
    assert last == Drawdown(
        start=day(20),
        trough=day(21),
        recovery=None,
        depth=about(-0.1),
        sessions_to_trough=1,
        sessions_to_recovery=None,
        sessions=2,
        days_to_trough=1,
        days_to_recovery=None,
        days=9,
    )
    with pytest.raises(FrozenInstanceError):
        last.depth = 0.0  # type: ignore[misc]  # wrong on purpose


def test_limit() -> None:
    table = drawdown_table(returns(VALUES), DATES)
    assert drawdown_table(returns(VALUES), DATES, limit=1) == table[:1]
    assert drawdown_table(returns(VALUES), DATES, limit=0) == ()
    assert drawdown_table(returns(VALUES), DATES, limit=9) == table


def test_no_drawdown() -> None:
    assert drawdown_table([0.1, 0.0, 0.2], DATES[:4]) == ()
    frame = drawdown_frame(())
    assert (len(frame), list(frame.columns)[:4]) == (0, ["start", "trough", "recovery", "depth"])


def test_rounding_is_no_drawdown() -> None:
    # 1.1 * (1 / 1.1) is 1 but for the last bit, and so is the way back
    changes = np.tile([1.1 - 1, 1 / 1.1 - 1], 50)
    days = np.datetime64("2024-01-01") + np.arange(101)
    table = drawdown_table(changes, days)
    # after the first rise each fall goes back to the initial value and is made good
    assert len(table) == 50
    assert {row.sessions for row in table} == {2, 1}


def test_nothing_left() -> None:
    (row,) = drawdown_table([0.5, -1.0, 0.3], DATES[:4])
    assert (row.start, row.trough, row.recovery, row.depth) == (day(2), day(5), None, -1.0)


def test_frame() -> None:
    frame = drawdown_frame(drawdown_table(returns(VALUES), DATES))
    assert frame["start"].tolist() == [pd.Timestamp(2024, 1, number) for number in (9, 1, 20)]
    assert frame["recovery"].isna().tolist() == [False, False, True]
    assert frame["sessions_to_recovery"].isna().tolist() == [False, False, True]
    assert frame["days"].tolist() == [11, 7, 9]


@settings(deadline=None)
@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=60), st.integers(0, 5))
def test_the_table_and_the_metrics_agree(changes: list[float], limit: int) -> None:
    days = np.datetime64("2024-01-01") + np.arange(len(changes) + 1)
    table = drawdown_table(changes, days)
    deepest = metrics.max_drawdown(changes)
    if table:
        assert table[0].depth == deepest
    else:
        assert deepest > -1e-12
    # drawdowns do not overlap, and only the last one may be open
    by_start = sorted(table, key=lambda row: row.start)
    for row, following in pairwise(by_start):
        assert row.recovery is not None
        assert row.recovery <= following.start
        assert row.start < row.trough < row.recovery
    assert drawdown_table(changes, days, limit=limit) == table[:limit]
