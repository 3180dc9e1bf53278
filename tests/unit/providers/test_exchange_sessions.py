"""When exchanges were open: against days that are in the history books, and real prices."""

from __future__ import annotations

import csv
import datetime as dt
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest

from etf_backtest.errors import UnknownExchangeError, WindowError
from etf_backtest.market.quality import ExchangeSessions, PriceHistory, check_series
from etf_backtest.providers.exchange_sessions import exchange_code, exchange_sessions


def is_open(day: str, exchange: str = "XNYS") -> bool:
    return exchange_sessions(exchange, first=day, last=day).dates.size == 1


@pytest.mark.parametrize(
    "day",
    [
        "1963-11-25",  # the funeral of President Kennedy
        "1994-04-27",  # of President Nixon
        "2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14",
        "2004-06-11",  # of President Reagan
        "2007-01-02",  # of President Ford
        "2012-10-29", "2012-10-30",  # hurricane Sandy
        "2018-12-05",  # of President Bush
        "2022-06-20",  # the first Juneteenth
        "2025-01-09",  # of President Carter
        "2024-03-29",  # Good Friday
        "2024-01-06",  # a Saturday
    ],
)  # fmt: skip
def test_days_on_which_new_york_was_closed(day: str) -> None:
    assert not is_open(day)


@pytest.mark.parametrize(
    "day", ["2001-09-10", "2001-09-17", "2012-10-31", "2018-12-06", "2021-06-18", "2025-01-10"]
)
def test_days_on_which_it_was_open(day: str) -> None:
    assert is_open(day)


def test_exchanges_differ() -> None:
    """Boxing Day in London, Thanksgiving in New York, Canada Day in Toronto, 2023."""
    days = ("2023-12-26", "2023-11-23", "2023-07-03")
    assert [is_open(day, "LSE") for day in days] == [False, True, True]
    assert [is_open(day, "NYSE Arca") for day in days] == [True, False, True]
    assert [is_open(day, "TSX") for day in days] == [False, True, False]


def test_the_sessions_of_a_year() -> None:
    """250 of 2023 in New York, by the exchange's own calendar: 260 weekdays, 10 holidays."""
    year = exchange_sessions(first=dt.date(2023, 1, 1), last=np.datetime64("2023-12-31"))
    assert year.exchange == "XNYS"
    assert (str(year.first), str(year.last)) == ("2023-01-01", "2023-12-31")
    assert year.dates.size == 250
    assert (str(year.dates[0]), str(year.dates[-1])) == ("2023-01-03", "2023-12-29")
    assert year.dates.dtype == np.dtype("datetime64[D]")
    assert not year.dates.flags.writeable


def test_the_bundled_prices_stand_on_the_sessions_of_new_york() -> None:
    sample = files("etf_backtest.providers") / "sample" / "factor_etfs_2014_2022.csv"
    rows = list(csv.DictReader(sample.read_text(encoding="utf-8").splitlines()))
    dates = np.array([row["Date"] for row in rows], "datetime64[D]")
    sessions = exchange_sessions("Cboe BZX", first=dates[0], last=dates[-1])
    np.testing.assert_array_equal(sessions.dates, dates)
    history = PriceHistory.from_columns(
        "MTUM", dates, adjusted_close=[float(row["MTUM"]) for row in rows]
    )
    check = check_series(history, sessions=sessions)
    assert check.findings == ()
    assert check.notes == ()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("NYSE Arca", "XNYS"), ("Nasdaq", "XNYS"), ("NASDAQ", "XNYS"), ("Cboe BZX", "XNYS"),
        ("NYSE", "XNYS"), ("nyse american", "XNYS"), ("ARCX", "XNYS"), ("BATS", "XNYS"),
        ("LSE", "XLON"), ("London Stock Exchange", "XLON"), ("Xetra", "XETR"), ("XETRA", "XETR"),
        ("TSX", "XTSE"), ("Euronext Paris", "XPAR"), ("SIX", "XSWX"), ("ASX", "XASX"),
        ("Borsa Italiana", "XMIL"), ("XHKG", "XHKG"), ("xwar", "XWAR"),
    ],
)  # fmt: skip
def test_names_of_exchanges(said: str, code: str) -> None:
    assert exchange_code(said) == code


@pytest.mark.parametrize("said", ["Nowhere", "", "24/7", "us_futures", "X"])
def test_an_exchange_that_nobody_knows(said: str) -> None:
    with pytest.raises(UnknownExchangeError) as caught:
        exchange_sessions(said, first="2024-01-01", last="2024-01-31")
    assert f"the sessions of the exchange {said!r} are not known" in str(caught.value)
    assert caught.value.remedy is not None
    assert "NYSE, LSE, Xetra" in caught.value.remedy
    assert "ISO code (MIC)" in caught.value.remedy
    assert caught.value.exit_code == 2


def test_a_day_that_is_none() -> None:
    with pytest.raises(WindowError, match="'soon' is not a date"):
        exchange_sessions(first="soon", last="2024-01-31")


def bounds(sessions: ExchangeSessions) -> tuple[str, str]:
    return str(sessions.first), str(sessions.last)


def test_sessions_that_are_not_known_are_not_made_up() -> None:
    assert bounds(exchange_sessions(first="1940-01-01", last="1953-12-31")) == (
        "1953-01-01", "1953-12-31",
    )  # fmt: skip
    assert bounds(exchange_sessions("LSE", first="1980-01-01", last="1990-12-31")) == (
        "1990-01-01", "1990-12-31",
    )  # fmt: skip
    # Shanghai opened in December 1990; exchange_calendars lists its holidays year by year
    assert bounds(exchange_sessions("SSE", first="1980-01-01", last="1991-12-31"))[0] == (
        "1990-12-03"
    )
    before = exchange_sessions("LSE", first="1980-01-01", last="1980-12-31")
    assert before.last < before.first
    assert before.dates.size == 0
    future = exchange_sessions(first="2024-01-01", last="2200-01-01")
    assert future.last < np.datetime64("today") + 370


def test_the_library_is_imported_late() -> None:
    code = (
        "import sys, etf_backtest.providers.exchange_sessions as room\n"
        "assert room.exchange_code('NYSE Arca') == 'XNYS'\n"
        "assert 'exchange_calendars' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
