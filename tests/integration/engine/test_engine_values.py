"""What is written is what is read: every type that lost something on some way through Prisma."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pydantic
import pytest
from pydantic import BaseModel

from etf_backtest.database.client import errors
from etf_backtest.database.client.enums import StrategyType
from etf_backtest.database.client.fields import Base64, Json
from etf_backtest.database.client.types import MarketDataScalarFieldKeys
from tests.fixtures.cluster import Cluster
from tests.integration.engine.database import Database, a_portfolio, a_user, connected

SESSION = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
NO_OFFSET_OF_A_WHOLE_HOUR = ("timezone TO 'Asia/Kathmandu'", "datestyle TO 'SQL, DMY'")


async def fetch_value(url: str, query: str) -> Any:
    """Ask the database itself."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest.mark.each_postgres
async def test_times_survive_a_server_that_is_not_in_utc(
    postgres: Cluster, database_url: str
) -> None:
    name = database_url.rpartition("/")[2]
    postgres.execute(*(f"ALTER DATABASE {name} SET {s}" for s in NO_OFFSET_OF_A_WHOLE_HOUR))
    moment = dt.datetime(2024, 7, 1, 23, 30, 15, 123000, tzinfo=dt.UTC)
    async with connected(database_url) as client:
        user = await a_user(client)
        changed = await client.user.update(where={"id": user.id}, data={"lastLogin": moment})
        assert changed is not None
        assert changed.lastLogin == moment
        row = await client.query_first(
            'SELECT last_login, $1::timestamptz "sent" FROM users', moment
        )
        assert row == {"last_login": moment.isoformat(timespec="milliseconds"), "sent": row["sent"]}
        assert dt.datetime.fromisoformat(row["sent"]) == moment
        found = await client.user.find_first(where={"lastLogin": {"gte": moment}})
        assert found is not None
    assert await fetch_value(database_url, "SELECT last_login FROM users") == moment


async def test_times_are_cut_to_milliseconds_and_naive_ones_are_utc(client: Database) -> None:
    user = await a_user(client)
    zone = dt.timezone(dt.timedelta(hours=-5))
    for given, kept in (
        (dt.datetime(2024, 1, 2, 3, 4, 5, 678999), dt.datetime(2024, 1, 2, 3, 4, 5, 678000)),  # noqa: DTZ001
        (dt.datetime(2024, 1, 1, 22, 0, 0, 1000, zone), dt.datetime(2024, 1, 2, 3, 0, 0, 1000)),  # noqa: DTZ001
    ):
        row = await client.user.update(where={"id": user.id}, data={"lastLogin": given})
        assert row is not None
        assert row.lastLogin == kept.replace(tzinfo=dt.UTC)


async def test_dates_at_both_ends_of_the_calendar(client: Database) -> None:
    for year in (1, 1899, 9999):
        day = dt.datetime(year, 12, 31, tzinfo=dt.UTC)
        row = await client.marketdata.create(
            {"symbol": f"Y{year}", "date": day, "close": Decimal(1), "source": "test"}
        )
        assert row.date == day


TEXTS = [
    "line\u2028separator, paragraph\u2029separator, next\u0085line",
    'quotes " and \\ backslashes \\u2028 \\" \\\\',
    'looks like a tag: {"$type":"Json","value":"1"} {"prisma__type":"bigint"}',
    "\U0001f4c8 \u00e9 e\u0301 \u200f\ufeff \x01\x1f\x7f \r\n\t",
    "",
]


async def test_text_comes_back_as_it_went(client: Database, database_url: str) -> None:
    portfolio = await a_portfolio(client)
    for text in TEXTS:
        changed = await client.portfolio.update(
            where={"id": portfolio.id}, data={"description": text}
        )
        assert changed is not None
        assert changed.description == text
        assert await fetch_value(database_url, "SELECT description FROM portfolios") == text
        assert await client.query_raw("SELECT $1::text AS sent", text) == [{"sent": text}]
        assert await client.portfolio.count(where={"description": {"equals": text}}) == 1


async def test_text_that_postgresql_cannot_hold_is_refused(client: Database) -> None:
    for text in ("nul \0 inside", "half \ud800 a pair"):
        await text_is_refused(client, text)
    # an escaped backslash before u0000 is text like any other
    assert (await a_user(client, "a\\u0000@example.com")).email == "a\\u0000@example.com"


async def text_is_refused(client: Database, text: str) -> None:
    with pytest.raises(errors.InputError, match=r"position 4|position 5") as refused:
        await a_user(client, text)
    assert refused.value.code == "P2019"
    assert text not in str(refused.value)
    with pytest.raises(errors.InputError):
        await client.query_raw("SELECT $1::text", text)
    with pytest.raises(errors.InputError):
        async with client.batch_() as batch:
            batch.user.create({"email": text, "passwordHash": "x"})


JSON: list[tuple[Any, str]] = [
    ("a string", "string"),
    ('"quoted" \\ \u2028', "string"),
    ("", "string"),
    ("null", "string"),
    (None, "null"),
    (True, "boolean"),
    (1.5, "number"),
    (2**60, "number"),
    ([1, [None, "x"]], "array"),
    ({"a": {"$type": "BigInt", "value": "x"}, "order_by": "\u2029"}, "object"),
]


class Parameters(BaseModel):
    """A model of one's own for raw queries."""

    parameters: pydantic.Json[Any]


async def test_json_is_encoded_once(client: Database, database_url: str) -> None:
    await client.execute_raw("ALTER TABLE strategies DROP CONSTRAINT strategies_parameters_object")
    owner = await a_user(client)
    for data, kind in JSON:
        strategy = await client.strategy.create(
            {
                "name": "test",
                "type": StrategyType.momentum,
                "parameters": Json(data),
                "userId": owner.id,
            }
        )
        assert strategy.parameters == data
        found = await client.strategy.find_unique_or_raise(where={"id": strategy.id})
        assert found.parameters == data
        query = "SELECT jsonb_typeof(parameters) FROM strategies"
        assert await fetch_value(database_url, query) == kind
        assert await client.strategy.count(where={"parameters": {"equals": Json(data)}}) == 1
        sent = await client.query_first(
            "SELECT $1::jsonb AS sent, parameters FROM strategies", Json(data)
        )
        assert sent == {"sent": data, "parameters": data}
        # in a raw query's reply, Json's null is like SQL's
        if data is not None:
            [read] = await client.query_raw("SELECT parameters FROM strategies", model=Parameters)
            assert read.parameters == data
        await client.strategy.delete_many()


async def test_json_that_is_not_json_is_refused(client: Database) -> None:
    with pytest.raises(errors.InputError, match="Json data"):
        await client.strategy.create(
            {"name": "test", "type": StrategyType.momentum, "parameters": Json(float("nan"))}
        )
    # json (not jsonb) could hold it, so PostgreSQL is asked
    with pytest.raises(errors.DataError) as refused:
        await client.strategy.create(
            {"name": "test", "type": StrategyType.momentum, "parameters": Json.keys(a="\0")}
        )
    assert refused.value.code == "P2023"


async def test_decimals_are_exact(client: Database, database_url: str) -> None:
    # 20 digits is the widest column of the schema; raw queries know no width
    for text in ("123456789012345678.91", "0.01", "0", "99.10"):
        row = await client.etfinfo.upsert(
            where={"symbol": "SPY"},
            data={
                "create": {"symbol": "SPY", "name": "x", "assetsUnderManagement": Decimal(text)},
                "update": {"assetsUnderManagement": Decimal(text)},
            },
        )
        assert row.assetsUnderManagement == Decimal(text)
        kept = await fetch_value(database_url, "SELECT assets_under_management FROM etf_info")
        assert kept == Decimal(text)
    thirty = Decimal("123456789012345678901234.567891")
    raw = await client.query_first(
        "SELECT $1::numeric AS n, ARRAY[$1::numeric, NULL] AS list, NULL::numeric AS none", thirty
    )
    assert raw == {"n": thirty, "list": [thirty, None], "none": None}
    assert isinstance(raw["n"], Decimal)


async def test_decimals_that_are_no_numbers_are_refused(client: Database) -> None:
    for value in map(Decimal, ("NaN", "sNaN", "Infinity", "-Infinity")):
        with pytest.raises(errors.InputError, match="is not a number"):
            await client.etfinfo.create(
                {"symbol": "X", "name": "x", "assetsUnderManagement": value}
            )
        with pytest.raises(errors.InputError, match="is not a number"):
            await client.query_raw("SELECT $1::numeric", value)


async def test_bigints_are_exact(client: Database) -> None:
    by: list[MarketDataScalarFieldKeys] = ["symbol", "volume"]
    for value in (0, -1, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)):
        raw = await client.query_first("SELECT $1::bigint AS n", value)
        assert raw == {"n": value}
    for value in (0, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1):
        row = await client.marketdata.create(
            {"symbol": "A", "date": SESSION, "close": Decimal(1), "source": "x", "volume": value}
        )
        assert row.volume == value
        assert await client.marketdata.count(where={"volume": {"equals": value}}) == 1
        groups = await client.marketdata.group_by(by, max={"volume": True})
        assert groups == [{"symbol": "A", "volume": value, "_max": {"volume": value}}]
        await client.marketdata.delete_many()


async def test_integers_beyond_64_bits_are_refused(client: Database) -> None:
    with pytest.raises(errors.InputError, match="64 bits"):
        await client.query_raw("SELECT $1::bigint", 2**63)
    with pytest.raises(errors.InputError, match="64 bits"):
        await client.marketdata.count(where={"volume": {"equals": -(2**63) - 1}})


COLUMNS: list[tuple[str, object]] = [
    ("'x'::\"char\"", "x"),
    ("'name'::name", "name"),
    ("interval '1 day 02:00:00'", "1 day 02:00:00"),
    ("point '(1,2.5)'", "(1,2.5)"),
    ("circle '<(1,2),3>'", "<(1,2),3>"),
    ("pg_sleep(0)", ""),
    ("'pg_class'::regclass", "pg_class"),
    ("int4range(1,5)", "[1,5)"),
    ("daterange('2024-01-01','2024-02-01')", "[2024-01-01,2024-02-01)"),
    ("ARRAY['a','b']::name[]", ["a", "b"]),
    ("ARRAY['a','b']::\"char\"[]", ["a", "b"]),
    ("ARRAY[interval '1 day']", ["1 day"]),
    ("ARRAY[point '(1,2)']", ["(1,2)"]),
    ("ARRAY[int4range(1,5)]", ["[1,5)"]),
    ("'1 2'::int2vector", "1 2"),
    ("macaddr '08:00:2b:01:02:03'", "08:00:2b:01:02:03"),
    ("to_tsvector('simple','a b')", "'a':1 'b':2"),
    ("'{}'::xid8[]", []),
    ("pg_lsn '16/B374D848'", "16/B374D848"),
    ("time '10:00:00'", "10:00:00"),
    ("date '2024-01-31'", "2024-01-31"),
    ("'\\x00ff'::bytea", "AP8="),
    ("true", True),
    ("1::smallint", 1),
    ("1.5::float8", 1.5),
    ("'NaN'::float8", None),
    ("'6f1c5dd0-0b0a-4f0e-8a44-0d7c1b7f8b5e'::uuid", "6f1c5dd0-0b0a-4f0e-8a44-0d7c1b7f8b5e"),
    ("'momentum'::strategy_type", "momentum"),
    ("ARRAY[1,2]", [1, 2]),
    ("ARRAY[true,false]", [True, False]),
    ("ARRAY['a',NULL]", ["a", None]),
    ("ARRAY[1::bigint, 9007199254740993, NULL]", [1, 2**53 + 1, None]),
    ("NULL::interval", None),
]


@pytest.mark.each_postgres
async def test_every_column_type_can_be_read(client: Database) -> None:
    query: Any = "SELECT {} AS v"
    read = {sql: await client.query_raw(query.format(sql)) for sql, _ in COLUMNS}
    assert read == {sql: [{"v": value}] for sql, value in COLUMNS}


PARAMETERS: list[tuple[str, object, object]] = [
    ("$1::text", None, None),
    ("$1::boolean", True, True),
    ("$1::int", 7, 7),
    ("$1::float8", 0.1, 0.1),
    ("$1::float8 = 'NaN'", float("nan"), True),
    ("$1::float8 = '-Infinity'", float("-inf"), True),
    (
        "$1::timestamptz::text",
        dt.datetime(2024, 1, 2, 3, 4, 5, 678901, dt.UTC),
        "2024-01-02 03:04:05.678901+00",
    ),
    ("$1::date::text", dt.date(2024, 2, 29), "2024-02-29"),
    ("$1::time::text", dt.time(23, 59, 59, 999999), "23:59:59.999999"),
    (
        "$1::interval::text",
        dt.timedelta(days=1, seconds=2, microseconds=3),
        "1 day 00:00:02.000003",
    ),
    (
        "$1::uuid",
        UUID("6f1c5dd0-0b0a-4f0e-8a44-0d7c1b7f8b5e"),
        "6f1c5dd0-0b0a-4f0e-8a44-0d7c1b7f8b5e",
    ),
    ("$1::bytea", b"\x00\xff", "AP8="),
    ("$1::bytea", Base64.encode(b"\x00\xff"), "AP8="),
    ("$1::jsonb", {"a": [1, "x"]}, {"a": [1, "x"]}),
    ("$1::text[]", ["a", 'b"c', None], ["a", 'b"c', None]),
    ("$1::int[]", [1, 2], [1, 2]),
    ("$1::int[]", [], []),
]


async def test_every_parameter_type_can_be_sent(client: Database) -> None:
    query: Any = "SELECT {} AS v"
    read = [
        (sql, given, await client.query_raw(query.format(sql), given))
        for sql, given, _ in PARAMETERS
    ]
    assert read == [(sql, given, [{"v": value}]) for sql, given, value in PARAMETERS]


async def test_what_has_no_type_is_refused_before_it_is_sent(client: Database) -> None:
    with pytest.raises(TypeError, match="not serializable"):
        await client.query_raw("SELECT $1", object())
