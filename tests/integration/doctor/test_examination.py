"""The doctor sees what was done to a database; expected lines are of what each test did to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from etf_backtest.database.doctor import Examination, Finding, examine, upkeep
from etf_backtest.database.doctor.expected import named_in
from etf_backtest.database.doctor.schema import check_drift, describe
from etf_backtest.database.prisma_cli.history import Attempt, compare
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.settings import Settings
from tests.fixtures.cluster import Cluster
from tests.fixtures.own_settings import settings_of
from tests.integration.schema.rows import (
    BACKTEST,
    PORTFOLIO,
    STRATEGY,
    USER,
    Connection,
    insert,
    insert_one_of_each,
)


@pytest.fixture
def settings(queue_url: str, tmp_path: Path) -> Settings:
    return settings_of(queue_url, tmp_path)


@pytest.fixture
async def connection(queue_url: str) -> AsyncIterator[Connection]:
    """To the database that is looked at, with a row in every table."""
    connection = await asyncpg.connect(queue_url)
    await insert_one_of_each(connection)
    await connection.execute("SELECT setval('price_revisions_number_seq', 1000)")
    yield connection
    await connection.close()


OWNER = "use the tables' owner"


async def look(settings: Settings) -> Examination:
    """All but the comparison with schema.prisma, which starts Node."""
    assert settings.database_url is not None
    url = DatabaseUrl.parse(settings.database_url.get_secret_value())
    return await examine(settings, url, drift=False)


def of(found: Examination, check: str) -> list[Finding]:
    return [finding for finding in found.findings if finding.check == check]


@pytest.mark.each_postgres
async def test_a_database_that_is_well(
    settings: Settings, connection: Connection, postgres: Cluster
) -> None:
    found = await look(settings)
    unwell = [f for f in found.findings if f.severity != "ok"]
    # the tests' template is made of the scripts alone
    assert {f.check for f in unwell} == {"migrations"}
    assert of(found, "server")[0].text.startswith(f"PostgreSQL {postgres.version}.")
    (rows,) = of(found, "rows")
    assert rows.text == f"all obey the {await count_of_rules(connection)} constraints on them"
    assert of(found, "queue")[0].text.startswith("The queue of backtests")
    assert found.versions["PostgreSQL"].startswith(str(postgres.version))
    assert postgres.password not in str(found)


async def count_of_rules(connection: Connection) -> int:
    count: int = await connection.fetchval(
        "SELECT count(*) FROM pg_constraint WHERE contype IN ('c', 'f')"
        " AND connamespace IN ('public'::regnamespace, 'etf_backtest_queue'::regnamespace)"
    )
    return count


async def test_rows_that_got_past_the_rules(settings: Settings, connection: Connection) -> None:
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("DELETE FROM users")
    await insert(connection, "portfolio_holdings", portfolio_id=PORTFOLIO, symbol="'AGG'")
    await connection.execute("ALTER TABLE etf_info DROP CONSTRAINT etf_info_currency_iso")
    await connection.execute("UPDATE etf_info SET currency = 'usd'")
    await connection.execute(
        "ALTER TABLE etf_info ADD CONSTRAINT etf_info_currency_iso"
        " CHECK (currency ~ '^[A-Z]{3}$') NOT VALID"
    )
    await connection.execute("SELECT setval('price_revisions_number_seq', 990)")
    found = await look(settings)
    assert not found.is_well
    assert {f.text for f in of(found, "rows")} == {
        "1 row of etf_info does not obey etf_info_currency_iso",
        "1 row of backtests does not obey backtests_user_id_fkey",
        "1 row of portfolios does not obey portfolios_user_id_fkey",
        "1 row of strategies does not obey strategies_user_id_fkey",
        "1 row of user_tokens does not obey user_tokens_user_id_fkey",
        # 0.6 twice
        "1 row of portfolios does not obey portfolio_holdings_allocation_sum",
    }
    (unvalidated,) = of(found, "constraints")
    assert unvalidated.text == "not valid for older rows: etf_info_currency_iso on etf_info"
    assert unvalidated.remedy is not None
    await connection.execute("UPDATE etf_info SET currency = 'USD'")
    await connection.execute(unvalidated.remedy)
    (sequence,) = of(found, "sequences")
    assert sequence.text == "behind their tables: price_revisions_number_seq"
    assert "higher by 10 or more" in str(sequence.remedy)


async def test_rules_and_indexes_that_are_gone(settings: Settings, connection: Connection) -> None:
    await connection.execute(
        "CREATE TABLE _prisma_migrations (migration_name text, checksum text,"
        " started_at timestamptz DEFAULT now(), finished_at timestamptz DEFAULT now(),"
        " rolled_back_at timestamptz);"
        "INSERT INTO _prisma_migrations VALUES ('20250126000000_init', 'edited'),"
        " ('20990101000000_later', 'x');"
        "ALTER TABLE users DISABLE TRIGGER users_set_updated_at;"
        "DROP TRIGGER backtests_check_status ON backtests;"
        "DROP INDEX etf_info_sector_idx;"
        "ALTER TABLE backtests DROP CONSTRAINT backtests_dates_in_order;"
        "UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'etf_info_category_idx'::regclass"
    )
    found = await look(settings)
    assert of(found, "made by migrations")[0].text == (
        "not there any more: trigger backtests_check_status, constraint backtests_dates_in_order, "
        "index etf_info_sector_idx"
    )
    assert of(found, "triggers")[0].text == "switched off: users_set_updated_at on users"
    (invalid,) = of(found, "indexes")
    assert (invalid.text, invalid.remedy) == (
        "invalid: etf_info_category_idx",
        "REINDEX INDEX CONCURRENTLY etf_info_category_idx",
    )
    edited, missing, pending = of(found, "migrations")
    assert edited.text == "edited after being applied: 20250126000000_init"
    assert missing.text == "applied, but not on disk: 20990101000000_later"
    assert pending.remedy == "etf-backtest migrate deploy"


async def test_backtests_that_nobody_works_on(settings: Settings, connection: Connection) -> None:
    ids = {}
    for name, times in {
        "foreign": "now() - interval '2 hours', NULL, NULL",
        "lost": "now() - interval '1 hour', gen_random_uuid(), now() - interval '10 minutes'",
        "alive": "now() - interval '9 hours', gen_random_uuid(), now() + interval '1 minute'",
    }.items():
        ids[name] = await connection.fetchval(
            "INSERT INTO backtests (user_id, portfolio_id, strategy_id, name, start_date, end_date,"
            " initial_capital, status, queued_at, started_at, attempt_id, lease_expires_at)"
            f" VALUES ({USER}, {PORTFOLIO}, {STRATEGY}, '{name}', '2014-01-02', '2015-01-02', 1,"
            f" 'running', now() - interval '1 day', {times}) RETURNING id::text"
        )
    await connection.execute(
        f"UPDATE backtests SET queued_at = now() - interval '1 hour' WHERE id = {BACKTEST}"
    )
    foreign, lost, waiting = of(await look(settings), "backtests")
    assert foreign.text.endswith(f"by no worker of ours: {ids['foreign']}")
    assert lost.text.endswith(f"nobody has taken over: {ids['lost']}")
    assert waiting.text == "1 backtest pending for more than 5 minutes, and no worker lives"
    assert {f.severity for f in (foreign, lost, waiting)} == {"warning"}
    await connection.execute("INSERT INTO etf_backtest_queue.procrastinate_workers DEFAULT VALUES")
    assert len(of(await look(settings), "backtests")) == 2


async def test_statistics(
    settings: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "MANY_ROWS", 1)
    monkeypatch.setattr(upkeep, "DAYS_TO_JUDGE", 0)
    await connection.execute("DELETE FROM etf_proxies")
    await connection.execute("SELECT pg_stat_force_next_flush()")
    await connection.execute("SELECT 1")
    found = await look(settings)
    (vacuum,) = of(found, "vacuum")
    assert vacuum.severity == "warning"
    assert "etf_proxies (100% dead)" in vacuum.text
    (unused,) = of(found, "unused indexes")
    assert unused.severity == "warning"
    assert "nothing has to be done" in str(unused.remedy)
    # the tests' servers do not have it: it says how to get it
    assert "shared_preload_libraries" in str(of(found, "statements")[0].remedy)


async def test_what_restores_have_kept(settings: Settings, connection: Connection) -> None:
    name = f"{await connection.fetchval('SELECT current_database()')}_before_restore_20260101000000"
    await connection.execute(f"CREATE DATABASE {name}")
    try:
        (kept,) = of(await look(settings), "other databases")
    finally:
        await connection.execute(f"DROP DATABASE {name}")
    assert kept.text.startswith(f"from restores: {name} (")
    assert kept.remedy == f'when it is needed no more: DROP DATABASE "{name}"'
    assert of(await look(settings), "other databases") == []


async def test_a_role_that_may_not_look(settings: Settings, queue_url: str) -> None:
    connection = await asyncpg.connect(queue_url)
    url = DatabaseUrl.parse(queue_url)
    await connection.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    try:
        theirs = f"postgresql://stranger:stranger@{url.server}/{url.database}"
        found = await look(settings.model_copy(update={"database_url": SecretStr(theirs)}))
        assert not_seen(found).items() >= dict.fromkeys(("backtests", "rows"), OWNER).items()
        assert set(not_seen(found).values()) == {OWNER}
    finally:
        await connection.execute("DROP ROLE stranger")
        await connection.close()


async def test_tables_of_before_an_update(settings: Settings, connection: Connection) -> None:
    await connection.execute("ALTER TABLE backtests RENAME COLUMN lease_expires_at TO lease")
    assert not_seen(await look(settings)) == {"backtests": "etf-backtest migrate deploy"}


def not_seen(found: Examination) -> dict[str, str | None]:
    """The checks that could not look, and what they say is to be done."""
    return {f.check: f.remedy for f in found.findings if "cannot be looked at" in f.text}


@pytest.mark.parametrize("own_postgres", ["debian"], indirect=True)
async def test_slow_statements_where_the_server_counts_them(own_postgres: Cluster) -> None:
    own_postgres.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    own_postgres.restart()
    connection = await asyncpg.connect(own_postgres.url())
    await connection.execute("CREATE SCHEMA x CREATE TABLE t (a int)")
    await connection.execute("CREATE EXTENSION pg_stat_statements SCHEMA x")
    await connection.execute("SELECT x.pg_stat_statements_reset()")
    await connection.fetchval("SELECT pg_sleep(0.05), $1::text", "a secret")
    slowest, *_ = await upkeep.check_statements(connection)
    assert slowest.text.startswith("0.1 s in 1 calls of 5")
    assert slowest.text.endswith("SELECT pg_sleep($2), $1::text")
    await connection.close()


def test_histories_in_lines() -> None:
    scripts = {"1_a": b"a", "2_b": b"b"}
    attempts = [Attempt("1_a", "0", finished=False, rolled_back=False)]
    assert [(f.severity, f.text) for f in describe(compare(scripts, attempts))] == [
        ("error", "begun and not finished: 1_a"),
        ("error", "pending: 2_b"),
    ]


def test_what_scripts_make_and_drop_again() -> None:
    first = (
        'CREATE TABLE "t" (\n    CONSTRAINT "t_pkey" PRIMARY KEY ("id")\n);\n'
        '-- CONSTRAINT "never"\nCREATE UNIQUE INDEX "t_key" ON "t"("a");\n'
        'CREATE CONSTRAINT TRIGGER "t_sum" AFTER INSERT ON "t"\n'
    )
    second = 'ALTER TABLE "t"\n    DROP CONSTRAINT "t_pkey",\n    ADD CONSTRAINT "t_pk" CHECK (x);'
    assert named_in([first, second]) == {
        "t_key": "index",
        "t_sum": "trigger",
        "t_pk": "constraint",
    }


async def test_drift_is_seen_and_nothing_is_written(database_url: str, settings: Settings) -> None:
    connection = await asyncpg.connect(database_url)
    there = "SELECT array_agg(datname ORDER BY datname) FROM pg_database"
    before = await connection.fetchval(there)
    await connection.execute("ALTER TABLE users ADD COLUMN nickname text")
    found = await check_drift(settings, DatabaseUrl.parse(database_url))
    assert found.severity == "error"
    # this and nothing else: all other tables are as schema.prisma says
    assert found.text == (
        "the tables are not what schema.prisma says: "
        "[*] Changed the `users` table [+] Added column `nickname`"
    )
    # no shadow database: that would need the right to create one
    assert await connection.fetchval(there) == before
    await connection.close()
