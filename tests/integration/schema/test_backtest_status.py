"""A backtest goes only where it sensibly can, and what is completed stays."""

from __future__ import annotations

import asyncpg
import pytest

from tests.integration.schema.rows import Connection, insert, insert_one_of_each

pytestmark = pytest.mark.each_postgres

STATUSES = ("pending", "running", "completed", "failed")
ALLOWED = {
    ("pending", "running"),
    ("pending", "failed"),
    ("running", "completed"),
    ("running", "failed"),
    ("running", "pending"),
    ("failed", "pending"),
}
# what the CHECKs want of a row in each status; the trigger fills in the times
WITH = {
    "pending": "status = 'pending', results = NULL, error_message = NULL",
    "running": "status = 'running', results = NULL, error_message = NULL",
    "completed": "status = 'completed', results = '{}', error_message = NULL",
    "failed": "status = 'failed', results = NULL, error_message = 'no prices'",
}


async def backtest_that_is(connection: Connection, status: str) -> None:
    await insert_one_of_each(connection, before="backtests")
    extra = {
        "completed": {"results": """'{"equity": [1]}'"""},
        "failed": {"error_message": "'no prices'"},
    }
    await insert(connection, "backtests", status=f"'{status}'", **extra.get(status, {}))


async def row(connection: Connection) -> asyncpg.Record:
    record = await connection.fetchrow("SELECT * FROM backtests")
    assert record is not None
    return record


@pytest.mark.parametrize("new", STATUSES)
@pytest.mark.parametrize("old", STATUSES)
async def test_changes_of_status(connection: Connection, old: str, new: str) -> None:
    await backtest_that_is(connection, old)
    change = f"UPDATE backtests SET {WITH[new]}"
    if (old, new) in ALLOWED or (old == new and old != "completed"):
        await connection.execute(change)
        assert (await row(connection))["status"] == new
        return
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await connection.execute(change)
    final = old == "completed"
    expected = "backtests_completed_is_final" if final else "backtests_status_change"
    assert caught.value.constraint_name == expected
    assert caught.value.table_name == "backtests"
    assert f"cannot go from {old} to {new}" in str(caught.value) or final


async def test_times_are_filled_in_and_taken_back(connection: Connection) -> None:
    await backtest_that_is(connection, "pending")
    first = await row(connection)
    assert (first["started_at"], first["completed_at"]) == (None, None)

    await connection.execute("UPDATE backtests SET status = 'running'")
    running = await row(connection)
    assert running["queued_at"] <= running["started_at"]
    assert running["completed_at"] is None

    await connection.execute("UPDATE backtests SET status = 'failed', error_message = 'x'")
    failed = await row(connection)
    assert failed["started_at"] == running["started_at"] <= failed["completed_at"]

    # another try: as if it had never been started
    await connection.execute("UPDATE backtests SET status = 'pending'")
    again = await row(connection)
    for name in ("started_at", "completed_at", "error_message", "results"):
        assert again[name] is None


async def test_times_of_the_writer_are_kept(connection: Connection) -> None:
    await backtest_that_is(connection, "pending")
    await connection.execute(
        "UPDATE backtests SET status = 'running', started_at = queued_at + interval '1 hour'"
    )
    await connection.execute(
        "UPDATE backtests SET status = 'completed', results = '{}',"
        " completed_at = started_at + interval '1 minute'"
    )
    done = await row(connection)
    assert (done["started_at"] - done["queued_at"]).total_seconds() == 3600
    assert (done["completed_at"] - done["started_at"]).total_seconds() == 60


async def test_a_client_whose_clock_is_ahead(connection: Connection) -> None:
    """Prisma fills queued_at from the client's clock, the trigger from the server's."""
    await insert_one_of_each(connection, before="backtests")
    await insert(connection, "backtests", queued_at="now() + interval '1 minute'")
    await connection.execute("UPDATE backtests SET status = 'running'")
    await connection.execute("UPDATE backtests SET status = 'completed', results = '{}'")
    done = await row(connection)
    assert done["queued_at"] == done["started_at"] == done["completed_at"]


@pytest.mark.parametrize(
    "change",
    [
        "results = '{}'",
        "options = '{\"lag\": 1}'",
        "initial_capital = 1",
        "end_date = '2022-12-27'",
        "benchmark_symbol = 'AGG'",
        "completed_at = now() + interval '1 day'",
        "engine_version = '2'",
        "conventions_version = 2",
        "error_message = 'x'",
        "queued_at = '2001-01-01'",
    ],
)
async def test_what_is_completed_is_final(connection: Connection, change: str) -> None:
    await backtest_that_is(connection, "completed")
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await connection.execute(f"UPDATE backtests SET {change}")
    assert caught.value.constraint_name == "backtests_completed_is_final"


async def test_what_is_completed_may_be_renamed_and_deleted(connection: Connection) -> None:
    await backtest_that_is(connection, "completed")
    # a client may write back all that it has read
    await connection.execute("UPDATE backtests SET name = 'better', results = results")
    assert (await row(connection))["name"] == "better"
    assert await connection.execute("DELETE FROM backtests") == "DELETE 1"
