"""The price store: all or nothing, twice is once, and every digit comes back."""

from __future__ import annotations

import asyncio
import datetime as dt
from decimal import Decimal

import asyncpg
import numpy as np
import pytest

from etf_backtest.database.price_store import StoreReport, coverage, load_series, store_bars
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import ContradictoryPricesError
from etf_backtest.market.bar import Bar

pytestmark = pytest.mark.each_postgres

DAY = dt.date(2024, 1, 2)


@pytest.fixture
def url(database_url: str) -> DatabaseUrl:
    return DatabaseUrl.parse(database_url)


def counts(report: StoreReport) -> tuple[int, int, int]:
    return report.inserted, report.updated, report.unchanged


async def fetch(url: DatabaseUrl, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()


async def test_values_are_stored_as_given_rounded_half_to_even(url: DatabaseUrl) -> None:
    bar = Bar(
        "BRK.B",
        DAY,
        open=Decimal("1.00005"),  # a tie: 1.0000
        high=Decimal("3.00015"),  # a tie: 3.0002
        low=Decimal("0.5"),
        close=Decimal("2.00004"),
        adjusted_close=Decimal("999999.9999"),
        volume=2**63 - 1,
        dividend_amount=Decimal("0.1234565"),  # a tie: 0.123456
        split_ratio=Decimal("0.05"),
    )
    assert counts(await store_bars(url, [bar], source="here")) == (1, 0, 0)
    (row,) = await fetch(url, "SELECT * FROM market_data")
    assert [row[field] for field in ("open", "high", "low", "close")] == [
        Decimal("1.0000"),
        Decimal("3.0002"),
        Decimal("0.5"),
        Decimal("2.0000"),
    ]
    assert row["adjusted_close"] == Decimal("999999.9999")
    assert row["volume"] == 2**63 - 1
    assert row["dividend_amount"] == Decimal("0.123456")
    assert row["split_ratio"] == Decimal("0.05")
    assert (row["symbol"], row["date"], row["source"]) == ("BRK.B", DAY, "here")


async def test_storing_again_changes_nothing_not_even_the_time(url: DatabaseUrl) -> None:
    bars = [Bar("SPY", DAY + dt.timedelta(n), close=Decimal(n + 1)) for n in range(5)]
    assert counts(await store_bars(url, bars, source="a")) == (5, 0, 0)
    before = await fetch(url, "SELECT *, xmin FROM market_data ORDER BY date")
    assert counts(await store_bars(url, bars, source="b")) == (0, 0, 5)
    assert await fetch(url, "SELECT *, xmin FROM market_data ORDER BY date") == before


async def test_a_changed_value_updates_its_row_and_what_is_not_said_stays(
    url: DatabaseUrl,
) -> None:
    await store_bars(url, [Bar("SPY", DAY, close=Decimal(10), volume=7)], source="a")
    changed = Bar("SPY", DAY, close=Decimal(11), adjusted_close=Decimal(5))
    assert counts(await store_bars(url, [changed], source="b")) == (0, 1, 0)
    (row,) = await fetch(url, "SELECT * FROM market_data")
    assert (row["close"], row["adjusted_close"], row["volume"]) == (Decimal(11), Decimal(5), 7)
    assert row["source"] == "b"
    assert row["updated_at"] > row["created_at"]


async def test_one_row_that_the_database_refuses_leaves_nothing_behind(url: DatabaseUrl) -> None:
    good = [Bar("SPY", DAY + dt.timedelta(n), close=Decimal(1)) for n in range(100)]
    bad = Bar("SPY", DAY + dt.timedelta(200), close=Decimal(-1))
    with pytest.raises(ContradictoryPricesError, match="market_data_close_positive"):
        await store_bars(url, [*good, bad], source="a")
    assert await fetch(url, "SELECT * FROM market_data") == []


async def test_a_bar_that_contradicts_what_is_stored_is_named(url: DatabaseUrl) -> None:
    whole = Bar("SPY", DAY, high=Decimal(11), low=Decimal(9), close=Decimal(10))
    await store_bars(url, [whole], source="a")
    message = r"market_data_high_is_highest .*: SPY, 2024-01-02: high 11.0000, .*close 12.0000"
    with pytest.raises(ContradictoryPricesError, match=message):
        await store_bars(url, [Bar("SPY", DAY, close=Decimal(12))], source="b")
    (row,) = await fetch(url, "SELECT close FROM market_data")
    assert row["close"] == Decimal(10)


async def test_two_imports_of_the_same_symbols_at_once_both_hold(url: DatabaseUrl) -> None:
    bars = [Bar("SPY", DAY + dt.timedelta(n), close=Decimal(n + 1)) for n in range(500)]
    reports = await asyncio.gather(*(store_bars(url, bars, source=f"import {n}") for n in range(4)))
    assert sum(report.inserted for report in reports) == 500
    assert sum(report.unchanged for report in reports) == 1500


async def test_series_come_back_by_date_with_nan_for_what_is_not_known(url: DatabaseUrl) -> None:
    days = [DAY, DAY + dt.timedelta(1), DAY + dt.timedelta(2)]
    await store_bars(
        url,
        [
            Bar("B", days[2], close=Decimal(3), dividend_amount=Decimal("0.25")),
            Bar("B", days[0], close=Decimal("0.1")),
            Bar("A", days[1], adjusted_close=Decimal(9)),
        ],
        source="a",
    )
    series = (await load_series(url, ["A", "B", "C"])).series
    assert set(series) == {"A", "B"}
    assert series["B"].dates.tolist() == [days[0], days[2]]
    assert series["B"].closes.tolist() == [0.1, 3.0]
    assert np.isnan(series["B"].adjusted_closes).all()
    assert np.isnan(series["B"].dividends[0])
    assert series["B"].dividends[1] == 0.25
    assert not series["B"].closes.flags.writeable
    await store_bars(url, [Bar("B", days[1], close=Decimal(2))], source="b")
    series = (await load_series(url, ["B"])).series
    assert series["B"].sources == ((days[0], "a"), (days[1], "b"), (days[2], "a"))


async def test_coverage_tells_what_is_stored_of_each_symbol(url: DatabaseUrl) -> None:
    await store_bars(url, [Bar("B", DAY, close=Decimal(3))], source="x")
    await store_bars(url, [Bar("A", DAY, adjusted_close=Decimal(3))], source="y")
    second = DAY + dt.timedelta(1)
    await store_bars(url, [Bar("A", second, close=Decimal(3))], source="z")
    a, b = await coverage(url)
    assert (a.symbol, a.first, a.last, a.sessions) == ("A", DAY, second, 2)
    assert (a.closes, a.adjusted_closes, a.sources) == (1, 1, ("y", "z"))
    assert (b.symbol, b.sessions, b.sources) == ("B", 1, ("x",))
