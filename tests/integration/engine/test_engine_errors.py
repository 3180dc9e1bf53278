"""Errors of the database are prisma-client-py's classes; `meta` says what PostgreSQL said."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from etf_backtest.database.client import errors
from etf_backtest.database.engine._protocol import Query
from tests.integration.engine.database import Database, a_portfolio, a_user, engine_of

NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.mark.each_postgres
async def test_a_check_violation_has_a_code_and_says_which(client: Database) -> None:
    portfolio = await a_portfolio(client)
    with pytest.raises(errors.DataError, match="portfolios_initial_capital_positive") as refused:
        await client.portfolio.update(
            where={"id": portfolio.id}, data={"initialCapital": Decimal(-1)}
        )
    assert refused.value.code == "P2004"
    assert refused.value.meta["sqlstate"] == "23514"
    assert refused.value.meta["constraint"] == "portfolios_initial_capital_positive"
    assert refused.value.meta["table"] == "portfolios"
    assert "violates check constraint" in refused.value.meta["message"]


async def test_rows_are_not_quoted_in_errors(client: Database) -> None:
    with pytest.raises(errors.DataError) as refused:
        await client.user.create({"email": "implausible", "passwordHash": "the-hash"})
    assert "the-hash" not in repr(refused.value.data)


@pytest.mark.each_postgres
async def test_a_deferred_constraint_fails_at_commit(client: Database) -> None:
    portfolio = await a_portfolio(client)
    with pytest.raises(errors.DataError, match="allocation") as refused:  # noqa: PT012  # one transaction
        async with client.tx() as transaction:
            for symbol in ("SPY", "QQQ"):
                await transaction.portfolioholding.create(
                    {"portfolioId": portfolio.id, "symbol": symbol, "allocation": Decimal("0.6")}
                )
    assert refused.value.code == "P2004"
    assert await client.portfolioholding.count() == 0
    with pytest.raises(errors.DataError) as refused:
        await client.portfolioholding.create_many(
            [
                {"portfolioId": portfolio.id, "symbol": s, "allocation": Decimal("0.6")}
                for s in ("SPY", "QQQ")
            ]
        )
    assert refused.value.code == "P2004"
    assert await client.portfolioholding.count() == 0


async def test_a_unique_violation(client: Database) -> None:
    await a_user(client)
    with pytest.raises(errors.UniqueViolationError) as refused:
        await a_user(client)
    assert refused.value.code == "P2002"
    assert refused.value.meta["target"] == ["email"]


async def test_a_foreign_key_violation(client: Database) -> None:
    with pytest.raises(errors.ForeignKeyViolationError) as refused:
        await client.portfolio.create({"userId": NOBODY, "name": "x"})
    assert refused.value.code == "P2003"
    assert isinstance(refused.value.meta, dict)


async def test_what_is_missing(client: Database) -> None:
    assert await client.user.find_unique({"id": NOBODY}) is None
    assert await client.user.update(where={"id": NOBODY}, data={}) is None
    assert await client.user.delete(where={"id": NOBODY}) is None
    for missing in (client.user.find_unique_or_raise, client.user.find_first_or_raise):
        with pytest.raises(errors.RecordNotFoundError) as refused:
            await missing(where={"id": NOBODY})
        assert refused.value.code == "P2025"
        assert isinstance(refused.value.meta, dict)
    with pytest.raises(errors.RecordNotFoundError):
        await client.portfolio.create({"name": "x", "user": {"connect": {"id": NOBODY}}})


async def test_a_required_value_that_is_missing(client: Database) -> None:
    data: Any = {"email": "a@example.com"}
    with pytest.raises(errors.MissingRequiredValueError):
        await client.user.create(data)


async def test_an_unknown_field(client: Database) -> None:
    where: Any = {"no_such_field": 1}
    with pytest.raises(errors.FieldNotFoundError):
        await client.user.find_many(where=where)
    include: Any = {"no_such_relation": True}
    with pytest.raises(errors.UnknownRelationalFieldError):
        await client.user.find_many(include=include)
    include = {"portfolios": 1}
    with pytest.raises(TypeError, match="include"):
        await client.user.find_many(include=include)


async def test_an_error_that_the_engine_says_no_more_about(client: Database) -> None:
    # the answer of the official engine has neither a code nor a meta here
    unknown = {
        "action": "findMany",
        "modelName": "NoSuchModel",
        "query": {"arguments": {}, "selection": {"$scalars": True}},
    }
    batch = {"batch": [unknown], "transaction": {"isolationLevel": None}}
    for payload in (unknown, batch):
        with pytest.raises(errors.DataError, match="NoSuchModel") as refused:
            await engine_of(client).query(Query(to_json(payload), from_json), tx_id=None)
        assert refused.value.code is None
        assert refused.value.meta == {}
    assert await client.user.count() == 0


async def test_a_value_of_the_wrong_type(client: Database) -> None:
    with pytest.raises(errors.DataError, match="uuid") as refused:
        await client.user.find_unique({"id": "not a uuid"})
    assert refused.value.code == "P2023"
    assert refused.value.meta["sqlstate"] == "22P02"
    data: Any = {"email": 7, "passwordHash": "x"}
    with pytest.raises(errors.DataError):
        await client.user.create(data)


async def test_text_that_is_too_long(client: Database) -> None:
    with pytest.raises(errors.DataError) as refused:
        await client.etfinfo.create({"symbol": "X" * 21, "name": "x"})
    assert refused.value.code == "P2000"


async def test_a_number_that_is_too_large(client: Database) -> None:
    with pytest.raises(errors.DataError) as refused:
        await client.marketdata.create(
            {
                "symbol": "X",
                "date": datetime(2024, 1, 1, tzinfo=UTC),
                "close": Decimal(10**7),
                "source": "x",
            }
        )
    assert refused.value.code == "P2020"


async def test_a_table_that_is_missing(client: Database) -> None:
    await client.execute_raw("DROP TABLE etf_info CASCADE")
    with pytest.raises(errors.TableNotFoundError) as refused:
        await client.etfinfo.count()
    assert refused.value.code == "P2021"


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("SELECT 1/0", "22012"),
        ("SELECT no_such_column", "42703"),
        ("SELECT * FROM no_such_table", "42P01"),
        ("SELEKT 1", "42601"),
        ("DO $$ BEGIN RAISE EXCEPTION 'own words'; END $$", "P0001"),
        ("SELECT 'x'::int", "22P02"),
    ],
)
async def test_raw_queries_say_what_postgresql_said(
    client: Database, sql: Any, sqlstate: str
) -> None:
    for run in (client.query_raw, client.execute_raw):
        with pytest.raises(errors.RawQueryError) as refused:
            await run(sql)
        assert refused.value.code == "P2010"
        assert refused.value.meta["code"] == sqlstate


async def test_raw_statements_that_break_constraints(client: Database) -> None:
    insert: Any = "INSERT INTO users (email, password_hash) VALUES ($1, 'x')"
    await client.execute_raw(insert, "a@example.com")
    for email, sqlstate in (("a@example.com", "23505"), ("x", "23514"), (None, "23502")):
        with pytest.raises(errors.RawQueryError) as refused:
            await client.execute_raw(insert, email)
        assert refused.value.meta["code"] == sqlstate


async def test_too_few_parameters(client: Database) -> None:
    with pytest.raises(errors.RawQueryError):
        await client.query_raw("SELECT $1::int, $2::int", 1)


async def test_deadlocks_are_typed(client: Database) -> None:
    for email in ("a@example.com", "b@example.com"):
        await a_user(client, email)
    await client.execute_raw("ALTER ROLE CURRENT_USER SET deadlock_timeout = '50ms'")
    ready = asyncio.Barrier(2)

    async def cross(first: str, second: str) -> None:
        async with client.tx() as transaction:
            await transaction.user.update(where={"email": first}, data={"firstName": "x"})
            await ready.wait()
            await transaction.user.update(where={"email": second}, data={"firstName": "x"})

    one, two = "a@example.com", "b@example.com"
    outcomes = await asyncio.gather(cross(one, two), cross(two, one), return_exceptions=True)
    [victim] = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(victim, errors.DataError)
    assert victim.code == "P2034"
    assert victim.meta["sqlstate"] == "40P01"
