"""The embedded server in good times: first use, sharing, surviving, stopping."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import asyncpg
import psutil
import pytest

from etf_backtest.database import postgres
from etf_backtest.database.postgres.postmaster import is_alive
from etf_backtest.settings import Settings
from tests.integration.postgres.python_process import launch, run


async def fetch(server: postgres.Server, query: str) -> object:
    connection = await asyncpg.connect(**server.url.asyncpg_arguments())
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_the_first_use_makes_everything(new_settings: Settings) -> None:
    server = postgres.start(new_settings)
    assert (server.started, server.initialised) == (True, True)
    assert server.url.database == "etf_backtest"
    assert server.url.host == "127.0.0.1"
    assert len(server.url.password or "") >= 32
    assert await fetch(server, "SELECT current_database()") == "etf_backtest"
    assert str(await fetch(server, "SHOW server_version")).startswith("18.")
    assert await fetch(server, "SHOW server_encoding") == "UTF8"
    assert await fetch(server, "SHOW timezone") == "UTC"
    # code point order, and the cases of letters beyond ASCII
    assert await fetch(server, "SELECT 'Z' < 'a' AND lower('ÄÉΣ') = 'äéσ'") is True
    # nothing is left of the making
    names = {path.name for path in server.cluster.parent.iterdir()}
    assert names == {"cluster", "lock", "password", "port", "startup.log"}


def test_what_holds_secrets_is_closed(running: postgres.Server) -> None:
    folder = running.cluster.parent
    for path in (folder / "password", folder / "port", folder / "lock", folder / "startup.log"):
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert running.cluster.stat().st_mode & 0o777 == 0o700
    assert (running.cluster / f".s.PGSQL.{running.port}").is_socket()


def test_a_start_of_what_runs_changes_nothing_and_is_quick(
    running_settings: Settings, running: postgres.Server
) -> None:
    before = time.perf_counter()
    again = postgres.start(running_settings)
    elapsed = time.perf_counter() - before
    assert again == running
    assert elapsed < 0.03


def test_listens_on_loopback_alone(running: postgres.Server) -> None:
    listening = {
        connection.laddr
        for connection in psutil.Process(running.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", running.port)}


async def test_every_way_in_asks_for_the_password(running: postgres.Server) -> None:
    wrong = replace(running.url, password="wrong")
    for url in (wrong, replace(wrong, socket_directory=str(running.cluster))):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(**url.asyncpg_arguments())


async def test_is_reached_through_its_unix_socket(
    running_settings: Settings, running: postgres.Server
) -> None:
    directory = postgres.status(running_settings).socket_directory
    assert directory == running.cluster
    url = replace(running.url, socket_directory=str(directory))
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    assert await connection.fetchval("SELECT inet_server_addr()") is None
    await connection.close()


def test_does_without_a_socket_where_the_path_is_too_long(settings: Settings) -> None:
    deep = settings.data_dir.with_name("long-" * 20)
    long_settings = Settings(data_dir=settings.data_dir.rename(deep), cache_dir=deep)
    server = postgres.start(long_settings)
    assert postgres.status(long_settings).socket_directory is None
    assert not list(server.cluster.glob(".s.PGSQL*"))
    with socket.create_connection(("127.0.0.1", server.port)):
        pass


def test_survives_the_process_that_started_it_and_is_found_by_the_next(settings: Settings) -> None:
    code = "s = postgres.start(settings); print(s.pid, s.port, s.started)"
    pid, port, started = run(code, settings.data_dir).split()
    assert started == "True"
    # its pipes were not kept open either: run() has read to their end
    assert run(code, settings.data_dir).split() == [pid, port, "False"]
    assert psutil.Process(int(pid)).ppid() != os.getpid()


def test_ctrl_c_in_the_terminal_does_not_reach_it(settings: Settings) -> None:
    code = "import time; print(postgres.start(settings).pid, flush=True); time.sleep(60)"
    with launch(code, settings.data_dir, new_session=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(10) != 0
    time.sleep(0.1)
    assert postgres.start(settings).pid == pid


def test_status_of_nothing_makes_nothing(new_settings: Settings) -> None:
    absent = postgres.status(new_settings)
    assert (absent.state, absent.running, absent.pid, absent.url) == ("absent", False, None, None)
    assert postgres.stop(new_settings) is False
    assert not new_settings.data_dir.exists()


def test_status_says_what_is_there(settings: Settings) -> None:
    server = postgres.start(settings)
    ready = postgres.status(settings)
    assert (ready.state, ready.running, ready.pid) == ("ready", True, server.pid)
    assert (ready.port, ready.url, ready.version) == (server.port, server.url, 18)
    assert ready.started is not None
    assert abs(ready.started - time.time()) < 60
    assert postgres.stop(settings) is True
    stopped = postgres.status(settings)
    assert (stopped.state, stopped.running, stopped.url) == ("stopped", False, None)


async def test_stop_keeps_the_data_the_port_and_the_password(settings: Settings) -> None:
    before = postgres.start(settings)
    await fetch(before, "CREATE TABLE kept AS SELECT 7 AS value")
    assert postgres.stop(settings) is True
    assert not is_alive(before.pid)
    assert postgres.stop(settings) is False
    after = postgres.start(settings)
    assert after.url == before.url
    assert after.pid != before.pid
    assert await fetch(after, "SELECT value FROM kept") == 7


async def test_stop_does_not_wait_for_clients(settings: Settings) -> None:
    connection = await asyncpg.connect(**postgres.start(settings).url.asyncpg_arguments())
    before = time.monotonic()
    assert postgres.stop(settings) is True
    assert time.monotonic() - before < 5
    connection.terminate()


def test_its_log_files_are_few_and_hold_no_statements(running: postgres.Server) -> None:
    log_directory = running.cluster / "log"
    # one a day of the week: postgresql-Mon.log to postgresql-Sun.log
    assert [path.name[:11] for path in log_directory.iterdir()] == ["postgresql-"]
    configuration = (running.cluster / "postgresql.conf").read_text()
    assert "log_truncate_on_rotation = on" in configuration
    assert "log_filename = 'postgresql-%a.log'" in configuration


async def test_what_users_keep_does_not_get_into_the_log(running: postgres.Server) -> None:
    connection = await asyncpg.connect(**running.url.asyncpg_arguments())
    await connection.execute("CREATE TABLE guarded (secret text CHECK (length(secret) < 3))")
    with pytest.raises(asyncpg.CheckViolationError) as raised:
        await connection.execute("INSERT INTO guarded VALUES ('a-row-of-a-user')")
    await connection.close()
    assert "a-row-of-a-user" in str(raised.value.detail)  # the client is told
    logs = "".join(path.read_text() for path in (running.cluster / "log").iterdir())
    assert "guarded" in logs
    assert "a-row-of-a-user" not in logs


def test_no_process_ever_shows_a_password(
    new_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server is made, all command lines and environments are read all the time."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret-of-the-caller@elsewhere/db")
    monkeypatch.setenv("PGPORT", "1")  # and a shell's settings do not disturb the server
    seen: dict[str, bytes] = {}
    done = threading.Event()

    def watch() -> None:
        own = {str(os.getpid()), str(os.getppid()), "self", "thread-self"}
        while not done.is_set():
            for process in Path("/proc").iterdir():
                if process.name.isdecimal() and process.name not in own:
                    for name in ("cmdline", "environ"):
                        try:
                            text = (process / name).read_bytes()
                        except OSError:
                            continue
                        if b"postgres" in text or b"initdb" in text:
                            seen[f"{process.name} {name} {len(text)}"] = text

    watcher = threading.Thread(target=watch)
    watcher.start()
    server = postgres.start(new_settings)
    done.set()
    watcher.join()
    assert server.url.password is not None
    ours = [text for text in seen.values() if os.fsencode(new_settings.data_dir) in text]
    assert any(b"initdb" in text for text in ours)
    secrets = (server.url.password.encode(), b"secret-of-the-caller")
    environment = Path(f"/proc/{server.pid}/environ")
    texts = [*ours, environment.read_bytes()] if os.geteuid() == 0 else ours
    assert not [text for text in texts for secret in secrets if secret in text]
    for file in (*server.cluster.parent.glob("*.log"), *(server.cluster / "log").iterdir()):
        assert server.url.password not in file.read_text()
    assert server.url.password not in repr(server) + repr(postgres.status(new_settings))
