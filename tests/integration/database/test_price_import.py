"""Imports under bad conditions: killed, at once, locked out, cut off, out of room."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import asyncpg
import numpy as np
import pytest

from etf_backtest.database.price_import import StoreReport, open_import
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import (
    ContradictoryPricesError,
    PricesLockedError,
    PricesNotStoredError,
    PricesTwiceError,
)
from etf_backtest.market.bars import Bars
from tests.fixtures.cluster import Cluster
from tests.integration.database.made_up_bars import DAYS, closes

pytestmark = pytest.mark.each_postgres


@pytest.fixture
def url(database_url: str) -> DatabaseUrl:
    return DatabaseUrl.parse(database_url)


async def store(
    url: DatabaseUrl,
    batches: Sequence[Bars],
    *,
    source: str = "a",
    skip: bool = False,
    patience: float = 60,
) -> StoreReport:
    async with open_import(
        url, source=source, provider="test", details={"n": 1}, lock_seconds=patience
    ) as importing:
        for bars in batches:
            await importing.add(bars)
        return await importing.finish(skip_contradictory=skip)


async def ask(url: DatabaseUrl, query: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


async def test_what_an_import_was_is_noted_with_its_revision(url: DatabaseUrl) -> None:
    report = await store(url, [closes({"A": 3, "B": 2})])
    (row,) = await ask(url, "SELECT * FROM price_revisions")
    assert report.revision == row["number"]
    assert (row["source"], row["provider"], row["details"]) == ("a", "test", '{"n": 1}')
    assert (row["inserted"], row["updated"], row["deleted"]) == (5, 0, 0)


async def test_unchanged_prices_make_no_revision_and_write_no_row(url: DatabaseUrl) -> None:
    bars = closes({"A": 1000})
    await store(url, [bars])
    before = await ask(url, "SELECT ctid, xmin, * FROM market_data")
    report = await store(url, [bars], source="b")
    assert report == StoreReport(0, 0, 1000, None)
    assert await ask(url, "SELECT ctid, xmin, * FROM market_data") == before
    assert len(await ask(url, "SELECT FROM price_revisions")) == 1


async def test_new_changed_and_unchanged_rows_are_told_apart(url: DatabaseUrl) -> None:
    await store(url, [closes({"A": 100})])
    later = closes({"A": 100}, plus=7).take(np.arange(90, 100))
    report = await store(url, [closes({"A": 90}), later, closes({"B": 50})])
    assert (report.inserted, report.updated, report.unchanged) == (50, 10, 90)
    history = await ask(url, "SELECT count(*), min(close) FROM market_data_history")
    assert history[0][:] == (10, Decimal("100.0090"))


async def test_ids_ascend_with_the_rows_and_are_of_version_7(url: DatabaseUrl) -> None:
    await store(url, [closes({"A": 40_000 % 14_000, "B": 5_000}), closes({"C": 9})])
    rows = await ask(url, "SELECT id FROM market_data ORDER BY symbol, date")
    ids = [row["id"] for row in rows]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {each.version for each in ids} == {7}


async def test_each_part_keeps_its_own_source_and_word_on_splits(url: DatabaseUrl) -> None:
    async with open_import(url, source="two files", split_adjusted=None) as importing:
        await importing.add(closes({"A": 1}), source="a.csv", split_adjusted=True)
        await importing.add(closes({"B": 1}), source="b.csv", split_adjusted=False)
        await importing.add(closes({"C": 1}))
        await importing.finish()
    rows = await ask(url, "SELECT symbol, source, split_adjusted FROM market_data ORDER BY symbol")
    assert [row[:] for row in rows] == [
        ("A", "a.csv", True),
        ("B", "b.csv", False),
        ("C", "two files", None),
    ]


@pytest.mark.parametrize(
    ("close", "said", "stored"),
    [
        (1_000_000, None, True),  # the stored close, and nothing is said: nothing changes
        (1_000_000, False, False),
        (2_000_000, None, None),  # another close, of which nothing is said
        (2_000_000, True, True),
        (None, False, True),  # no close: it is not about the close that is stored
    ],
)
async def test_the_word_on_splits_goes_with_the_close(
    url: DatabaseUrl, close: int | None, said: bool | None, stored: bool | None
) -> None:
    async with open_import(url, source="a", split_adjusted=True) as importing:
        await importing.add(closes({"A": 1}))
        await importing.finish()
    numbers = {"adjusted_close": 5} if close is None else {"close": close}
    bars = Bars.from_columns(
        ["A"],
        np.zeros(1, np.int32),
        DAYS[:1],
        **{field: np.array([value]) for field, value in numbers.items()},
    )
    async with open_import(url, source="b", split_adjusted=said) as importing:
        await importing.add(bars)
        await importing.finish()
    (row,) = await ask(url, "SELECT split_adjusted FROM market_data")
    assert row["split_adjusted"] is stored


async def test_without_finish_nothing_is_stored(url: DatabaseUrl) -> None:
    async with open_import(url, source="a") as importing:
        await importing.add(closes({"A": 10}))

    async def stop(*, finished: bool) -> None:
        async with open_import(url, source="a") as importing:
            await importing.add(closes({"A": 10}))
            if finished:
                await importing.finish()
            raise ZeroDivisionError

    for finished in (False, True):
        with pytest.raises(ZeroDivisionError):
            await stop(finished=finished)
    assert await ask(url, "SELECT FROM market_data") == []


async def test_a_session_that_comes_twice_is_named(url: DatabaseUrl) -> None:
    with pytest.raises(PricesTwiceError, match=r"A has more than one row for 2000-01-02"):
        await store(url, [closes({"A": 3}), closes({"A": 2}).take(np.array([1]))])
    newest_first = closes({"A": 100}).take(np.arange(99, -1, -1))
    assert (await store(url, [newest_first])).inserted == 100


async def test_what_contradicts_the_store_is_left_out_and_reported(url: DatabaseUrl) -> None:
    whole = replace(closes({"A": 3}), high=np.full(3, 1_000_010), low=np.full(3, 999_990))
    await store(url, [whole])
    other = closes({"A": 4}).take(np.array([0, 1, 3]))
    other = replace(other, close=np.array([1_000_001, 1_000_011, 5]))
    with pytest.raises(ContradictoryPricesError, match="market_data_high_is_highest"):
        await store(url, [other])
    report = await store(url, [other], skip=True)
    assert (report.inserted, report.updated, report.unchanged) == (1, 1, 0)
    (finding,) = report.contradictory
    assert (finding.rule, finding.symbol, finding.date) == (
        "contradicts_stored",
        "A",
        DAYS[1].item(),
    )
    assert "close 100.0011" in finding.message


KILLED = """
import asyncio, sys
from etf_backtest.database.price_import import open_import
from etf_backtest.database.url import DatabaseUrl
from tests.integration.database.made_up_bars import closes

async def main():
    async with open_import(DatabaseUrl.parse(sys.argv[1]), source="killed") as importing:
        for number in range(40):
            await importing.add(closes({f"A{number:02d}": 10_000}))
            if number == int(sys.argv[2]):
                print("now", flush=True)
        await importing.finish()
        print("now", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("at", [5, 1000], ids=["while-copying", "before-the-commit"])
async def test_a_killed_import_leaves_nothing(url: DatabaseUrl, at: int) -> None:
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", KILLED, url.render(), str(at)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == b"now\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert await ask(url, "SELECT FROM market_data LIMIT 1") == []
    # and nobody is left who holds the lock
    assert (await store(url, [closes({"A00": 10})])).inserted == 10


async def test_two_imports_at_once_end_as_one_of_the_two_orders(url: DatabaseUrl) -> None:
    symbols = {"A": 3000, "B": 3000}
    one, two = closes(symbols), closes(symbols, plus=5)
    reports = await asyncio.gather(store(url, [one], source="one"), store(url, [two], source="two"))
    first, second = sorted(reports, key=lambda report: report.revision or 0)
    assert (first.inserted, first.updated) == (6000, 0)
    assert (second.inserted, second.updated) == (0, 6000)
    sources = await ask(url, "SELECT DISTINCT source FROM market_data")
    last = "one" if reports[0] is second else "two"
    assert [row["source"] for row in sources] == [last]
    packed = await ask(url, "SELECT FROM packed_prices JOIN price_series USING (symbol, revision)")
    assert len(packed) == 2


async def test_a_lock_that_is_not_given_back_says_who_holds_it(url: DatabaseUrl) -> None:
    arguments = url.asyncpg_arguments()
    arguments["server_settings"]["application_name"] = "somebody's notebook"
    holder = await asyncpg.connect(**arguments)
    async with holder.transaction():
        await holder.execute(
            "INSERT INTO market_data (symbol, date, close, source) "
            "VALUES ('X', '2024-01-02', 1, 'x')"
        )
        began = time.monotonic()
        with pytest.raises(PricesLockedError, match=r"somebody's notebook\), process \d+") as error:
            await store(url, [closes({"A": 10})], patience=0.2)
        assert time.monotonic() - began < 10
        assert str(holder.get_server_pid()) in str(error.value)
    await holder.close()
    assert (await store(url, [closes({"A": 10})])).inserted == 10


async def test_a_row_that_somebody_holds_is_waited_for_and_no_longer(url: DatabaseUrl) -> None:
    """SELECT FOR UPDATE takes no lock of the prices: another place, the same word."""
    assert (await store(url, [closes({"A": 10})])).inserted == 10
    holder = await asyncpg.connect(**url.asyncpg_arguments())
    async with holder.transaction():
        await holder.execute("SELECT FROM market_data FOR UPDATE")
        with pytest.raises(PricesLockedError, match=r"by another transaction for more than 0\.2 s"):
            await store(url, [closes({"A": 10}, plus=200)], patience=0.2)
    await holder.close()


async def test_a_table_without_its_triggers_takes_no_import(url: DatabaseUrl) -> None:
    """As db push leaves it: prices that belong to no state would be found by nobody."""
    (default,) = await ask(
        url,
        "SELECT column_default FROM information_schema.columns"
        " WHERE table_name = 'market_data' AND column_name = 'revision'",
    )
    await ask(url, "ALTER TABLE market_data DISABLE TRIGGER USER")
    await ask(url, "ALTER TABLE market_data ALTER revision SET DEFAULT 1")
    try:
        with pytest.raises(PricesNotStoredError, match="triggers are missing or disabled"):
            await store(url, [closes({"A": 10})])
        assert not await ask(url, "SELECT FROM market_data")
    finally:
        await ask(url, "ALTER TABLE market_data ENABLE TRIGGER USER")
        await ask(url, f"ALTER TABLE market_data ALTER revision SET DEFAULT {default[0]}")


async def test_a_server_that_goes_away_is_one_clear_error(own_postgres: Cluster) -> None:
    url = DatabaseUrl.parse(own_postgres.url("postgres"))

    async def cut_off() -> None:
        async with open_import(url, source="a") as importing:
            await importing.add(closes({"A": 10_000}))
            await asyncio.to_thread(own_postgres.stop)
            for number in range(100):
                await importing.add(closes({f"B{number}": 10_000}))
            await importing.finish()

    with pytest.raises(PricesNotStoredError, match=r"was lost: .*; nothing was stored"):
        await cut_off()
    with pytest.raises(PricesNotStoredError, match=r"cannot be reached|was lost"):
        await store(url, [closes({"A": 1})])
