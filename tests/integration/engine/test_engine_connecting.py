"""Connecting: what is wrong is said at once, with Prisma's code, and without the password."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from etf_backtest.database.client.engine.errors import (
    AlreadyConnectedError,
    EngineConnectionError,
    NotConnectedError,
)
from etf_backtest.database.client.errors import ClientNotConnectedError
from etf_backtest.database.engine import EngineCommand
from tests.fixtures.cluster import Cluster
from tests.integration.engine.database import (
    Database,
    connected,
    engine_of,
    engine_pid,
    new_client,
    with_parameters,
)


async def refusal(url: str, code: str) -> str:
    """Connect in vain; the message."""
    client = new_client(url)
    began = time.monotonic()
    with pytest.raises(EngineConnectionError) as refused:
        await client.connect()
    assert time.monotonic() - began < 5
    assert not client.is_connected()
    assert vars(refused.value)["code"] == code
    message = str(refused.value)
    assert message.startswith(code)
    assert "password-of-the-tests" not in message
    assert refused.value.__cause__ is None
    return message


@pytest.mark.each_postgres
async def test_a_wrong_password_is_an_error_at_connect(postgres: Cluster) -> None:
    url = postgres.url().replace(postgres.password, "secret-but-wrong")
    message = await refusal(url, "P1000")
    assert f"`{postgres.host}:{postgres.port}`" in message
    assert "`postgres`" in message
    assert "secret-but-wrong" not in message


@pytest.mark.each_postgres
async def test_an_unknown_user_is_an_error_at_connect(postgres: Cluster) -> None:
    url = f"postgresql://nobody:x@{postgres.host}:{postgres.port}/postgres"
    assert "`nobody`" in await refusal(url, "P1000")


async def test_no_password_is_an_error_at_connect(postgres: Cluster) -> None:
    await refusal(f"postgresql://postgres@{postgres.host}:{postgres.port}/postgres", "P1000")


@pytest.mark.each_postgres
async def test_a_missing_database_is_an_error_at_connect(postgres: Cluster) -> None:
    assert "`no such one`" in await refusal(postgres.url("no such one"), "P1003")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:1", "no-such-host.invalid:5432", "[::1]:1", "localhost:1"]
)
async def test_an_unreachable_host_is_an_error_at_connect(host: str) -> None:
    assert "Can't reach" in await refusal(
        f"postgresql://postgres:password-of-the-tests@{host}/x", "P1001"
    )


async def test_a_missing_socket_is_an_error_at_connect(tmp_path: Path) -> None:
    assert str(tmp_path) in await refusal(f"postgresql://postgres@/x?host={tmp_path}", "P1001")


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("postgresql://u:password-of-the-tests/1@h/d", "one host"),
        ("postgresql://u:password-of-the-tests%zz@h/d", "The password"),
        ("postgresql://u:password-of-the-tests@h,i/d", "one host"),
        ("postgresql://u:password-of-the-tests@h/d?sslmode=sometimes", "sslmode"),
        ("postgresql://u:password-of-the-tests@h/d?connection_limit=many", "connection_limit"),
        ("postgresql://h/d?sslmode=verify-ca&sslrootcert=/no/such/file", "/no/such/file"),
        ("mysql://u:password-of-the-tests@h/d", "postgresql://"),
    ],
)
async def test_a_url_that_cannot_be_read_is_an_error_at_connect(url: str, part: str) -> None:
    assert part in await refusal(url, "P1013")


@pytest.mark.each_postgres
async def test_a_unix_socket_connects(postgres: Cluster, database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    folder = postgres.socket_dir
    encoded = quote(str(folder), safe="")
    for url in (
        f"postgresql://postgres@/{name}?host={folder}&port={postgres.port}",
        f"postgresql://postgres@:{postgres.port}/{name}?host={folder}",
        f"postgresql://postgres@localhost:{postgres.port}/{name}?host={encoded}",
        f"postgresql://postgres@{encoded}:{postgres.port}/{name}",
    ):
        async with connected(url) as client:
            [row] = await client.query_raw(
                "SELECT inet_client_addr() AS address, current_database() AS name"
            )
            assert row == {"address": None, "name": name}


@pytest.mark.each_postgres
async def test_an_odd_password_connects(postgres: Cluster) -> None:
    odd = "p@ss:w/o?r#d%41 \"quoted\" 'and' \\ \u00fc\u20ac&=+"
    literal = odd.replace("'", "''")
    postgres.execute("DROP ROLE IF EXISTS odd", f"CREATE ROLE odd LOGIN PASSWORD '{literal}'")
    url = f"postgresql://odd:{quote(odd, safe='')}@{postgres.host}:{postgres.port}/postgres"
    async with connected(url) as client:
        assert await client.query_raw('SELECT current_user::text AS "user"') == [{"user": "odd"}]
        engine = psutil.Process(engine_pid(client))
        assert "odd" not in " ".join(engine.cmdline())
        assert engine.environ() == {}
    postgres.execute("DROP ROLE odd")


async def test_the_password_is_not_logged(
    postgres: Cluster, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with connected(database_url, log_queries=True) as client:
            await client.query_raw("SELECT 1")
    assert caplog.records
    assert postgres.password not in caplog.text


def with_locals(error: BaseException) -> str:
    """The traceback as error trackers show it, without the frame of the test, which has the URL."""
    assert error.__traceback__ is not None
    error = error.with_traceback(error.__traceback__.tb_next)
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format())


async def test_the_password_is_in_no_local_variable(
    postgres: Cluster, tmp_path: Path, unused_tcp_port: int
) -> None:
    password = "secret-but-wrong"
    wrong = postgres.url().replace(postgres.password, password)
    nowhere = f"postgresql://postgres:{password}@127.0.0.1:{unused_tcp_port}/x"
    unreadable = f"postgresql://postgres:{password}/1@h/x"
    clients = [new_client(url) for url in (wrong, nowhere, unreadable)]

    class Broken(Database):
        engine_command = EngineCommand(script=tmp_path / "broken.mjs")

    (tmp_path / "broken.mjs").write_text("throw new Error('out of order')")
    clients.append(Broken(use_dotenv=False, datasource={"url": nowhere}))
    for client in clients:
        with pytest.raises(EngineConnectionError) as refused:
            await client.connect()
        shown = with_locals(refused.value)
        assert "datasources = " in shown
        assert password not in shown
    assert not any(client.is_connected() for client in clients)


async def test_the_password_is_in_no_local_variable_of_a_cancelled_connect() -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    async with server:
        client = new_client(f"postgresql://u:password-of-the-tests@127.0.0.1:{port}/x")
        connecting = asyncio.create_task(client.connect())
        await asyncio.sleep(0.3)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await connecting
    assert "password-of-the-tests" not in with_locals(cancelled.value)


async def test_the_environment_of_libpq_does_not_leak_in(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGPASSWORD": postgres.password,
        "PGUSER": "postgres",
        "PGOPTIONS": "-c x",
    }.items():
        monkeypatch.setenv(name, value)
    await refusal(f"postgresql://postgres@{postgres.host}:{postgres.port}/postgres", "P1000")


async def test_a_schema_is_used_by_queries_and_raw_queries(database_url: str) -> None:
    async with connected(database_url) as client:
        await client.execute_raw('CREATE SCHEMA "o d"')
        await client.execute_raw(
            'CREATE TABLE "o d".price_series (LIKE public.price_series INCLUDING ALL)'
        )
    async with connected(database_url, "schema=o%20d") as client:
        await client.priceseries.create({"symbol": "SPY", "revision": 1})
        assert await client.query_raw("SELECT symbol FROM price_series") == [{"symbol": "SPY"}]
    async with connected(database_url) as client:
        assert await client.priceseries.count() == 0


async def test_connecting_twice_and_again(database_url: str) -> None:
    client = new_client(database_url)
    assert not client.is_connected()
    with pytest.raises(ClientNotConnectedError):
        await client.user.count()
    await client.connect()
    with pytest.raises(AlreadyConnectedError):
        await client.connect()
    assert client.is_connected()
    assert await client.user.count() == 0
    engine = engine_of(client)
    await client.disconnect(timeout=timedelta(seconds=5))
    assert not client.is_connected()
    with pytest.raises(NotConnectedError):
        await engine.metrics(format="json", global_labels=None)
    await client.disconnect()
    await client.connect()
    assert await client.user.count() == 0
    await client.disconnect()


async def test_connecting_twice_at_once(database_url: str) -> None:
    client = new_client(database_url)
    outcomes = await asyncio.gather(client.connect(), client.connect(), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), AlreadyConnectedError]
    assert await client.user.count() == 0
    await client.disconnect()


async def test_an_engine_that_does_not_answer_is_given_up(
    tmp_path: Path, database_url: str
) -> None:
    script = tmp_path / "silent.mjs"
    script.write_text("process.stdin.resume()")

    class Silent(Database):
        engine_command = EngineCommand(script=script)

    client = Silent(use_dotenv=False, datasource={"url": database_url})
    with pytest.raises(EngineConnectionError, match=r"within 0\.5 s"):
        await client.connect(timeout=timedelta(seconds=0.5))
    assert not client.is_connected()


async def test_an_engine_that_cannot_start_says_why(tmp_path: Path, database_url: str) -> None:
    script = tmp_path / "broken.mjs"

    class Broken(Database):
        engine_command = EngineCommand(script=script)

    client = Broken(use_dotenv=False, datasource={"url": database_url})
    with pytest.raises(EngineConnectionError, match="npm run build:engine"):
        await client.connect()
    script.write_text("throw new Error('out of order')")
    with pytest.raises(EngineConnectionError, match=r"exit code 1.*out of order"):
        await client.connect()
    Broken.engine_command = EngineCommand(script=script, node=tmp_path / "node")
    with pytest.raises(EngineConnectionError, match="Node cannot be started"):
        await client.connect()


async def test_a_server_that_never_answers_is_given_up_in_time(unused_tcp_port: int) -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", unused_tcp_port)
    async with server:
        url = f"postgresql://u:password-of-the-tests@127.0.0.1:{unused_tcp_port}/x"
        message = await refusal(with_parameters(url, "connect_timeout=1"), "P1002")
        assert "connect_timeout is 1 s" in message


async def test_the_compile_cache_goes_where_it_is_told(tmp_path: Path, database_url: str) -> None:
    class Cached(Database):
        engine_command = EngineCommand(
            script=Database.engine_command.script, cache_dir=tmp_path / "cache"
        )

    client = Cached(use_dotenv=False, datasource={"url": database_url})
    async with client:
        assert await client.user.count() == 0
    assert any((tmp_path / "cache").rglob("*"))
