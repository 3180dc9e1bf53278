"""Every constraint rejects a bad row at the database, and none is forgotten here."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from tests.integration.schema.bad_rows import CHECKS, DANGLING, DUPLICATES, NAMELESS_KEYS, Bad
from tests.integration.schema.rows import (
    TABLES,
    USER,
    Connection,
    insert,
    insert_one_of_each,
    statement,
)

pytestmark = pytest.mark.each_postgres


@pytest.mark.parametrize("case", CHECKS, ids=str)
async def test_check_refuses(connection: Connection, case: Bad) -> None:
    await insert_one_of_each(connection, before=case.table)
    if case.without_trigger:
        await connection.execute("ALTER TABLE backtests DISABLE TRIGGER backtests_check_status")

    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await insert(connection, case.table, **case.changes)

    assert caught.value.constraint_name == case.constraint
    assert caught.value.table_name == case.table


@pytest.mark.parametrize("case", DUPLICATES, ids=str)
async def test_unique_refuses(connection: Connection, case: Bad) -> None:
    await insert_one_of_each(connection)
    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await insert(connection, case.table, **case.changes)
    assert caught.value.constraint_name == case.constraint


@pytest.mark.parametrize("table", NAMELESS_KEYS)
async def test_primary_key_refuses(connection: Connection, table: str) -> None:
    await insert_one_of_each(connection)
    # every other column may be the same as well: the primary key is checked first
    copy = f"INSERT INTO {table} SELECT * FROM {table}"
    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await connection.execute(copy)
    assert caught.value.constraint_name == f"{table}_pkey"


async def test_system_strategies_have_unique_names(connection: Connection) -> None:
    await insert_one_of_each(connection)
    # a user's strategy may have the name of a system one
    system = {"user_id": "NULL", "is_system": "true", "id": "gen_random_uuid()"}
    await insert(connection, "strategies", **system)
    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await insert(connection, "strategies", **system)
    assert caught.value.constraint_name == "strategies_system_name_key"


@pytest.mark.parametrize("case", DANGLING, ids=str)
async def test_foreign_key_refuses(connection: Connection, case: Bad) -> None:
    await insert_one_of_each(connection, before=case.table)
    with pytest.raises(asyncpg.ForeignKeyViolationError) as caught:
        await insert(connection, case.table, **case.changes)
    assert caught.value.constraint_name == case.constraint


async def test_no_constraint_is_forgotten_here(connection: Connection) -> None:
    tested = {case.constraint for case in (*CHECKS, *DUPLICATES, *DANGLING)}
    tested |= {f"{table}_pkey" for table in NAMELESS_KEYS} | {"strategies_system_name_key"}
    constraints = await connection.fetch(
        "SELECT conname AS name FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'p', 'u', 'x')"
        " UNION SELECT indexrelid::regclass::text FROM pg_index"
        " WHERE indisunique AND indrelid::regclass::text = ANY($1)",
        list(TABLES),
    )
    assert tested == {row["name"] for row in constraints}


async def test_every_rule_in_sql_is_documented(connection: Connection, repository: Path) -> None:
    names = await connection.fetch(
        "SELECT conname FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND contype = 'c'"
        " UNION SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        " UNION SELECT indexrelid::regclass::text FROM pg_index"
        " WHERE indrelid::regclass::text = ANY($1) AND NOT indisprimary",
        list(TABLES),
    )
    text = (repository / "docs" / "database.md").read_text(encoding="utf-8")
    documented = text + "".join(f"{table}_set_updated_at" for table in TABLES)
    assert not {name for (name,) in names if name not in documented}


async def test_not_null_refuses(connection: Connection) -> None:
    await insert_one_of_each(connection)
    columns = await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND is_nullable = 'NO' AND table_name = ANY($1)",
        list(TABLES),
    )
    # 14 tables with id, most of them with both times, and what each of them cannot do without
    assert len(columns) > 14 * 3
    for table, column in columns:
        with pytest.raises(asyncpg.NotNullViolationError) as caught:
            async with connection.transaction():
                await insert(connection, table, **{column: "NULL"})
        assert (caught.value.table_name, caught.value.column_name) == (table, column)


async def test_no_decimal_takes_nan_or_infinity(connection: Connection) -> None:
    await insert_one_of_each(connection)
    columns = await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'numeric' AND table_name = ANY($1)",
        list(TABLES),
    )
    # initial capitals 2, allocation 1, metrics 26, prices 5 + dividend + split (and what they
    # were), ETF 3, facts 2, proxies 3
    assert len(columns) == 2 + 1 + 26 + 2 * 7 + 3 + 2 + 3
    for table, column in columns:
        with pytest.raises(asyncpg.CheckViolationError):
            async with connection.transaction():
                await connection.execute(f"UPDATE {table} SET {column} = 'NaN'")
        for infinity in ("Infinity", "-Infinity"):
            with pytest.raises(asyncpg.NumericValueOutOfRangeError):
                async with connection.transaction():
                    await connection.execute(f"UPDATE {table} SET {column} = '{infinity}'")


@pytest.mark.parametrize(
    "insertion",
    [
        statement("users", subscription_tier="'gold'"),
        statement("strategies", type="'guess'"),
        statement("backtests", status="'cancelled'"),
    ],
)
async def test_enums_refuse(connection: Connection, insertion: str) -> None:
    with pytest.raises(asyncpg.InvalidTextRepresentationError):
        await connection.execute(insertion)


SYMBOLS = ("SPY", "BRK.B", "BRK/B", "^GSPC", "BTC-USD", "EURUSD=X", "GC=F", "7203.T", "M&M.NS")


async def test_what_is_at_the_edge_is_taken(connection: Connection) -> None:
    await insert_one_of_each(connection)
    for symbol in (*SYMBOLS, "A" * 20):
        await insert(connection, "market_data", symbol=f"'{symbol}'", date="'2022-12-27'")
    for allocation in ("0", "0.4000"):
        await insert(
            connection, "portfolio_holdings", symbol=f"'A{allocation}'", allocation=allocation
        )
    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    # all prices the same; nothing but an adjusted close; nothing traded, nothing paid
    same = dict.fromkeys(("open", "high", "low", "close"), "0.0001")
    await insert(connection, "market_data", date="'2022-12-23'", volume="0", **same)
    await insert(
        connection,
        "market_data",
        date="'2022-12-22'",
        close="NULL",
        adjusted_close="0.0001",
        dividend_amount="0",
        split_ratio="0.000000000001",
    )
    zeros = ("win_rate", "max_drawdown", "volatility", "tracking_error", "ulcer_index", "turnover")
    edges = dict.fromkeys((*zeros, "omega_ratio", "tail_ratio"), "0")
    # what float64 makes of a perfect fit is rounded to it
    edges |= {"r_squared": "1.0000000000000002", "correlation": "-1.0000000000000002"}
    await connection.execute("DELETE FROM performance_metrics")
    await insert(
        connection, "performance_metrics", sessions="1", window_end="'2014-01-02'", **edges
    )
    await insert(
        connection, "etf_info", symbol="'X'", expense_ratio="0", assets_under_management="0"
    )
    await insert(
        connection, "users", id="gen_random_uuid()", email="'o''hara+x@mail.example.co.uk'"
    )
    await insert(
        connection,
        "portfolios",
        id="gen_random_uuid()",
        user_id=USER,
        name="'Ä ☂'",
        currency="'CHF'",
    )
