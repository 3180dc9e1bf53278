import calendar
import datetime as dt

import numpy as np
import pandas as pd
import pytest

from etf_backtest.market.periods import Period
from etf_backtest.simulation import Rebalancing
from etf_backtest.simulation.schedule import decision_rows, fill_rows
from etf_backtest.typing import DateArray

# business days of 2023 and 2024, with 2023-12-29 as the last Friday of 2023
DATES: DateArray = pd.bdate_range("2023-01-02", "2024-12-31").to_numpy().astype("datetime64[D]")
WEEKLY = Rebalancing(period="weekly")


def decided(period: Period, *, offset: int = 0) -> list[dt.date]:
    rebalancing = Rebalancing(period=period, offset=offset)
    days: list[dt.date] = DATES[decision_rows(DATES, rebalancing)].tolist()
    return days


def last_weekday(year: int, month: int) -> dt.date:
    day = dt.date(year, month, calendar.monthrange(year, month)[1])
    while day.weekday() > 4:
        day -= dt.timedelta(days=1)
    return day


@pytest.mark.parametrize(
    ("period", "months"),
    [
        ("monthly", range(1, 13)),
        ("quarterly", (3, 6, 9, 12)),
        ("semiannual", (6, 12)),
        ("annual", (12,)),
    ],
)
def test_the_first_session_and_the_last_of_each_period(
    period: Period, months: "range | tuple[int, ...]"
) -> None:
    ends = [last_weekday(year, month) for year in (2023, 2024) for month in months]
    # the very last session of the window is never one
    assert decided(period) == [dt.date(2023, 1, 2), *ends[:-1]]


def test_weeks_end_on_fridays_here() -> None:
    fridays = [day for day in DATES.tolist() if day.weekday() == 4]
    assert decided("weekly") == [dt.date(2023, 1, 2), *fridays]


def test_a_week_without_friday_ends_on_thursday() -> None:
    # Good Friday 2024-03-29 was no session
    dates = np.array(["2024-03-27", "2024-03-28", "2024-04-01", "2024-04-02"], "datetime64[D]")
    assert decision_rows(dates, WEEKLY).tolist() == [0, 1]


def test_daily_and_never() -> None:
    assert decision_rows(DATES[:4], Rebalancing(period="daily")).tolist() == [0, 1, 2]
    assert decision_rows(DATES, Rebalancing()).tolist() == [0]


def test_weeks_before_1970() -> None:
    # Friday, Monday, Friday, Monday
    dates = np.array(["1969-12-19", "1969-12-22", "1969-12-26", "1969-12-29"], "datetime64[D]")
    assert decision_rows(dates, WEEKLY).tolist() == [0, 2]


def test_the_last_session_never_trades() -> None:
    decisions = np.array([0, 3, 7, 8])
    assert fill_rows(decisions, lag=0, sessions=10).tolist() == [0, 3, 7, 8]
    assert fill_rows(decisions, lag=1, sessions=10).tolist() == [1, 4, 8]
    assert fill_rows(decisions, lag=9, sessions=10).tolist() == []


def test_a_week_ends_on_sunday_where_sunday_is_a_session() -> None:
    # Saturday, Sunday, Monday, Tuesday
    dates = np.array(["2024-06-01", "2024-06-02", "2024-06-03", "2024-06-04"], "datetime64[D]")
    assert decision_rows(dates, WEEKLY).tolist() == [0, 1]


def test_an_offset_counts_sessions_from_the_end_of_the_period() -> None:
    first = decided("monthly", offset=0)
    later = decided("monthly", offset=3)
    days: list[dt.date] = DATES.tolist()
    assert later == [first[0], *(days[days.index(end) + 3] for end in first[1:])]
    # 252 business days after 2023-12-29
    assert decided("annual", offset=252) == [dt.date(2023, 1, 2), dt.date(2024, 12, 17)]


def test_an_offset_beyond_the_window_is_no_decision() -> None:
    dates = np.array(["2024-06-06", "2024-06-07", "2024-06-10", "2024-06-11"], "datetime64[D]")
    for offset, rows in ((0, [0, 1]), (1, [0, 2]), (2, [0]), (100, [0])):
        weekly = Rebalancing(period="weekly", offset=offset)
        assert decision_rows(dates, weekly).tolist() == rows
