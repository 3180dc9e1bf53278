"""Migrations make what the schema says, on both servers, wherever the URL leads."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from etf_backtest.database import prisma_cli
from etf_backtest.settings import Settings
from tests.fixtures.cluster import Cluster
from tests.integration.migrations.heard import Heard

EXTENSIONS = ("uuid-ossp", "pgcrypto")


async def query(url: str, sql: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        return {row[0] for row in await connection.fetch(sql)}
    finally:
        await connection.close()


@pytest.mark.each_postgres
async def test_migrations_make_what_the_schema_says(
    empty_database: str, repository: Path, settings: Settings, heard: Heard, released: list[str]
) -> None:
    assert released[:2] == ["20250126000000_init", "20261122000000_simulation_core"]
    arguments = heard.on(repository)
    databases = await query(empty_database, "SELECT datname FROM pg_database")

    assert await prisma_cli.migrate_deploy(settings, empty_database, **arguments) == 0
    said = heard.take()
    assert all(name in said for name in released)
    assert await prisma_cli.migrate_status(settings, empty_database, **arguments) == 0
    assert "Database schema is up to date!" in heard.take()

    await query(empty_database, "INSERT INTO users (email, password_hash) VALUES ('a@b.co', 'x')")
    for side in ("migrations", "database"):
        code = await prisma_cli.migrate_diff(
            settings, empty_database, from_=side, exit_code=True, **arguments
        )
        assert (code, heard.take()) == (0, "No difference detected.\n")

    # the temporary database is gone, and the real one is as it was
    assert await query(empty_database, "SELECT datname FROM pg_database") == databases
    assert await query(empty_database, "SELECT email FROM users") == {"a@b.co"}
    applied = await query(empty_database, "SELECT migration_name FROM _prisma_migrations")
    assert applied == set(released)
    # the extensions are there where the server has them
    installed = await query(empty_database, "SELECT extname FROM pg_extension")
    offered = await query(empty_database, "SELECT name FROM pg_available_extensions")
    assert installed & {*EXTENSIONS} == offered & {*EXTENSIONS}


async def test_the_warning_that_is_always_said_is_not_and_the_last_word_is_the_end(
    empty_database: str, repository: Path, settings: Settings, heard: Heard, released: list[str]
) -> None:
    start = time.monotonic()
    await prisma_cli.migrate_deploy(settings, empty_database, **heard.on(repository))
    end = time.monotonic()
    # Left alone, the timer of the advisory lock keeps it sitting there until 10 s after the lock
    # was taken. On a machine with much to do, both the work and the exit take longer.
    assert end - heard.last_word < max(heard.last_word - start, 4)
    name = empty_database.rpartition("/")[2]
    folders = "".join(f"  └─ {name}/\n    └─ migration.sql\n" for name in released)
    assert heard.take() == (
        "Prisma schema loaded from prisma/schema.prisma\n"
        f'Datasource "db": PostgreSQL database "{name}", schema "public"'
        ' using driver adapter "@prisma/adapter-pg"\n'
        "\n"
        f"{len(released)} migrations found in prisma/migrations\n"
        "\n"
        "\n"
        "The following migration(s) have been applied:\n"
        "\n"
        f"migrations/\n{folders}"
        "      \n"
        "All migrations have been successfully applied.\n"
    )


async def test_two_at_once_apply_once(
    empty_database: str, repository: Path, settings: Settings, heard: Heard, released: list[str]
) -> None:
    codes = await asyncio.gather(
        *(
            prisma_cli.migrate_deploy(settings, empty_database, **heard.on(repository))
            for _ in range(2)
        )
    )
    assert codes == [0, 0]
    connection = await asyncpg.connect(empty_database)
    applied = await connection.fetchval("SELECT count(*) FROM _prisma_migrations")
    assert applied == len(released)
    assert await connection.fetchval("SELECT count(*) FROM users") == 0
    await connection.close()


@pytest.mark.each_postgres
async def test_a_role_that_may_not_create_tables_hears_what_it_needs(
    postgres: Cluster, empty_database: str, repository: Path, settings: Settings, heard: Heard
) -> None:
    """Since PostgreSQL 15 that is everybody but the owner; each of the remedies works."""
    name = empty_database.rpartition("/")[2]
    role = f"Guest of {name}"
    postgres.execute(f"CREATE ROLE \"{role}\" LOGIN PASSWORD '{postgres.password}'")
    guest = f"postgresql://{quote(role)}:{postgres.password}@{postgres.host}:{postgres.port}/{name}"

    async def deploy(schema: str) -> tuple[int, list[str]]:
        heard.take()
        url = f"{guest}?schema={schema}"
        code = await prisma_cli.migrate_deploy(settings, url, **heard.on(repository))
        return code, heard.take().splitlines()

    own = f'ALTER DATABASE "{name}" OWNER TO "{role}";'
    postgres.execute("CREATE SCHEMA theirs", database=name)
    cases = (
        (
            "public",
            "permission denied for schema public",
            f'GRANT CREATE, USAGE ON SCHEMA "public" TO "{role}";',
        ),
        (
            "theirs",
            "no schema has been selected to create in",
            f'GRANT CREATE, USAGE ON SCHEMA "theirs" TO "{role}";',
        ),
        (
            "new",
            f"permission denied for database {name}",
            f'GRANT CREATE ON DATABASE "{name}" TO "{role}";',
        ),
    )
    try:
        for schema, denied, grant in cases:
            code, said = await deploy(schema)
            assert code == 1, said
            assert said[-2] == f"Error: ERROR: {denied}"
            assert said[-1] == (
                f"Let the schema's owner run: {grant}"
                if schema == "theirs"
                else f"Let a superuser run: {own} or the database's owner, in it: {grant}"
            )
            postgres.execute(grant, database=name)
            assert (await deploy(schema))[0] == 0
        postgres.execute(f'DROP OWNED BY "{role}"', own, database=name)
        assert (await deploy("public"))[0] == 0
    finally:
        postgres.execute(f"ALTER DATABASE {name} OWNER TO {postgres.user}")
        postgres.execute(f'DROP OWNED BY "{role}"', database=name)
        postgres.execute(f'DROP ROLE "{role}"')


@pytest.mark.each_postgres
async def test_odd_password_schema_and_socket(
    postgres: Cluster, empty_database: str, repository: Path, settings: Settings, heard: Heard
) -> None:
    """A role that owns nothing but its database, with every delimiter of a URL in its password."""
    name = empty_database.rpartition("/")[2]
    password = "p@:/?#%20 \\'\"&=ü"
    quoted = password.replace("'", "''")
    postgres.execute(
        f"CREATE ROLE {name} LOGIN PASSWORD E'{quoted.replace(chr(92), chr(92) * 2)}'",
        f"ALTER DATABASE {name} OWNER TO {name}",
    )
    arguments = heard.on(repository)
    tcp = (
        f"postgresql://{name}:{quote(password, safe='')}@{postgres.host}:{postgres.port}"
        f"/{name}?schema=My%20Schema"
    )
    try:
        assert await prisma_cli.migrate_deploy(settings, tcp, **arguments) == 0
        tables = "SELECT schemaname FROM pg_tables WHERE tablename IN ('users', 'backtests')"
        assert await query(empty_database, tables) == {"My Schema"}

        socket = f"postgresql://{name}@/{name}?host={postgres.socket_dir}&port={postgres.port}"
        assert (
            await prisma_cli.migrate_status(settings, f"{socket}&schema=My%20Schema", **arguments)
            == 0
        )

        heard.take()
        assert await prisma_cli.migrate_diff(settings, tcp, **arguments) == 1
        assert "ALTER ROLE ... CREATEDB" in heard.take()
        postgres.execute(f"ALTER ROLE {name} CREATEDB")
        assert await prisma_cli.migrate_diff(settings, tcp, exit_code=True, **arguments) == 0

        # what is written by way of the search path of the one schema keeps the rules
        connection = await asyncpg.connect(empty_database)
        with pytest.raises(asyncpg.CheckViolationError, match="more than 1"):
            await connection.execute(
                """
                INSERT INTO "My Schema".users (email, password_hash) VALUES ('a@b.co', 'x');
                INSERT INTO "My Schema".portfolios (user_id, name)
                SELECT id, 'core' FROM "My Schema".users;
                INSERT INTO "My Schema".portfolio_holdings (portfolio_id, symbol, allocation)
                SELECT id, unnest(ARRAY['SPY', 'AGG']), 0.6 FROM "My Schema".portfolios;
                """
            )
        await connection.close()
    finally:
        postgres.execute(
            f"ALTER DATABASE {name} OWNER TO {postgres.user}",
        )
        await query(empty_database, f"REASSIGN OWNED BY {name} TO {postgres.user}")
        await query(empty_database, f"DROP OWNED BY {name}")
        postgres.execute(f"DROP ROLE {name}")
    for form in (password, quote(password, safe="")):
        assert form not in heard.everything
