"""Installing the queue: from nothing, twice, two at once, from an older state, and not at all."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from etf_backtest.database.queue import (
    InstallationReport,
    deploy_queue,
    install_queue,
    installation,
    queue_schema,
    queue_state,
    remove_queue,
    reset_queue,
    state,
)
from etf_backtest.database.queue.library import (
    QueueLibrary,
    installed_library,
    migration_order,
    required_library,
)
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import QueueNewerError, QueueRightError, QueueSchemaError
from tests.fixtures.cluster import Cluster
from tests.integration.queue.jobs import SCHEMA, Connection, add, jobs
from tests.integration.schema.rows import insert_one_of_each

pytestmark = pytest.mark.each_postgres

# what is in a schema, without what no two installations have in common (oids, order of columns)
CATALOG = """
SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid)
FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
UNION ALL
SELECT 'column', a.attrelid::regclass::text || '.' || a.attname,
       format_type(a.atttypid, a.atttypmod) || a.attnotnull || a.attidentity::text
       || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'c', 'S')
  AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()
UNION ALL
SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
UNION ALL
SELECT 'trigger', t.tgname, pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal
UNION ALL
SELECT 'enum', t.typname, string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder)
FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
WHERE t.typnamespace = current_schema()::regnamespace GROUP BY t.typname
UNION ALL
SELECT 'rights', p.oid::regprocedure::text, p.proacl::text
FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
ORDER BY 1, 2
"""


@pytest.fixture
def url(database_url: str) -> DatabaseUrl:
    return DatabaseUrl.parse(database_url)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def catalog(connection: Connection, schema: str = SCHEMA) -> dict[tuple[str, str], str]:
    async with connection.transaction():
        await connection.execute(f'SET LOCAL search_path = "{schema}"')
        return {(row[0], row[1]): row[2] for row in await connection.fetch(CATALOG)}


async def test_what_waited_is_queued_by_the_installation(
    url: DatabaseUrl, connection: Connection
) -> None:
    """Rows can be written without a queue; installing again changes nothing."""
    await insert_one_of_each(connection, before="backtests")
    await add(connection, 1, 2)
    await connection.execute("UPDATE backtests SET priority = 5 WHERE id::text LIKE '%2'")
    before = await queue_state(url)
    assert (before.is_installed, before.must_deploy, before.is_ready) == (False, True, False)

    library = required_library()
    assert await install_queue(url) == InstallationReport(
        SCHEMA, library.version, is_new=True, applied=(), deferred=2
    )
    assert await jobs(connection) == [(1, "todo", 0), (2, "todo", 5)]
    noted = await connection.fetch(f"SELECT name FROM {SCHEMA}.installed_migrations")
    assert {row["name"] for row in noted} == {*library.migrations, "etf_backtest/functions.sql"}
    assert (await queue_state(url)).is_ready

    old = await catalog(connection)
    assert await install_queue(url) == InstallationReport(
        SCHEMA, library.version, is_new=False, applied=(), deferred=0
    )
    assert await catalog(connection) == old


async def test_two_at_once_install_one(url: DatabaseUrl) -> None:
    reports = await asyncio.gather(*(install_queue(url) for _ in range(4)))
    assert sorted(report.is_new for report in reports) == [False, False, False, True]


async def test_an_isolation_of_the_databases_own_changes_nothing(
    url: DatabaseUrl, connection: Connection
) -> None:
    await connection.execute(
        f"ALTER DATABASE {url.database} SET default_transaction_isolation = 'serializable'"
    )
    reports = await asyncio.gather(*(install_queue(url) for _ in range(3)))
    assert sorted(report.is_new for report in reports) == [False, False, True]


async def install_older(connection: Connection, schema: str, last: str) -> tuple[str, ...]:
    """Make what a library of version `last` made, by its migrations; return those that followed."""
    migrations = required_library().migrations
    older = [name for name in migrations if migration_order(name)[0] <= migration_order(last)[0]]
    await connection.execute(
        f'CREATE SCHEMA "{schema}"; SET search_path = "{schema}";'
        + state.read_script("installed_migrations.sql")
        + f'COMMENT ON SCHEMA "{schema}" IS \'The queue of the backtests in public'
        " (etf-backtest migrate deploy)'"
    )
    for name in older:
        await connection.execute(migrations[name])
        await connection.execute(
            "INSERT INTO installed_migrations VALUES ($1, $2)",
            name,
            hashlib.sha256(migrations[name].encode()).digest(),
        )
    await connection.execute("RESET search_path")
    return tuple(name for name in migrations if name not in older)


@pytest.mark.parametrize("last", ["00.00.00", "03.02.00"])
async def test_an_older_queue_becomes_what_a_new_one_is(
    url: DatabaseUrl, connection: Connection, last: str
) -> None:
    await install_queue(url)
    new = await catalog(connection)
    assert await remove_queue(url)
    newer = await install_older(connection, SCHEMA, last)
    assert newer
    assert (await queue_state(url)).pending == (*newer, "etf_backtest/functions.sql")

    await insert_one_of_each(connection)
    report = await install_queue(url)
    assert report.applied == (*newer, "etf_backtest/functions.sql")
    assert (report.is_new, report.deferred) == (False, 1)
    assert await catalog(connection) == new


def with_library(monkeypatch: pytest.MonkeyPatch, library: QueueLibrary | None) -> None:
    """Let this machine have another library, or none."""
    monkeypatch.setattr(state, "installed_library", lambda: library)
    monkeypatch.setattr("etf_backtest.database.queue.library.installed_library", lambda: library)


async def test_a_newer_queue_is_left_alone(
    url: DatabaseUrl, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine's library is the oldest there was; the queue was made by the real one."""
    await install_queue(url)
    old, library = await catalog(connection), required_library()
    names = list(library.migrations)
    with_library(
        monkeypatch,
        QueueLibrary("3.9.0", library.schema, {n: library.migrations[n] for n in names[:-1]}),
    )
    with pytest.raises(QueueNewerError, match=r"newer than this machine's procrastinate 3\.9\.0"):
        await install_queue(url)
    said: list[str] = []
    assert await deploy_queue(url, said.append) == 0
    assert "pip install --upgrade 'etf-backtest[worker]'" in said[0]
    seen = await queue_state(url)
    assert (seen.unknown, seen.must_deploy, seen.is_ready) == ((names[-1],), False, False)
    assert await catalog(connection) == old


async def test_without_the_extra_the_tables_are_deployed_and_backtests_wait(
    url: DatabaseUrl, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installed_library() is not None
    with monkeypatch.context() as patch:
        with_library(patch, None)
        said: list[str] = []
        assert await deploy_queue(url, said.append) == 0
        assert said == [
            "Queued backtests wait until procrastinate is installed here and this is repeated: "
            "pip install 'etf-backtest[worker]'"
        ]
        seen = await queue_state(url)
        assert (seen.is_installed, seen.library_version, seen.must_deploy) == (False, None, False)
        assert "pip install 'etf-backtest[worker]'" in seen.describe()
    assert await connection.fetchval(f"SELECT to_regnamespace('{SCHEMA}') IS NULL")


async def test_functions_of_an_older_release_are_replaced(
    url: DatabaseUrl, connection: Connection
) -> None:
    await install_queue(url)
    new = await catalog(connection)
    await connection.execute(
        f"CREATE OR REPLACE FUNCTION {SCHEMA}.live_workers() RETURNS BIGINT LANGUAGE sql"
        " AS 'SELECT 7::bigint';"
        f" UPDATE {SCHEMA}.installed_migrations SET checksum = sha256('older')"
        " WHERE name LIKE 'etf_backtest/%'"
    )
    assert (await queue_state(url)).pending == ("etf_backtest/functions.sql",)
    assert (await install_queue(url)).applied == ("etf_backtest/functions.sql",)
    assert await catalog(connection) == new


async def test_reset_makes_an_empty_queue(url: DatabaseUrl, connection: Connection) -> None:
    await install_queue(url)
    await insert_one_of_each(connection)
    assert len(await jobs(connection)) == 1
    await connection.execute("DELETE FROM users")
    said: list[str] = []
    assert await reset_queue(url, said.append) == 0
    assert await jobs(connection) == []
    assert not await remove_queue(url.with_database("postgres"))


async def test_names_of_any_kind(url: DatabaseUrl, connection: Connection) -> None:
    """The trigger function finds the schema whose name Python has computed."""
    await insert_one_of_each(connection)
    await connection.execute("ALTER SCHEMA public RENAME TO old; CREATE SCHEMA public")
    old = "old"
    for priority, home in enumerate(
        ("My Schema", "q\"uo'te", "x" * 63, "я" * 31, "50%s", "back\\slash", "$1 $$"), start=1
    ):
        quoted = '"' + home.replace('"', '""') + '"'
        await connection.execute(f"ALTER SCHEMA {old} RENAME TO {quoted}")
        await connection.execute(f"SET search_path = {quoted}")
        old = quoted
        there = replace(url, parameters=(("schema", home),))
        assert (await install_queue(there)).deferred == 1
        await connection.execute("UPDATE backtests SET priority = $1", priority)
        schema = queue_schema(there)
        assert len(schema.encode()) <= 63
        assert await jobs(connection, schema.replace('"', '""')) == [(4, "todo", priority)]
        assert (await queue_state(there)).is_ready
        assert await remove_queue(there)


@pytest.fixture
async def limited(postgres: Cluster, url: DatabaseUrl) -> AsyncIterator[DatabaseUrl]:
    """The same database as a role that has its tables, and may not create schemas."""
    postgres.execute("CREATE ROLE \"Ada\" LOGIN PASSWORD 'pass'")
    postgres.execute(
        'ALTER SCHEMA public OWNER TO "Ada"; ALTER TABLE backtests OWNER TO "Ada"',
        database=url.database,
    )
    login = f"postgresql://Ada:pass@{url.host}:{url.port}/{url.database}"
    yield DatabaseUrl.parse(login)
    postgres.execute('REASSIGN OWNED BY "Ada" TO postgres', database=url.database)
    postgres.execute('DROP OWNED BY "Ada"; DROP ROLE "Ada"', database=url.database)


async def test_a_missing_right_is_named(
    postgres: Cluster, url: DatabaseUrl, limited: DatabaseUrl, connection: Connection
) -> None:
    said: list[str] = []
    assert await deploy_queue(limited, said.append) == 1
    grant = f'GRANT CREATE ON DATABASE {url.database} TO "Ada"'
    assert said[0].startswith(
        f"The tables are deployed, but the queue cannot be installed in the schema {SCHEMA}: "
        f"permission denied for database {url.database}"
    )
    assert grant in said[0]
    await connection.execute(grant)
    # without the right to act as the owner of the tables its functions would never be called
    await connection.execute("ALTER TABLE backtests OWNER TO postgres")
    await connection.execute('GRANT ALL ON backtests TO "Ada"')
    assert await deploy_queue(limited, said.append) == 1
    assert "the tables are another role's: postgres" in said[1]
    await connection.execute('ALTER TABLE backtests OWNER TO "Ada"')
    assert await deploy_queue(limited, said.append) == 0

    # somebody else's queue, which is as it should be, needs no right
    await connection.execute('REASSIGN OWNED BY "Ada" TO postgres')
    assert await deploy_queue(limited, said.append) == 0
    await connection.execute(
        'ALTER TABLE backtests OWNER TO "Ada";'
        f" DELETE FROM {SCHEMA}.installed_migrations WHERE name LIKE 'etf_backtest/%'"
    )
    with pytest.raises(QueueRightError, match="let that one deploy: postgres"):
        await install_queue(limited)


async def test_a_schema_that_holds_something_else_is_left_alone(
    url: DatabaseUrl, connection: Connection
) -> None:
    await connection.execute(f"CREATE SCHEMA {SCHEMA}; CREATE TABLE {SCHEMA}.procrastinate_jobs ()")
    with pytest.raises(QueueSchemaError, match="that somebody else installed"):
        await install_queue(url)
    assert await deploy_queue(url, lambda _: None) == 1
    await connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    # the names of these two differ in what is cut off
    first, other = (
        DatabaseUrl.parse(f"{url.render()}?schema={'long' * 14}_{number}") for number in (1, 2)
    )
    await connection.execute(
        f"CREATE SCHEMA {first.schema}; CREATE SCHEMA {other.schema};"
        f"CREATE TABLE {first.schema}.backtests (LIKE public.backtests INCLUDING ALL)"
    )
    await install_queue(first)
    with pytest.raises(QueueSchemaError, match="holds another queue"):
        await install_queue(other)
    with pytest.raises(QueueSchemaError, match="holds another queue"):
        await remove_queue(other)


def test_the_schema_of_the_same_name_has_a_queue_of_its_own(url: DatabaseUrl) -> None:
    other = DatabaseUrl.parse(url.render() + "?schema=etf_backtest")
    assert queue_schema(url) == SCHEMA
    assert queue_schema(other) == "queue_of_etf_backtest"


async def test_a_failed_migration_leaves_everything_as_it_was(
    url: DatabaseUrl, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await install_queue(url)
    old, library = await catalog(connection), required_library()
    broken = dict(library.migrations) | {
        "09.00.00_01_pre.sql": "CREATE TABLE new ()",
        "09.00.00_50_post.sql": "SELECT 1/0",
    }
    with_library(monkeypatch, QueueLibrary("9", library.schema, broken))
    with pytest.raises(asyncpg.DivisionByZeroError):
        await installation.install_queue(url)
    assert await catalog(connection) == old
