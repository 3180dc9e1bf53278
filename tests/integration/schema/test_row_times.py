"""`updated_at` is the server's clock at the last change; `created_at` never changes."""

from __future__ import annotations

import asyncpg
import pytest

from tests.integration.schema.rows import KEPT, TABLES, Connection, insert_one_of_each

pytestmark = pytest.mark.each_postgres

CHANGED = [table for table in TABLES if table not in KEPT]


@pytest.mark.parametrize("table", CHANGED)
async def test_every_update_moves_updated_at(connection: Connection, table: str) -> None:
    await insert_one_of_each(connection)
    before = await connection.fetchrow(f"SELECT created_at, updated_at FROM {table}")
    assert before is not None

    # a writer's own idea of the time does not count
    await connection.execute(f"UPDATE {table} SET updated_at = '2001-01-01', id = id")

    after = await connection.fetchrow(
        f"SELECT created_at, updated_at, clock_timestamp() AS now FROM {table}"
    )
    assert after is not None
    assert after["created_at"] == before["created_at"]
    # in one transaction now() would have stood still; columns round to milliseconds
    assert before["updated_at"] < after["updated_at"]
    assert (after["updated_at"] - after["now"]).total_seconds() <= 0.0005


@pytest.mark.parametrize("table", CHANGED)
async def test_created_at_cannot_be_changed(connection: Connection, table: str) -> None:
    await insert_one_of_each(connection)
    with pytest.raises(asyncpg.CheckViolationError, match="created_at") as caught:
        await connection.execute(f"UPDATE {table} SET created_at = '2001-01-01'")
    assert caught.value.constraint_name == f"{table}_created_at_fixed"
    assert caught.value.table_name == table


async def test_every_table_has_the_trigger(connection: Connection) -> None:
    rows = await connection.fetch(
        "SELECT tgrelid::regclass::text AS name FROM pg_trigger WHERE tgname LIKE '%set_updated_at'"
    )
    # a version that is stored no more has no times of its own: its revisions have them
    assert {row["name"] for row in rows} == set(TABLES) - {"market_data_history"}
