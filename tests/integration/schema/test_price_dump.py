"""A dump takes the past of prices along."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import asyncpg
import pytest

from tests.fixtures.cluster import Cluster, debian_binaries
from tests.fixtures.postgres import DEBIAN
from tests.integration.schema.price_states import last_touched, latest, state

COPY = "restored_prices"
pytestmark = pytest.mark.parametrize("postgres", [DEBIAN], indirect=True)


@pytest.fixture
def copy(postgres: Cluster) -> Iterator[str]:
    """URL of an empty database on the same server."""
    postgres.execute(f"CREATE DATABASE {COPY}")
    yield postgres.url(COPY)
    postgres.execute(f"DROP DATABASE {COPY} WITH (FORCE)")


def dumped(url: str, *options: str) -> str:
    binaries = debian_binaries()
    assert binaries is not None  # there is such a server
    return _run(binaries / "pg_dump", f"--dbname={url}", *options)


def restored(url: str, script: str) -> str:
    binaries = debian_binaries()
    assert binaries is not None
    return _run(binaries / "psql", url, "--quiet", "--set=ON_ERROR_STOP=1", script=script)


def _run(*command: object, script: str | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], input=script, capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else f"failed: {done.stderr}"


async def test_a_dump_has_every_state(database_url: str, copy: str) -> None:
    old = await asyncpg.connect(database_url)
    for statement in (
        "INSERT INTO market_data (symbol, date, close, source) VALUES ('A', '2024-01-02', 1, 'x')",
        "UPDATE market_data SET close = 2",
        "DELETE FROM market_data",
        "INSERT INTO market_data (symbol, date, close, source) VALUES ('B', '2024-01-02', 3, 'x')",
    ):
        await old.execute(statement)
    assert "failed" not in restored(copy, dumped(database_url))
    new = await asyncpg.connect(copy)
    assert await latest(new) == await latest(old) == 4
    assert await last_touched(new) == await last_touched(old)
    for number in range(5):
        assert await state(new, number) == await state(old, number)
    # identities of states are the same, and numbers go on
    ids = "SELECT id FROM price_revisions ORDER BY number"
    assert await new.fetch(ids) == await old.fetch(ids)
    await new.execute("UPDATE market_data SET close = 4")
    assert await latest(new) == 5
    assert await state(new, 4) == await state(old, 4)
    await old.close()
    await new.close()


async def test_data_alone_would_lose_it_and_is_refused(database_url: str, copy: str) -> None:
    """Rows bring revisions of another database into tables whose triggers give them theirs."""
    old = await asyncpg.connect(database_url)
    await old.execute(
        "INSERT INTO market_data (symbol, date, close, source) VALUES ('A', '2024-01-02', 1, 'x')"
    )
    await old.execute("UPDATE market_data SET close = 2")
    await old.close()
    assert "failed" not in restored(copy, dumped(database_url, "--schema-only"))
    said = restored(copy, dumped(database_url, "--data-only"))
    assert "is set by the database" in said
    new = await asyncpg.connect(copy)
    assert await new.fetchval("SELECT count(*) FROM market_data") == 0
    await new.close()
