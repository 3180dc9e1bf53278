"""Prices against the sessions of an exchange."""

from __future__ import annotations

import datetime as dt

import numpy as np

from etf_backtest.market.quality import ExchangeSessions, PriceHistory, check_series

# two weeks of January 2024; the 15th was a holiday
DAYS = np.arange("2024-01-02", "2024-01-20", dtype="datetime64[D]")
OPEN = DAYS[np.is_busday(DAYS, holidays=["2024-01-15"])]
SESSIONS = ExchangeSessions("XNYS", OPEN.copy(), DAYS[0], DAYS[-1])


def check(*dates: str, sessions: ExchangeSessions | None = SESSIONS) -> list[tuple[str, str, str]]:
    days = np.array(dates, "datetime64[D]")
    close = 100 + np.arange(days.size) / 10
    history = PriceHistory.from_columns("SPY", days, close=close)
    found = check_series(history, sessions=sessions).findings
    return [(f.rule, str(f).partition(": ")[0], f.message) for f in found]


def test_all_sessions_and_no_others() -> None:
    assert check(*map(str, OPEN)) == []
    assert check() == []


def test_missing_sessions_in_a_row_are_one_finding() -> None:
    """Missing: the 4th, and the 12th to the 17th without a weekend and a holiday."""
    assert check(
        "2024-01-02", "2024-01-03", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-10",
        "2024-01-11", "2024-01-18",
    ) == [
        ("missing_sessions", "SPY, 2024-01-04", "no price on 1 session of XNYS"),
        ("missing_sessions", "SPY, 2024-01-12 to 2024-01-17", "no price on 3 sessions of XNYS"),
    ]  # fmt: skip


def test_before_the_first_and_after_the_last_price_nothing_is_missing() -> None:
    assert check("2024-01-09", "2024-01-10") == []


def test_prices_on_closed_days() -> None:
    """A Saturday and the Sunday after it; Martin Luther King's day."""
    assert check(
        "2024-01-05", "2024-01-06", "2024-01-07", "2024-01-08", "2024-01-09", "2024-01-10",
        "2024-01-11", "2024-01-12", "2024-01-15", "2024-01-16",
    ) == [
        (
            "extra_session",
            "SPY, 2024-01-06 to 2024-01-07",
            "2 prices on days on which XNYS was closed",
        ),
        ("extra_session", "SPY, 2024-01-15", "a price on a Monday on which XNYS was closed"),
    ]  # fmt: skip


def test_a_row_without_a_price_is_a_missing_session() -> None:
    history = PriceHistory.from_columns(
        "SPY", OPEN[:3], close=[100, np.nan, 101], dividend_amount=[0, 0, 0]
    )
    (missing,) = check_series(history, sessions=SESSIONS).findings
    assert (missing.rule, missing.date) == ("missing_sessions", dt.date(2024, 1, 3))
    assert (missing.last, missing.value) == (None, "1")


def test_what_is_not_known_is_said() -> None:
    """The calendar begins on the 9th: days before it are neither missing nor extra."""
    late = ExchangeSessions("XNYS", OPEN[5:], DAYS[7], DAYS[-1])
    history = PriceHistory.from_columns(
        "SPY",
        np.array(["2024-01-02", "2024-01-06", "2024-01-09", "2024-01-11"], "datetime64[D]"),
        close=[1.0, 1.01, 1.02, 1.03],
    )
    checked = check_series(history, sessions=late)
    assert [str(f) for f in checked.findings] == ["SPY, 2024-01-10: no price on 1 session of XNYS"]
    assert checked.notes == (
        "2 rows could not be compared with the sessions of XNYS, which are known from 2024-01-09 "
        "to 2024-01-19",
    )
    nothing = ExchangeSessions("XLON", OPEN[:0], DAYS[5], DAYS[2])
    assert check_series(history, sessions=nothing).notes == (
        "4 rows could not be compared with the sessions of XLON, which are known on none of these "
        "days",
    )
