"""A backup in the place of what is there: nothing of that is lost, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from etf_backtest.database.backup import back_up, restore
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import BackupError, NotEmptyError, RestoreError
from tests.fixtures.cluster import Cluster, run_apart
from tests.fixtures.postgres import EMBEDDED
from tests.integration.backup.conftest import NewDatabase, databases, fetchval, on, rows

SETTLED = """
SELECT jsonb_build_array(datcollate, datlocprovider, datconnlimit, datdba,
                         (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a),
                         (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = d.oid))
FROM pg_database d WHERE datname = '{}'
"""


@pytest.fixture
def keeper(postgres: Cluster, queue_url: str) -> Iterator[None]:
    """Drops what restores have kept."""
    yield
    name = DatabaseUrl.parse(queue_url).database
    kept = run_apart(databases(DatabaseUrl.parse(postgres.url()), name)) - {name}
    postgres.execute(*(f'DROP DATABASE "{each}" WITH (FORCE)' for each in kept))


async def test_what_was_there_is_kept_and_the_new_one_is_like_it(
    filled: DatabaseUrl, archive: Path, postgres: Cluster, keeper: None
) -> None:
    await back_up(filled, archive)
    backed_up = await rows(filled)
    postgres.execute(
        f"ALTER DATABASE {filled.database} SET work_mem = '7MB'",
        f"ALTER DATABASE {filled.database} CONNECTION LIMIT 33",
        f"REVOKE CONNECT ON DATABASE {filled.database} FROM PUBLIC",
    )
    await on(filled, lambda c: c.execute("UPDATE users SET first_name = 'later'"))
    later = await rows(filled)
    settled = SETTLED.format(filled.database)
    like = await fetchval(filled, settled)
    idle = await asyncpg.connect(filled.render())

    with pytest.raises(NotEmptyError, match="there are tables in 'public'"):
        await restore(filled, archive)
    done = await restore(filled, archive, confirmed=True)

    assert idle.is_closed()
    with suppress(asyncpg.PostgresError, OSError):
        await idle.close()
    assert done.ended_connections == 1
    assert await rows(filled) == backed_up
    assert await fetchval(filled, settled) == like
    assert done.kept is not None
    assert done.kept.startswith(f"{filled.database}_before_restore_2")
    assert await rows(filled.with_database(done.kept)) == later
    assert await databases(filled, filled.database) == {filled.database, done.kept}


@pytest.mark.parametrize("empty", [True, False])
async def test_what_is_not_as_the_manifest_says_is_never_seen(
    filled: DatabaseUrl, new_database: NewDatabase, archive: Path, empty: bool
) -> None:
    written = await back_up(filled, archive)
    said = json.loads(written.manifest_path.read_text())
    said["tables"]["public.users"]["rows"] += 1
    said["tables"]["public.portfolios"]["checksum"] += "0"
    said["triggers"].append("public.users.users_guard")
    written.manifest_path.write_text(json.dumps(said))
    url = new_database(EMBEDDED) if empty else filled
    before = await rows(url)
    with pytest.raises(RestoreError) as refused:
        await restore(url, archive, confirmed=True)
    assert refused.value.message == (
        "nothing was restored: what came out is not what was dumped: rows of public.portfolios "
        "differ from those that were dumped; public.users has 1 rows, expected 2; "
        "trigger public.users.users_guard is missing"
    )
    assert await rows(url) == before
    assert await databases(url, url.database) == {url.database}


@pytest.mark.parametrize("empty", [True, False])
async def test_a_connection_that_is_lost_in_the_middle(
    filled: DatabaseUrl, new_database: NewDatabase, archive: Path, postgres: Cluster, empty: bool
) -> None:
    await back_up(filled, archive)
    url = new_database(EMBEDDED) if empty else filled
    before = await rows(url)

    def end(line: str) -> None:
        if line.startswith("public.users: "):
            postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE starts_with(datname, '{url.database}')"
            )

    with pytest.raises(RestoreError, match=r"nothing was restored: .*connection") as refused:
        await restore(url, archive, confirmed=True, narrate=end)
    assert "__aexit__" not in refused.value.message
    assert await rows(url) == before
    assert await databases(url, url.database) == {url.database}


async def test_a_backup_whose_connection_is_lost(
    filled: DatabaseUrl, archive: Path, postgres: Cluster
) -> None:
    def end(size: int) -> None:
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{filled.database}'"
        )

    with pytest.raises(BackupError, match=r"the backup failed: .*connection") as refused:
        await back_up(filled, archive, progress=end)
    assert "__aexit__" not in refused.value.message
    assert names_in(archive.parent) == set()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_row_that_got_past_a_constraint_is_not_quoted(
    filled: DatabaseUrl, new_database: NewDatabase, archive: Path
) -> None:
    """PostgreSQL's detail would be the whole row: hashes of passwords are nothing for a log."""
    name, rule = "users_email_plausible", "CHECK (email LIKE '%@%')"
    change = "UPDATE users SET email = 'no address', password_hash = 'a-secret-hash'"
    await on(
        filled,
        lambda c: c.execute(
            f"ALTER TABLE users DROP CONSTRAINT {name}; {change};"
            f"ALTER TABLE users ADD CONSTRAINT {name} {rule} NOT VALID;"
            f"UPDATE pg_constraint SET convalidated = true WHERE conname = '{name}'"
        ),
    )
    await back_up(filled, archive)
    url = new_database(EMBEDDED)
    with pytest.raises(RestoreError) as refused:
        await restore(url, archive)
    assert refused.value.message == (
        f'nothing was restored: new row for relation "users" violates check constraint "{name}"'
    )
    assert "db doctor" in str(refused.value.remedy)
    assert await rows(url) == {}


async def test_other_schemas_are_not_lost_by_accident(filled: DatabaseUrl, archive: Path) -> None:
    await back_up(filled, archive)
    await on(filled, lambda c: c.execute("CREATE SCHEMA research CREATE TABLE notes (id int)"))
    with pytest.raises(NotEmptyError, match="also has the schemas research, which are not in"):
        await restore(filled, archive, confirmed=True)


async def test_a_role_that_may_not_create_databases(
    filled: DatabaseUrl, new_database: NewDatabase, archive: Path, postgres: Cluster
) -> None:
    """Into an empty database of its own it may restore; what was others' is noted."""
    await on(filled, lambda c: c.execute("CREATE ROLE analyst; GRANT SELECT ON users TO analyst"))
    await back_up(filled, archive)
    await on(filled, lambda c: c.execute("DROP OWNED BY analyst; DROP ROLE analyst"))
    url = new_database(EMBEDDED)
    postgres.execute(
        "CREATE ROLE modest LOGIN PASSWORD 'modest'",
        f"ALTER DATABASE {url.database} OWNER TO modest",
    )
    modest = DatabaseUrl.parse(f"postgresql://modest:modest@{url.server}/{url.database}")
    try:
        done = await restore(modest, archive)
        assert done.verified
        assert done.notes[0] == "everything belongs to modest: no owner here is postgres"
        assert 'role "analyst" does not exist' in done.notes[1]
        owner = "SELECT relowner::regrole::text FROM pg_class WHERE relname = 'users'"
        assert await fetchval(modest, owner) == "modest"
        usage = "SELECT nspacl::text LIKE '%=U/modest%' FROM pg_namespace WHERE nspname = '{}'"
        assert await fetchval(modest, usage.format("etf_backtest_queue"))
        with pytest.raises(NotEmptyError, match="'modest' may not replace it"):
            await restore(modest, archive, confirmed=True)
        # a database of somebody else's, in which it may create nothing
        other = new_database(EMBEDDED)
        with pytest.raises(RestoreError, match="permission denied for database") as refused:
            await restore(
                DatabaseUrl.parse(f"postgresql://modest:modest@{url.server}/{other.database}"),
                archive,
            )
        assert "GRANT CREATE ON DATABASE" in str(refused.value.remedy)
    finally:
        postgres.execute(
            f"ALTER DATABASE {url.database} OWNER TO postgres",
            f"DROP DATABASE {url.database} WITH (FORCE)",
            "DROP ROLE modest",
        )
