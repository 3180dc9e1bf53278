"""DATABASE_URL and what comes of it, on both kinds of server."""

from __future__ import annotations

import asyncio
import socket
import traceback
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from etf_backtest.database.postgres import (
    check_database,
    ensure_database,
    resolve_url,
    status,
    stop,
)
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import DatabaseConnectionError, DatabaseMissingError
from etf_backtest.settings import Settings
from tests.fixtures.cluster import Cluster
from tests.fixtures.own_settings import settings_of

ODD = "p@ss:w/ör d%"
NONSENSE = {
    "PGHOST": "elsewhere.invalid",
    "PGPORT": "1",
    "PGUSER": "somebody",
    "PGPASSWORD": "wrong",
    "PGDATABASE": "elsewhere",
    "PGSSLMODE": "require",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLCERT": "/no/such/file",
    "PGTARGETSESSIONATTRS": "standby",
    "PGGSSLIB": "nonsense",
}


def with_url(url: DatabaseUrl, home: Path) -> Settings:
    return settings_of(url.render(), home)


def on(server: Cluster, database: str) -> DatabaseUrl:
    return DatabaseUrl.parse(server.url(database))


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error.__dict__)


async def databases(server: Cluster) -> set[str]:
    connection = await asyncpg.connect(server.url("postgres"))
    rows = await connection.fetch("SELECT datname FROM pg_database")
    await connection.close()
    return {row[0] for row in rows}


def secret_user(server: Cluster, name: str, rights: str) -> DatabaseUrl:
    """A new user with an odd password."""
    server.execute(f"CREATE ROLE {name} LOGIN {rights} PASSWORD '{ODD}'")
    return replace(on(server, "postgres"), user=name, password=ODD)


@pytest.mark.each_postgres
async def test_a_database_that_is_there_is_used(
    empty_database: str, postgres: Cluster, user_home: Path
) -> None:
    before = await databases(postgres)
    url = DatabaseUrl.parse(empty_database)
    assert await ensure_database(with_url(url, user_home)) == url
    assert await databases(postgres) == before
    # and no embedded server was made
    assert not (user_home / "data").exists()


@pytest.mark.each_postgres
async def test_a_missing_database_is_created_by_who_may(postgres: Cluster, user_home: Path) -> None:
    creator = secret_user(postgres, "may_create", "CREATEDB")
    name = 'Odd "näme" / 1'
    settings = with_url(creator.with_database(name), user_home)
    before = await databases(postgres)
    said: list[str] = []
    url = await ensure_database(settings, tell=said.append)
    assert await databases(postgres) - before == {name}
    assert said == [f"created the database {name} on {url.server}: there was none"]
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    assert await connection.fetchval("SELECT current_database()") == name
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    await connection.close()
    assert await ensure_database(settings, tell=said.append) == url
    assert len(said) == 1


@pytest.mark.each_postgres
async def test_a_missing_database_is_named_to_who_may_not_create_it(
    postgres: Cluster, user_home: Path
) -> None:
    url = secret_user(postgres, "may_not_create", "NOCREATEDB").with_database("wanted")
    with pytest.raises(DatabaseMissingError, match="there is no database 'wanted'") as raised:
        await ensure_database(with_url(url, user_home))
    assert 'CREATE DATABASE "wanted" OWNER "may_not_create"' in str(raised.value)
    assert "permission denied" in raised.value.message
    assert raised.value.server == url.server
    assert ODD not in shown(raised.value)
    assert "wanted" not in await databases(postgres)


@pytest.mark.each_postgres
async def test_many_at_once_create_one_database(postgres: Cluster, user_home: Path) -> None:
    settings = with_url(on(postgres, "created_by_many"), user_home)
    urls = await asyncio.gather(*(ensure_database(settings) for _ in range(8)))
    assert len(set(urls)) == 1
    assert "created_by_many" in await databases(postgres)


@pytest.mark.each_postgres
async def test_a_unix_socket_is_a_way_in(
    empty_database: str, postgres: Cluster, user_home: Path
) -> None:
    url = replace(
        DatabaseUrl.parse(empty_database), socket_directory=str(postgres.socket_dir), password=None
    )
    assert await ensure_database(with_url(url, user_home)) == url
    missing = replace(url, socket_directory=str(user_home / "nowhere"))
    with pytest.raises(DatabaseConnectionError, match=str(user_home / "nowhere")):
        await ensure_database(with_url(missing, user_home))


@pytest.mark.each_postgres
async def test_a_wrong_password_is_one_line_without_it(postgres: Cluster, user_home: Path) -> None:
    url = replace(on(postgres, "postgres"), password=ODD)
    with pytest.raises(DatabaseConnectionError) as raised:
        await ensure_database(with_url(url, user_home))
    error = raised.value
    assert error.message == (
        f"cannot connect to the database server 127.0.0.1:{postgres.port}: "
        'password authentication failed for user "postgres"'
    )
    assert error.sqlstate == "28P01"
    assert error.remedy is not None
    assert ODD not in shown(error)


@pytest.mark.each_postgres
async def test_no_password_but_that_of_the_url_is_used(
    postgres: Cluster, user_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The query engine, which gets the same URL, would not find those either."""
    monkeypatch.setenv("PGPASSWORD", postgres.password)
    pgpass = user_home / ".pgpass"
    pgpass.write_text(f"*:*:*:*:{postgres.password}\n")
    pgpass.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(pgpass))
    for password in (None, ""):
        url = replace(on(postgres, "postgres"), password=password)
        with pytest.raises(DatabaseConnectionError) as raised:
            await check_database(with_url(url, user_home))
        assert raised.value.reason == "it asks for a password, and the URL has none"
        assert raised.value.sqlstate == "28P01"
        assert "DATABASE_URL" in str(raised.value.remedy)


@pytest.mark.each_postgres
async def test_variables_of_libpq_change_nothing(
    empty_database: str, postgres: Cluster, user_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = DatabaseUrl.parse(empty_database)
    on_socket = replace(url, socket_directory=str(postgres.socket_dir), password=None)
    with monkeypatch.context() as environment:  # the fixtures' own connections come after it
        for name, value in NONSENSE.items():
            environment.setenv(name, value)
        for way_in in (url, on_socket):
            assert await check_database(with_url(way_in, user_home)) == way_in
            connection = await asyncpg.connect(**way_in.asyncpg_arguments())
            assert await connection.fetchval("SELECT current_user") == postgres.user
            assert await connection.fetchval("SELECT current_database()") == url.database
            await connection.close()


async def test_a_server_that_is_not_there_is_named(user_home: Path) -> None:
    with socket.socket() as held:  # bound, and nobody listens
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        url = DatabaseUrl(host="127.0.0.1", port=port, database="d", user="u", password=ODD)
        with pytest.raises(DatabaseConnectionError, match=f"127.0.0.1:{port}") as raised:
            await ensure_database(with_url(url, user_home))
    assert "\n" not in raised.value.message
    assert ODD not in shown(raised.value)


async def test_a_host_that_does_not_exist_is_named(user_home: Path) -> None:
    url = DatabaseUrl(host="no-such-host.invalid", port=5432, database="d", user="u", password=ODD)
    with pytest.raises(DatabaseConnectionError, match=r"no-such-host\.invalid:5432") as raised:
        await ensure_database(with_url(url, user_home))
    assert ODD not in shown(raised.value)


async def test_a_server_that_does_not_answer_is_not_waited_for(user_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = DatabaseUrl(
            host="127.0.0.1",
            port=silent.getsockname()[1],
            database="d",
            user="u",
            parameters=(("connect_timeout", "0.2"), ("sslmode", "disable")),
        )
        with pytest.raises(DatabaseConnectionError, match="does not answer"):
            await ensure_database(with_url(url, user_home))


async def test_a_server_without_tls_is_refused_to_who_requires_it(
    postgres: Cluster, user_home: Path
) -> None:
    url = replace(on(postgres, "postgres"), parameters=(("sslmode", "require"),))
    with pytest.raises(DatabaseConnectionError, match="SSL"):
        await ensure_database(with_url(url, user_home))


async def test_the_schema_of_the_url_is_searched(empty_database: str, user_home: Path) -> None:
    url = replace(DatabaseUrl.parse(empty_database), parameters=(("schema", "My schema"),))
    assert await ensure_database(with_url(url, user_home)) == url
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    await connection.execute('CREATE SCHEMA "My schema"; CREATE TABLE here ()')
    assert await connection.fetchval("SELECT to_regclass('\"My schema\".here')") is not None
    await connection.close()


def test_resolve_url_takes_database_url_as_it_is(user_home: Path) -> None:
    url = DatabaseUrl.parse("postgresql://a:b@nowhere.invalid/d")
    assert resolve_url(with_url(url, user_home)) == url
    assert list(user_home.iterdir()) == []


async def test_without_database_url_the_embedded_server_is_used(settings: Settings) -> None:
    url = await ensure_database(settings)
    assert url == status(settings).url == resolve_url(settings)
    assert url.database == "etf_backtest"


async def test_a_dropped_database_of_the_embedded_server_comes_back(settings: Settings) -> None:
    url = await ensure_database(settings)
    connection = await asyncpg.connect(**url.with_database("postgres").asyncpg_arguments())
    await connection.execute(f'DROP DATABASE "{url.database}" WITH (FORCE)')
    await connection.close()
    assert await ensure_database(settings) == url
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    await connection.close()
    assert stop(settings)


async def test_checking_a_missing_database_creates_nothing(
    postgres: Cluster, user_home: Path
) -> None:
    settings = with_url(on(postgres, "not_there"), user_home)
    with pytest.raises(DatabaseMissingError, match="there is no database 'not_there'"):
        await check_database(settings)
    assert "not_there" not in await databases(postgres)
