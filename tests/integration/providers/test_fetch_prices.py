"""Fetching into a real database, from Yahoo on loopback."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from etf_backtest.database.price_store import store_bars
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import (
    MalformedAnswerError,
    NoSessionsError,
    RateLimitedError,
    RejectedBarsError,
    SymbolNotFoundError,
)
from etf_backtest.market.bar import Bar
from etf_backtest.providers.retries import RetryPolicy
from etf_backtest.services.fetch import fetch_prices
from etf_backtest.services.fetch_report import FetchReport, SymbolFetch
from tests.fixtures.yahoo_server import Fault, YahooServer
from tests.fixtures.yahoo_tables import Fund

Fetch = Callable[..., Awaitable[FetchReport]]
QUICK = RetryPolicy(attempts=3, first_wait=0.01, longest_wait=1.0)


def day(number: int) -> str:
    """The number-th weekday from 2024-01-01 (a Monday, and a holiday that Yahoo here ignores)."""
    weeks, weekday = divmod(number, 5)
    return (dt.date(2024, 1, 1) + dt.timedelta(weeks=weeks, days=weekday)).isoformat()


def row(number: int, close: float, adjusted: float | None = None) -> tuple[object, ...]:
    adjusted = close if adjusted is None else adjusted
    return (day(number), close, close, close, close, adjusted, 100)


def steady(sessions: int) -> Fund:
    """A fund whose close rises by 1 a session from 100."""
    return Fund(rows=[row(number, 100.0 + number) for number in range(sessions)])


@pytest.fixture
def url(database_url: str) -> DatabaseUrl:
    return DatabaseUrl.parse(database_url)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def fetch(url: DatabaseUrl, yahoo: YahooServer, user_home: Path, told: list[str]) -> Fetch:
    async def fetching(*symbols: str, **options: object) -> FetchReport:
        return await fetch_prices(
            url,
            symbols,
            cache_dir=user_home / "cache",
            connection=yahoo.connection,
            narrate=told.append,
            **({"retries": QUICK} | options),  # type: ignore[arg-type]
        )

    return fetching


async def stored(url: DatabaseUrl, columns: str, symbol: str = "SPY") -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url.render())
    try:
        rows = await connection.fetch(
            f"SELECT {columns} FROM market_data WHERE symbol = $1 ORDER BY date", symbol
        )
        return [tuple(row) for row in rows]
    finally:
        await connection.close()


async def revisions(url: DatabaseUrl) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url.render())
    try:
        rows = await connection.fetch(
            "SELECT provider, split_adjusted, details->>'anew' FROM price_revisions ORDER BY number"
        )
        return [tuple(row) for row in rows]
    finally:
        await connection.close()


def only(report: FetchReport) -> SymbolFetch:
    (fetched,) = report.symbols
    assert fetched.failure is None, fetched.failure
    return fetched


def rows_of(fetched: SymbolFetch) -> tuple[int, int, int]:
    return fetched.inserted, fetched.updated, fetched.unchanged


class TestTheFirstTime:
    async def test_everything_is_stored_to_the_last_digit(
        self, url: DatabaseUrl, yahoo: YahooServer, fetch: Fetch
    ) -> None:
        yahoo.funds["SPY"] = Fund(
            rows=[row(0, 100.1, 49.5), row(1, 50.2)],
            dividends={day(1): 0.123456},
            splits={day(1): (2, 1)},
        )

        fetched = only(await fetch("spy"))

        assert rows_of(fetched) == (2, 0, 0)
        assert (fetched.symbol, str(fetched.first), str(fetched.last)) == ("SPY", day(0), day(1))
        assert await stored(url, "close, adjusted_close, volume, dividend_amount, split_ratio") == [
            (Decimal("100.1000"), Decimal("49.5000"), 100, Decimal(0), Decimal(1)),
            (Decimal("50.2000"), Decimal("50.2000"), 100, Decimal("0.123456"), Decimal(2)),
        ]
        assert await stored(url, "source, split_adjusted") == [("yahoo", True)] * 2

    async def test_from_a_start(self, yahoo: YahooServer, fetch: Fetch) -> None:
        yahoo.funds["SPY"] = steady(5)

        fetched = only(await fetch("SPY", start=dt.date(2024, 1, 3)))

        assert (rows_of(fetched), str(fetched.first)) == ((3, 0, 0), "2024-01-03")

    async def test_a_running_session_is_not_stored(
        self, url: DatabaseUrl, yahoo: YahooServer, fetch: Fetch
    ) -> None:
        yahoo.funds["SPY"] = replace(steady(5), market_open=True)

        fetched = only(await fetch("SPY"))

        assert rows_of(fetched) == (4, 0, 0)
        assert [finding.rule for finding in fetched.findings] == ["unfinished_session"]

        yahoo.funds["SPY"] = steady(5)  # the market has closed

        assert rows_of(only(await fetch("SPY")))[:2] == (1, 0)
        assert len(await stored(url, "date")) == 5

    async def test_nothing_but_a_running_session(self, yahoo: YahooServer, fetch: Fetch) -> None:
        yahoo.funds["NEW"] = replace(steady(1), market_open=True)

        (failed,) = (await fetch("NEW")).failures

        assert isinstance(failed.failure, NoSessionsError)
        assert "the session ends at 16:00" in failed.failure.message


class TestGoingOn:
    async def test_only_the_last_sessions_are_asked_for_again(
        self, yahoo: YahooServer, fetch: Fetch
    ) -> None:
        yahoo.funds["SPY"] = steady(30)
        await fetch("SPY")
        yahoo.funds["SPY"] = steady(33)

        fetched = only(await fetch("SPY"))

        # 10 compared, and the one before them
        assert rows_of(fetched) == (3, 0, 11)
        assert (str(fetched.first), str(fetched.last)) == (day(19), day(32))
        assert fetched.anew is None
        assert yahoo.charts_asked_for("SPY") == 2

    async def test_again_is_the_same(self, yahoo: YahooServer, fetch: Fetch) -> None:
        yahoo.funds["SPY"] = steady(3)
        await fetch("SPY")

        assert rows_of(only(await fetch("SPY"))) == (0, 0, 3)

    async def test_one_stored_session(self, yahoo: YahooServer, fetch: Fetch) -> None:
        yahoo.funds["SPY"] = steady(1)
        await fetch("SPY")

        assert rows_of(only(await fetch("SPY"))) == (0, 0, 1)

    async def test_the_only_stored_session_has_vanished(
        self, url: DatabaseUrl, yahoo: YahooServer, fetch: Fetch
    ) -> None:
        yahoo.funds["NEW"] = steady(1)
        await fetch("NEW")
        nothing = (day(0), *(None,) * 6)
        yahoo.funds["NEW"] = Fund(rows=[nothing, *steady(3).rows[1:]])

        fetched = only(await fetch("NEW"))

        # the first row of the answer is new: it is not one that was compared
        assert rows_of(fetched) == (2, 0, 0)
        assert fetched.anew == f"the answer has none of the stored sessions since {day(0)}"
        assert await stored(url, "date::text, close::int", "NEW") == [
            (day(0), 100),
            (day(1), 101),
            (day(2), 102),
        ]

    async def test_after_a_split_everything_is_fetched_anew(
        self, url: DatabaseUrl, yahoo: YahooServer, fetch: Fetch, told: list[str]
    ) -> None:
        yahoo.funds["SPY"] = steady(20)
        await fetch("SPY")
        # 2:1 before session 20: Yahoo halves all that was before
        halved = [row(number, (100.0 + number) / 2) for number in range(20)]
        yahoo.funds["SPY"] = Fund(rows=[*halved, row(20, 60.25)], splits={day(20): (2, 1)})

        fetched = only(await fetch("SPY"))

        assert rows_of(fetched) == (1, 20, 0)
        # of the 11th last, the oldest in the answer: (100 + 9) / 2 is 54.5
        assert fetched.anew == f"close of {day(9)} is 54.5, stored was 109"
        assert told == [f"SPY: {fetched.anew}: fetching everything from {day(0)} anew"]
        closes = await stored(url, "close, split_ratio")
        assert closes[0] == (Decimal("50.0000"), Decimal(1))
        assert closes[-1] == (Decimal("60.2500"), Decimal(2))

    async def test_after_a_dividend_everything_is_fetched_anew(
        self, url: DatabaseUrl, yahoo: YahooServer, fetch: Fetch
    ) -> None:
        yahoo.funds["SPY"] = steady(20)
        await fetch("SPY")
        # so small that no adjusted close of the overlap shows it in four decimals
        yahoo.funds["SPY"] = Fund(rows=steady(21).rows, dividends={day(20): 0.00002})

        fetched = only(await fetch("SPY"))

        assert fetched.anew == f"dividend_amount 0.00002 on {day(20)}"
        assert rows_of(fetched) == (1, 0, 20)
        reasons = await revisions(url)
        assert reasons == [("yahoo", True, None), ("yahoo", True, fetched.anew)]

    async def test_a_dividend_that_the_vendor_forgot(
        self, url: DatabaseUrl, yahoo: YahooServer, fetch: Fetch
    ) -> None:
        yahoo.funds["SPY"] = steady(20)
        await fetch("SPY")
        yahoo.funds["SPY"] = Fund(rows=steady(20).rows, dividends={day(15): 0.5})

        fetched = only(await fetch("SPY"))

        assert fetched.anew == f"dividend_amount of {day(15)} is 0.5, stored was 0"
        assert (await stored(url, "dividend_amount"))[15] == (Decimal("0.5"),)

    async def test_a_weekend_s_event_on_the_edge_is_no_change(
        self, yahoo: YahooServer, fetch: Fetch
    ) -> None:
        # of Saturday the 13th, booked on Monday the 15th, the first day that is asked for again
        fund = Fund(rows=steady(21).rows, dividends={"2024-01-13": 0.5})
        yahoo.funds["SPY"] = fund
        await fetch("SPY")

        fetched = only(await fetch("SPY"))

        assert (str(fetched.first), fetched.anew) == ("2024-01-15", None)
        assert rows_of(fetched) == (0, 0, 11)

    async def test_rows_of_another_source_are_replaced_and_it_is_told(
        self, url: DatabaseUrl, yahoo: YahooServer, fetch: Fetch
    ) -> None:
        bars = [Bar("SPY", dt.date(2024, 1, 1), close=Decimal(7))]
        await store_bars(url, bars, source="my file")
        yahoo.funds["SPY"] = steady(3)

        fetched = only(await fetch("SPY"))

        assert fetched.anew == "stored rows are from my file"
        assert rows_of(fetched) == (2, 1, 0)

    async def test_an_earlier_start(self, yahoo: YahooServer, fetch: Fetch) -> None:
        yahoo.funds["SPY"] = steady(20)
        await fetch("SPY", start=dt.date(2024, 1, 8))

        fetched = only(await fetch("SPY", start=dt.date(2020, 1, 1)))

        assert (rows_of(fetched), fetched.anew) == ((5, 0, 15), "stored rows begin on 2024-01-08")
        # now it has everything since the first trade: nothing is before it
        assert only(await fetch("SPY", start=dt.date(2020, 1, 1))).anew is None

    async def test_anew(self, yahoo: YahooServer, fetch: Fetch) -> None:
        yahoo.funds["SPY"] = steady(20)
        await fetch("SPY")

        assert rows_of(only(await fetch("SPY", anew=True))) == (0, 0, 20)

    async def test_sessions_that_have_vanished_are_told(
        self, url: DatabaseUrl, yahoo: YahooServer, fetch: Fetch
    ) -> None:
        yahoo.funds["SPY"] = steady(20)
        await fetch("SPY")
        rows = steady(20).rows
        yahoo.funds["SPY"] = Fund(rows=[*rows[:15], *rows[17:]])

        fetched = only(await fetch("SPY"))

        assert [str(finding) for finding in fetched.findings] == [
            f"SPY, {day(15)} to {day(16)}: 2 stored sessions that the answer does not have: "
            "kept as they are"
        ]
        assert len(await stored(url, "date")) == 20


class TestSomeFail:
    async def test_the_others_are_stored(
        self, url: DatabaseUrl, yahoo: YahooServer, fetch: Fetch, told: list[str]
    ) -> None:
        yahoo.funds["SPY"] = yahoo.funds["QQQ"] = yahoo.funds["BAD"] = steady(3)
        yahoo.faults["BAD"] = [Fault(), *[Fault(body='{"chart": {"result": [')] * 9]

        report = await fetch("SPY", "NOPE", "BAD", "QQQ", "SPY")

        assert report.exit_code == 1
        assert [fetched.symbol for fetched in report.symbols] == ["SPY", "NOPE", "BAD", "QQQ"]
        assert [fetched.inserted for fetched in report.symbols] == [3, 0, 0, 3]
        unknown, malformed = (fetched.failure for fetched in report.failures)
        assert isinstance(unknown, SymbolNotFoundError)
        assert isinstance(malformed, MalformedAnswerError)
        assert await stored(url, "date", "BAD") == []
        assert [text for text in told if text.startswith("not stored")] == [
            f"not stored: {unknown}",
            f"not stored: {malformed}",
        ]
        json = report.symbols[1].to_dict()
        assert json["error"] == unknown.message
        assert json["remedy"] == unknown.remedy

    async def test_a_row_that_cannot_be_stored(
        self, url: DatabaseUrl, yahoo: YahooServer, fetch: Fetch
    ) -> None:
        # close above high, and a close of 0
        yahoo.funds["SPY"] = Fund(
            rows=[row(0, 10.0), (day(1), 10.0, 11.0, 9.0, 12.0, 12.0, 1), row(2, 0.0)]
        )

        (failed,) = (await fetch("SPY")).failures

        assert isinstance(failed.failure, RejectedBarsError)
        assert f"{day(1)}: close 12 is above high 11" in failed.failure.message
        assert f"{day(2)}: close 0 is not a price" in failed.failure.message
        assert await stored(url, "date") == []

    async def test_what_is_stored_stays_when_a_later_fetch_fails(
        self, url: DatabaseUrl, yahoo: YahooServer, fetch: Fetch
    ) -> None:
        yahoo.funds["SPY"] = steady(20)
        await fetch("SPY")
        before = await stored(url, "*")
        # it has changed, but the whole history does not come
        yahoo.funds["SPY"] = Fund(rows=[row(number, 50.0) for number in range(20)])
        yahoo.faults["SPY"] = [Fault(), *[Fault(truncated=100)] * 9]

        report = await fetch("SPY")

        assert report.exit_code == 1
        assert await stored(url, "*") == before

    async def test_all_waits_together_are_bounded(
        self, yahoo: YahooServer, fetch: Fetch, told: list[str]
    ) -> None:
        symbols = [f"F{number}" for number in range(6)]
        for symbol in symbols:
            yahoo.faults[symbol] = [Fault(status=429, body="", headers={"Retry-After": "1"})] * 99
        policy = RetryPolicy(attempts=5, first_wait=0.01, longest_wait=1.0, total_wait=1.5)
        began = time.monotonic()

        report = await fetch(*symbols, retries=policy)

        assert [type(fetched.failure) for fetched in report.symbols] == [RateLimitedError] * 6
        # one wait of 1 s; after that there is no room for another
        assert sum("attempt" in text for text in told) == 1
        assert time.monotonic() - began < 10


async def test_a_cancelled_fetch_does_not_wait(yahoo: YahooServer, fetch: Fetch) -> None:
    yahoo.faults["SPY"] = [Fault(status=429, body="", headers={"Retry-After": "50"})] * 9
    patient = RetryPolicy(longest_wait=60.0)
    task = asyncio.ensure_future(fetch("SPY", retries=patient))
    await asyncio.to_thread(yahoo.asked.wait, 10)
    await asyncio.sleep(0.3)
    began = time.monotonic()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert time.monotonic() - began < 5
