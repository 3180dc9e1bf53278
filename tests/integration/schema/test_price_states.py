"""Whatever is written, every state that prices were ever in can be read as it was."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import TypeAlias

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etf_backtest.database.price_history import changes_between, stored_then
from etf_backtest.database.price_store import load_series
from etf_backtest.database.url import DatabaseUrl
from tests.fixtures.cluster import Cluster
from tests.fixtures.postgres import Servers
from tests.integration.schema.price_states import State, last_touched, latest, state, stored
from tests.integration.schema.rows import Connection

pytestmark = pytest.mark.each_postgres

SYMBOLS = ("AAA", "BBB", "CCC")
DAYS = (dt.date(2024, 1, 2), dt.date(2024, 1, 3))
NAME = "price_states"

# statement, parameters; the model below says what each does to a dict
Step: TypeAlias = tuple[str, tuple[object, ...]]
Transaction: TypeAlias = tuple[tuple[Step, ...], bool]

_keys = st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(DAYS))
_closes = st.sampled_from([Decimal(1), Decimal(2), Decimal("3.5")])
_steps = st.one_of(
    st.tuples(st.just("upsert"), st.tuples(_keys, _closes)),
    st.tuples(st.just("insert"), st.tuples(_keys, _closes)),
    st.tuples(st.just("update"), st.tuples(_keys, _closes)),
    st.tuples(st.just("raise"), st.tuples(st.sampled_from(SYMBOLS))),
    st.tuples(st.just("move"), st.tuples(_keys, _keys)),
    st.tuples(st.just("rename"), st.tuples(_keys)),
    st.tuples(st.just("delete"), st.tuples(_keys)),
    st.tuples(st.just("clear"), st.tuples(st.sampled_from(SYMBOLS))),
    st.tuples(st.just("savepoint"), st.just(())),
    st.tuples(st.just("undo"), st.just(())),
)
_transactions = st.lists(
    st.tuples(st.lists(_steps, min_size=1, max_size=6).map(tuple), st.booleans()),
    min_size=1,
    max_size=8,
)
_SQL = {
    "upsert": (
        "INSERT INTO market_data (symbol, date, close, source) VALUES ($1, $2, $3, 'test')"
        " ON CONFLICT (symbol, date) DO UPDATE SET close = excluded.close"
    ),
    "insert": (
        "INSERT INTO market_data (symbol, date, close, source) VALUES ($1, $2, $3, 'test')"
        " ON CONFLICT DO NOTHING"
    ),
    "update": "UPDATE market_data SET close = $3 WHERE symbol = $1 AND date = $2",
    "raise": "UPDATE market_data SET close = close + 1 WHERE symbol = $1",
    "move": (
        "UPDATE market_data SET symbol = $3, date = $4 WHERE symbol = $1 AND date = $2"
        " AND NOT EXISTS (SELECT FROM market_data WHERE symbol = $3 AND date = $4)"
    ),
    "rename": "UPDATE market_data SET id = gen_random_uuid() WHERE symbol = $1 AND date = $2",
    "delete": "DELETE FROM market_data WHERE symbol = $1 AND date = $2",
    "clear": "DELETE FROM market_data WHERE symbol = $1",
    "savepoint": "SAVEPOINT here",
    "undo": "ROLLBACK TO here",
}


def after(before: State, what: str, parameters: tuple[object, ...]) -> State:
    """What a step leaves, by the rules of a dict."""
    new = dict(before)
    match what, parameters:
        case "upsert", (tuple() as key, Decimal() as close):
            new[key] = (close, "test")
        case "insert", (tuple() as key, Decimal() as close):
            new.setdefault(key, (close, "test"))
        case "update", (tuple() as key, Decimal() as close):
            if key in new:
                new[key] = (close, "test")
        case "raise", (symbol,):
            for key, (old, source) in before.items():
                if key[0] == symbol and old is not None:
                    new[key] = (old + 1, source)
        case "move", (tuple() as key, tuple() as target):
            if key in new and target not in new:
                new[target] = new.pop(key)
        case "delete", (tuple() as key,):
            new.pop(key, None)
        case "clear", (symbol,):
            new = {key: values for key, values in new.items() if key[0] != symbol}
    return new


def flat(parameters: tuple[object, ...]) -> Iterator[object]:
    for parameter in parameters:
        if isinstance(parameter, tuple):
            yield from parameter
        else:
            yield parameter


async def write(
    connection: Connection, steps: tuple[Step, ...], *, commits: bool, now: State
) -> State:
    """Run a transaction on the database and on the model; what the model says is stored then."""
    transaction, new, saved = connection.transaction(), now, None
    await transaction.start()
    for what, parameters in steps:
        if what == "undo":
            if saved is None:
                continue
            new = saved
        elif what == "savepoint":
            saved = new
        else:
            new = after(new, what, parameters)
        await connection.execute(_SQL[what], *flat(parameters))
    if commits:
        await transaction.commit()
        return new
    await transaction.rollback()
    return now


async def run(url: str, transactions: list[Transaction]) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("DELETE FROM market_data")
        now: State = {}
        states: dict[int, State] = {await latest(connection): now}
        for steps, commits in transactions:
            before = await latest(connection)
            new = await write(connection, steps, commits=commits, now=now)
            number = await latest(connection)
            assert number > before or new == now, "a change without a revision"
            states[number] = now = new
            assert await stored(connection) == now
        for number, expected in states.items():
            assert await state(connection, number) == expected
            await reads_as(url, number, expected)
        await differ_as(url, *sorted(states)[:: max(len(states) - 1, 1)], states=states)
        touched = await last_touched(connection)
        for symbol in {symbol for symbol, _ in now}:
            newest = await connection.fetchval(
                "SELECT max(revision) FROM market_data WHERE symbol = $1", symbol
            )
            assert touched[symbol] >= newest
    finally:
        await connection.close()


async def reads_as(url: str, number: int, expected: State) -> None:
    """What the package reads as of a state is what it was."""
    read = await load_series(DatabaseUrl.parse(url), SYMBOLS, as_of=number)
    found = {
        (symbol, date): close
        for symbol, series in read.series.items()
        for date, close in zip(series.dates.tolist(), series.closes.tolist(), strict=True)
    }
    assert found == {key: float(close or 0) for key, (close, _) in expected.items()}
    then = await stored_then(DatabaseUrl.parse(url), number)
    assert {(each.symbol, each.last): each.last_close for each in then} == {
        max(key for key in expected if key[0] == symbol): expected[
            max(key for key in expected if key[0] == symbol)
        ][0]
        for symbol in {symbol for symbol, _ in expected}
    }


async def differ_as(
    url: str, old: int, new: int | None = None, *, states: dict[int, State]
) -> None:
    """The changes between two states are the differences of two dicts, in both directions."""
    new = old if new is None else new
    for one, other in ((old, new), (new, old)):
        counts, changes = await changes_between(DatabaseUrl.parse(url), SYMBOLS, one, other)
        a, b = states[one], states[other]
        expected = {
            (each[1], each[0]): (a.get(each, (None,))[0], b.get(each, (None,))[0])
            for each in a.keys() | b.keys()
            if a.get(each) != b.get(each)
        }
        assert {
            (change.date, change.symbol): (
                change.was and change.was["close"],
                change.became and change.became["close"],
            )
            for change in changes
        } == expected
        assert [(change.date, change.symbol) for change in changes] == sorted(expected)
        assert sum(counts.values()) == len(expected)


@pytest.fixture(scope="session")
def states_database(postgres: Cluster, _servers: Servers) -> Iterator[str]:
    """URL of a migrated database that all examples share: each begins by deleting what is there."""
    postgres.execute(f"CREATE DATABASE {NAME} TEMPLATE {_servers.template(postgres)}")
    yield postgres.url(NAME)
    postgres.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(transactions=_transactions)
def test_every_state_is_what_it_was(states_database: str, transactions: list[Transaction]) -> None:
    """The oracle is a dict that every step is applied to."""
    asyncio.run(run(states_database, transactions))
