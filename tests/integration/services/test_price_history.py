"""The past of stored prices, as people ask for it."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pytest

from etf_backtest.database.connection import Database
from etf_backtest.database.price_history import changes_between, changes_of
from etf_backtest.database.price_import import open_import
from etf_backtest.database.price_store import load_series, store_bars
from etf_backtest.errors import NoPricesError, NotFoundError
from etf_backtest.market.bar import Bar
from etf_backtest.market.bars import Bars
from etf_backtest.services.price_history import known_state, price_history, prices_as_of

DAYS = [dt.date(2024, 1, day) for day in (2, 3, 4)]


def bar(day: int, close: str, symbol: str = "SPY") -> Bar:
    return Bar(symbol, DAYS[day], close=Decimal(close))


@pytest.fixture(autouse=True)
async def revisions(db: Database) -> None:
    """1: two sessions of SPY and one of QQQ. 2: one changed, one added. 3: QQQ. 4: one removed."""
    url = db.url
    await store_bars(url, [bar(0, "100"), bar(1, "101"), bar(0, "7", "QQQ")], source="a.csv")
    await store_bars(url, [bar(1, "101.5"), bar(2, "102")], source="b.csv")
    await store_bars(url, [bar(0, "8", "QQQ")], source="c.csv")
    await db.execute_raw("DELETE FROM market_data WHERE symbol = 'SPY' AND date = '2024-01-02'")


@pytest.mark.each_postgres
async def test_what_each_revision_did_to_a_symbol(db: Database) -> None:
    found = await price_history(db.url, "spy")
    assert found.symbol == "SPY"
    assert [
        (each.number, each.source, each.added, each.changed, each.removed)
        for each in found.revisions
    ] == [(4, None, 0, 0, 1), (2, "b.csv", 1, 1, 0), (1, "a.csv", 2, 0, 0)]
    assert found.changes is None
    assert all(each.known_at.tzinfo is not None for each in found.revisions)
    (newest,) = (await price_history(db.url, "SPY", limit=1)).revisions
    assert newest.number == 4
    (other,) = (await price_history(db.url, "QQQ", limit=1)).revisions
    assert (other.number, other.changed) == (3, 1)


async def test_every_change_of_a_session(db: Database) -> None:
    found = await price_history(db.url, "SPY", date=DAYS[1])
    assert [each.number for each in found.revisions] == [2, 1]
    assert found.changes is not None
    changed, added = found.changes
    assert [*changed.fields()] == [("close", Decimal(101), Decimal("101.5"))]
    assert (changed.was_source, changed.source) == ("a.csv", "b.csv")
    assert changed.known_at == found.revisions[0].known_at
    assert added.was is None
    assert [*added.fields()] == [
        ("close", None, Decimal(101)),
        ("split_adjusted", None, False),
    ]
    (removed, _) = (await price_history(db.url, "SPY", date=DAYS[0])).changes or ()
    assert (removed.number, removed.became, removed.source) == (4, None, None)
    assert ("close", Decimal(100), None) in removed.fields()
    data = json.loads(json.dumps(found.to_dict()))
    assert data["changes"][0]["was"] == {"close": "101.0000"}
    assert data["changes"][0]["became"] == {"close": "101.5000"}


async def test_a_change_of_the_source_alone_is_one_and_of_nothing_is_none(db: Database) -> None:
    await db.execute_raw("UPDATE market_data SET source = 'd.csv' WHERE symbol = 'QQQ'")
    await db.execute_raw("UPDATE market_data SET id = gen_random_uuid()")
    await db.execute_raw("UPDATE market_data SET volume = 5 WHERE symbol = 'QQQ'")
    newest, source, *_ = await changes_of(db.url, "QQQ")
    assert [*newest.fields()] == [("volume", None, 5)]
    assert [*source.fields()] == []
    assert (source.was_source, source.source, source.number) == ("c.csv", "d.csv", 5)
    # neither changes what a backtest is made of
    assert await changes_between(db.url, ["QQQ"], 4, 7) == ({}, ())


async def test_what_was_stored_then(db: Database) -> None:
    """As the docstring of `revisions` says."""
    expected = {
        0: [],
        1: [
            ("QQQ", 1, DAYS[0], DAYS[0], Decimal(7), 1),
            ("SPY", 2, DAYS[0], DAYS[1], Decimal(101), 1),
        ],
        2: [
            ("QQQ", 1, DAYS[0], DAYS[0], Decimal(7), 1),
            ("SPY", 3, DAYS[0], DAYS[2], Decimal(102), 2),
        ],
        4: [
            ("QQQ", 1, DAYS[0], DAYS[0], Decimal(8), 3),
            ("SPY", 2, DAYS[1], DAYS[2], Decimal(102), 2),
        ],
    }
    for number, rows in expected.items():
        then = await prices_as_of(db.url, number)
        assert then.state.number == number
        assert [
            (each.symbol, each.sessions, each.first, each.last, each.last_close, each.revision)
            for each in then.symbols
        ] == rows
    then = await prices_as_of(db.url, 1, ["spy", "NOPE"])
    assert [each.symbol for each in then.symbols] == ["SPY"]
    assert then.unknown == ("NOPE",)
    assert json.loads(json.dumps(then.to_dict()))["symbols"][0]["last_close"] == "101.0000"
    with pytest.raises(NotFoundError):
        await prices_as_of(db.url, 5)


async def test_a_day_and_a_moment_are_states(db: Database) -> None:
    """A day stands for its end in UTC, whatever the server's time zone is."""
    await db.execute_raw(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = %L',"
        " current_database(), 'Pacific/Kiritimati'); END $$"
    )
    times = [each.known_at for each in (await price_history(db.url, "SPY")).revisions]
    assert (await known_state(db.url, times[1])).number == 2
    assert (await known_state(db.url, times[1] - dt.timedelta(microseconds=1))).number == 1
    assert (await known_state(db.url, times[1].replace(tzinfo=None))).number == 2
    assert (await known_state(db.url, times[0].date())).number == 4
    assert (await known_state(db.url, times[-1].date() - dt.timedelta(days=1))).number == 0
    then = await prices_as_of(db.url, dt.date(2000, 1, 1))
    assert (then.state.known_at, then.symbols) == (None, ())
    assert then.first_known_at == times[-1]


async def test_what_never_was_is_an_error(db: Database) -> None:
    with pytest.raises(NoPricesError, match=r"SPYX: no prices were ever stored .*mean SPY"):
        await price_history(db.url, "SPYX")
    with pytest.raises(NoPricesError, match="nothing was ever stored of 2020-01-01"):
        await price_history(db.url, "SPY", date=dt.date(2020, 1, 1))


async def test_an_import_that_is_not_committed_is_no_state(db: Database) -> None:
    """Whoever reads meanwhile reads the state before, whole, and does not wait."""
    stored = Bars.from_columns(
        ["SPY"],
        np.zeros(2, np.int32),
        np.array(DAYS[1:], "datetime64[D]"),
        close=np.array([2_000_000, 3_000_000]),
    )
    async with open_import(db.url, source="slow") as store:
        await store.add(stored)
        report = await store.finish()
        before = await load_series(db.url, ["SPY"])
    after = await load_series(db.url, ["SPY"])
    assert before.state.number == 4
    assert before.series["SPY"].closes.tolist() == [101.5, 102]
    assert (after.state.number, after.series["SPY"].closes.tolist()) == (
        report.revision,
        [200, 300],
    )
    then = await load_series(db.url, ["SPY"], as_of=before.state.number)
    assert then.series["SPY"].closes.tolist() == [101.5, 102]
    assert then.state == before.state
