"""Ends of calendar periods, counted on a calendar."""

import numpy as np
import pytest

from etf_backtest.market.periods import Period, period_ends
from etf_backtest.typing import DateArray

# Friday, Monday, Friday; Monday in another half-year; Wednesday and Thursday in another year
DATES: DateArray = np.array(
    ["2023-06-23", "2023-06-26", "2023-06-30", "2023-07-03", "2024-07-03", "2024-07-04"],
    "datetime64[D]",
)


@pytest.mark.parametrize(
    ("period", "rows"),
    [
        ("never", []),
        ("daily", [0, 1, 2, 3, 4]),
        ("weekly", [0, 2, 3]),
        ("monthly", [2, 3]),
        ("quarterly", [2, 3]),
        ("semiannual", [2, 3]),
        ("annual", [3]),
    ],
)
def test_the_last_session_of_each_period_but_the_one_that_goes_on(
    period: Period, rows: list[int]
) -> None:
    assert period_ends(DATES, period).tolist() == rows


def test_one_session_or_none_ends_no_period() -> None:
    assert period_ends(DATES[:1], "daily").tolist() == []
    assert period_ends(DATES[:0], "monthly").tolist() == []
