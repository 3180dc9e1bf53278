"""What was backed up comes out again: every row, every rule, on either server."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from etf_backtest.database.backup import Manifest, back_up, restore
from etf_backtest.database.backup.libpq import libpq_environment
from etf_backtest.database.backup.processes import ended
from etf_backtest.database.backup.programs import choose_dump
from etf_backtest.database.url import DatabaseUrl
from tests.fixtures.certificates import TlsServer
from tests.fixtures.cluster import Cluster
from tests.fixtures.postgres import DEBIAN, EMBEDDED
from tests.integration.backup.conftest import NewDatabase, fetchval, fill, on, rows

HOLDINGS_ABOVE_ONE = "UPDATE portfolio_holdings SET allocation = 0.7"
CHANGED_HISTORY = "UPDATE market_data_history SET close = 1"


@pytest.mark.parametrize("target", [EMBEDDED, DEBIAN])
@pytest.mark.each_postgres
async def test_everything_comes_back(
    filled: DatabaseUrl, new_database: NewDatabase, archive: Path, target: str
) -> None:
    before = await rows(filled)
    assert all(before[f"public.{table}"] for table in ("user_tokens", "market_data_history"))
    assert before["etf_backtest_queue.procrastinate_jobs"]
    written = await back_up(filled, archive)
    url = new_database(target)
    done = await restore(url, archive)
    assert done.verified
    assert (done.kept, done.ended_connections) == (None, 0)
    assert await rows(url) == before
    # numbers go on where they were: 1000 was the highest, two revisions came after it
    assert await fetchval(url, "SELECT nextval('price_revisions_number_seq')") == 1002
    assert done.rows == sum(map(len, before.values())) == written.manifest.rows
    assert done.tables == len(before)
    for refused in (CHANGED_HISTORY, "INSERT INTO backtests DEFAULT VALUES"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await fetchval(url, refused)
    # whoever writes a pending row has queued it, there too
    await on(url, lambda c: c.execute("UPDATE backtests SET priority = 7 WHERE status = 'pending'"))
    jobs = "SELECT array_agg(priority) FROM etf_backtest_queue.procrastinate_jobs"
    assert await fetchval(url, jobs) == [7]


async def test_it_is_of_one_moment_whoever_writes_meanwhile(
    filled: DatabaseUrl, new_database: NewDatabase, archive: Path
) -> None:
    stop = asyncio.Event()

    async def write(connection: asyncpg.Connection[asyncpg.Record]) -> int:
        count = 0
        while not stop.is_set():
            await connection.execute(
                "WITH p AS (INSERT INTO portfolios (user_id, name)"
                " SELECT id, gen_random_uuid()::text FROM users RETURNING id)"
                " INSERT INTO portfolio_holdings (portfolio_id, symbol, allocation)"
                " SELECT id, 'SPY', 1 FROM p"
            )
            count += 1
        return count

    writing = asyncio.create_task(on(filled, write))
    await asyncio.sleep(0.05)
    await back_up(filled, archive)
    stop.set()
    assert await writing > 1
    url = new_database(EMBEDDED)
    # rows and sums were read by us, the archive by pg_dump: they agree
    assert (await restore(url, archive)).verified
    without = "SELECT count(*) FROM portfolios p WHERE NOT EXISTS (SELECT FROM portfolio_holdings h"
    assert await fetchval(url, f"{without} WHERE h.portfolio_id = p.id) AND length(name) = 36") == 0


async def test_the_manifest_says_what_is_in_it_and_no_secret(
    filled: DatabaseUrl, archive: Path, postgres: Cluster
) -> None:
    sizes: list[int] = []
    written = await back_up(filled, archive, progress=sizes.append)
    assert sizes[-1] == written.manifest.file.bytes > 10_000
    text = written.manifest_path.read_text()
    assert written.manifest_path.name == "a backup.dump.json"
    assert {path.name for path in archive.parent.iterdir()} == {
        archive.name,
        f"{archive.name}.json",
    }
    assert [path.stat().st_mode & 0o777 for path in archive.parent.iterdir()] == [0o600, 0o600]
    assert postgres.password not in text
    said = json.loads(text)
    assert said["tables"]["public.users"]["rows"] == 1
    assert said["schemas"] == ["public", "etf_backtest_queue"]
    assert "public.market_data.market_data_keep_updated" in said["triggers"]
    assert said["sequences"]["public.price_revisions_number_seq"] == 1001
    assert Manifest.read(archive) == written.manifest


@pytest.mark.parametrize("postgres", [DEBIAN], indirect=True)
async def test_a_schema_of_another_name_by_a_socket(
    postgres: Cluster, new_database: NewDatabase, archive: Path, repository: Path
) -> None:
    plain = new_database(DEBIAN)
    name = 'My "funds"'
    old = DatabaseUrl.parse(f"{plain.render()}?schema=My%20%22funds%22&host={postgres.socket_dir}")

    async def migrate(connection: asyncpg.Connection[asyncpg.Record]) -> None:
        await connection.execute('CREATE SCHEMA "My ""funds"""')
        for script in sorted((repository / "prisma" / "migrations").glob("*/migration.sql")):
            await connection.execute(script.read_text())

    await on(old, migrate)
    await fill(old)
    written = await back_up(old, archive)
    assert written.manifest.schemas == (name,)
    fresh = new_database(DEBIAN)
    new = DatabaseUrl.parse(f"{fresh.render()}?schema=My%20%22funds%22")
    done = await restore(new, archive)
    assert (done.verified, done.notes) == (True, ())
    # what the migrations create where the server offers it, in the schema that was current
    extensions = (
        "SELECT array_agg(extname || ' in ' || extnamespace::regnamespace) FROM pg_extension"
    )
    assert 'pgcrypto in "My ""funds"""' in await fetchval(new, extensions)
    assert await fetchval(new, "SELECT count(*) FROM users") == 1


async def test_tls_is_asked_for_as_the_url_says(tls_server: TlsServer, archive: Path) -> None:
    cluster, authority = tls_server.cluster, tls_server.authority
    cluster.execute("CREATE DATABASE dumped")
    cluster.execute("CREATE TABLE backtests (id int)", database="dumped")
    address = cluster.url("dumped").replace("@127.0.0.1:", "@localhost:") + "?sslmode="
    verified = f"verify-full&sslrootcert={authority}"
    for number, mode in enumerate(("require", "prefer", verified)):
        written = await back_up(DatabaseUrl.parse(address + mode), archive.with_name(str(number)))
        assert written.manifest.tables["public.backtests"].rows == 0
    # pg_dump itself verifies: the certificate is for localhost alone
    elsewhere = replace(DatabaseUrl.parse(address + verified), host="127.0.0.1")
    with libpq_environment(elsewhere) as environment:
        said = await ended(choose_dump(15).path, ["--schema-only"], environment)
    assert said is not None
    assert said.endswith('does not match host name "127.0.0.1"')
