"""A database of the first release, with rows in it, comes along."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from etf_backtest.database import prisma_cli
from etf_backtest.database.queue import install_queue
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.settings import Settings
from tests.integration.migrations.heard import Heard
from tests.integration.schema.rows import (
    BACKTEST,
    FIRST_RELEASE,
    TABLES,
    Connection,
    insert,
)

ROWS = "SELECT to_jsonb(strategies) - '{implementation,parameters_schema}'::text[] FROM strategies"

# what a release adds to rows that are there, read from its script
ADDED: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "20261122000000_simulation_core": {
        "strategies": dict.fromkeys(("implementation", "parameters_schema")),
        "performance_metrics": dict.fromkeys(
            (
                *("correlation", "r_squared", "up_capture", "down_capture", "omega_ratio"),
                *("tail_ratio", "skewness", "kurtosis", "money_weighted_return", "turnover"),
                *("ulcer_index", "ulcer_performance_index"),
            )
        ),
    },
    "20261122200000_market_data_history": {
        "backtests": {"data_revision": None},
        "market_data": {"revision": 1, "split_adjusted": False},
        "etf_info": dict.fromkeys(("delisted_date", "last_price", "last_price_date", "source"))
        | {"status": "active"},
    },
    "20261122210000_etf_facts_in_step": {},
    "20261122213116_accounts_sharing_queue": {
        "backtests": {
            "is_shared": False,
            "priority": 0,
            "attempts": 0,
            "attempt_id": None,
            "lease_expires_at": None,
        },
    },
}
# what a release changes in them: (table, column)
CHANGED: Final = {
    # figures without a date are of the day when they were written
    "20261122210000_etf_facts_in_step": {("etf_info", "as_of_date"), ("etf_info", "updated_at")},
}

# beside what a row needs: a figure without a date
FIGURES: Final = {"etf_info": {"expense_ratio": "0.000945"}}

Row = dict[str, Any]


async def old_runs(connection: Connection) -> None:
    """A backtest in each status, beside the pending one of every release."""
    now = "'2024-05-01 10:00:00+00'"
    for number, (status, more) in enumerate(
        {
            "running": {"started_at": now},
            "completed": {"started_at": now, "completed_at": now, "results": """'{"schema": 2}'"""},
            "failed": {"completed_at": now, "error_message": "'no prices'"},
        }.items()
    ):
        await insert(
            connection,
            "backtests",
            id=f"'00000000-0000-4000-8000-00000000010{number}'",
            status=f"'{status}'",
            queued_at=now,
            **more,
        )


async def stored(connection: Connection) -> dict[str, dict[str, Row]]:
    """Every row of every table by its id."""
    tables = await connection.fetch(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"
    )
    return {
        table: {
            row[0]: json.loads(row[1])
            for row in await connection.fetch(f"SELECT id::text, to_jsonb(t) FROM {table} t")
        }
        for (table,) in tables
    }


@pytest.fixture
async def connection(empty_database: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(empty_database)
    yield connection
    await connection.close()


@pytest.mark.each_postgres
async def test_each_release_keeps_the_rows_of_those_before(
    connection: Connection, repository: Path, released: list[str]
) -> None:
    """Step by step, with rows in every table that a release has, before the next one comes."""
    assert [*ADDED] == released[1:]
    filled: set[str] = set()
    before: dict[str, dict[str, Row]] = {}
    for name in released:
        script = repository / "prisma" / "migrations" / name / "migration.sql"
        await connection.execute(script.read_text(encoding="utf-8"))
        after = await stored(connection)
        for table, rows in before.items():
            compare(name, table, rows, after[table])
        for table in [table for table in TABLES if table in after and table not in filled]:
            if not after[table]:  # else the migration has filled it from what was there
                await insert(connection, table, **FIGURES.get(table, {}))
            filled.add(table)
        if name == released[0]:
            await old_runs(connection)
        before = await stored(connection)
    assert filled == {*TABLES}
    assert all(before.values())
    await obeys_the_rules_of_today(connection)


def compare(name: str, table: str, before: dict[str, Row], after: dict[str, Row]) -> None:
    """What the release `name` has made of the rows of a table."""
    assert after.keys() >= before.keys(), f"{name}: rows of {table} are gone"
    for key, old in before.items():
        new = after[key]
        added = {column: new[column] for column in new.keys() - old.keys()}
        assert added == ADDED[name].get(table, {}), f"{name}: {table}"
        differing = {(table, column) for column in old if new[column] != old[column]}
        assert differing == {of for of in CHANGED.get(name, set()) if of[0] == table}


async def obeys_the_rules_of_today(connection: Connection) -> None:
    """Rows of the first release, under the triggers of the last."""
    assert await connection.fetchval(
        "SELECT array_agg(status::text ORDER BY status) FROM backtests"
    ) == ["pending", "running", "completed", "failed"]
    with pytest.raises(asyncpg.CheckViolationError, match="is completed and cannot be changed"):
        await connection.execute("UPDATE backtests SET priority = 1 WHERE status = 'completed'")
    await connection.execute("UPDATE backtests SET is_shared = true WHERE status = 'completed'")
    # a worker of today takes an old row
    await connection.execute(
        "UPDATE backtests SET status = 'running', attempt_id = gen_random_uuid(), attempts = 1,"
        f" lease_expires_at = now() + interval '1 minute' WHERE id = {BACKTEST}"
    )
    await connection.execute(
        "UPDATE backtests SET status = 'failed', error_message = 'x' WHERE status = 'running'"
    )
    await connection.execute("UPDATE backtests SET status = 'pending' WHERE status = 'failed'")
    (again,) = await connection.fetch(f"SELECT * FROM backtests WHERE id = {BACKTEST}")
    assert (again["attempts"], again["attempt_id"], again["lease_expires_at"]) == (0, None, None)
    # the figure of the fund is a statement of the day on which it was written
    assert (
        await connection.fetchval(
            "SELECT count(*) FROM etf_facts f JOIN etf_info i USING (symbol)"
            " WHERE f.valid_from = i.as_of_date AND f.expense_ratio = 0.000945"
        )
        == 1
    )


@pytest.mark.each_postgres
async def test_rows_of_the_first_release_are_kept_and_take_the_new_columns(
    empty_database: str, project: Path, settings: Settings, heard: Heard, released: list[str]
) -> None:
    where = heard.on(project)
    later = project.parent / "later"
    later.mkdir()
    for name in released[1:]:
        shutil.move(project / "prisma" / "migrations" / name, later / name)
    assert await prisma_cli.migrate_deploy(settings, empty_database, **where) == 0
    connection = await asyncpg.connect(empty_database)
    try:
        for table in FIRST_RELEASE:
            await insert(connection, table)
        await old_runs(connection)
        before = await connection.fetch(ROWS)
        for name in released[1:]:
            shutil.move(later / name, project / "prisma" / "migrations" / name)
        assert await prisma_cli.migrate_deploy(settings, empty_database, **where) == 0

        assert await connection.fetch(ROWS) == before
        (row,) = await connection.fetch("SELECT * FROM strategies")
        assert (row["implementation"], row["parameters_schema"]) == (None, None)
        (metrics,) = await connection.fetch("SELECT * FROM performance_metrics")
        assert metrics["sessions"] == 2262
        assert metrics["turnover"] is None
        # prices begin their history here: as traded, and of one revision that says so
        (price,) = await connection.fetch("SELECT * FROM market_data")
        assert (price["revision"], price["split_adjusted"]) == (1, False)
        (revision,) = await connection.fetch("SELECT * FROM price_revisions")
        assert (revision["number"], revision["inserted"]) == (1, 1)
        assert revision["source"] == "before revisions were kept"
        assert await connection.fetchval("SELECT revision FROM price_series") == 1
        await connection.execute("UPDATE market_data SET close = close + 1")
        (was,) = await connection.fetch("SELECT * FROM market_data_history")
        assert (was["close"], was["valid_from"], was["valid_to"]) == (price["close"], 1, 2)
        # the new values of the enum can be used
        await insert(
            connection,
            "strategies",
            id="gen_random_uuid()",
            name="'mine'",
            type="'custom'",
            implementation="'my_entry_point'",
        )
        # the row that was pending when there was no queue is found when there is one, and no other
        await install_queue(DatabaseUrl.parse(empty_database))
        jobs = "SELECT array_agg(args ->> 'backtest_id') FROM etf_backtest_queue.procrastinate_jobs"
        assert await connection.fetchval(jobs) == [BACKTEST.strip("'")]
    finally:
        await connection.close()
