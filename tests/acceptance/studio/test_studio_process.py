"""How Studio starts, fails and ends, with real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from etf_backtest.database.studio import StudioServer, install, studio
from etf_backtest.errors import StudioDatabaseError, StudioPortError, StudioStoppedError
from tests.fixtures.cluster import Cluster

# What the command line does, with the address in the environment as the command line has it.
SERVE = """
import os, sys
from pathlib import Path
from etf_backtest.database.studio import serve
serve(
    os.environ["DATABASE_URL"],
    cache_dir=Path(sys.argv[1]),
    port=0,
    open_browser="BROWSER" in os.environ,
    on_ready=lambda server: print(server.pid, server.port, flush=True),
)
"""


def run_sql(server: StudioServer, sql: str) -> object:
    """The first row of a query, asked the way the page does."""
    origin = f"http://127.0.0.1:{server.port}"
    with urllib.request.urlopen(server.url, timeout=10) as response:
        cookie = response.headers["Set-Cookie"].partition(";")[0]
    body = {"procedure": "query", "query": {"sql": sql, "parameters": []}}
    request = urllib.request.Request(f"{origin}/bff", method="POST", data=json.dumps(body).encode())
    request.add_header("Cookie", cookie)
    request.add_header("Origin", origin)
    with urllib.request.urlopen(request, timeout=30) as response:
        error, *rows = json.load(response)
    if error is not None:
        raise RuntimeError(error["message"])
    return rows[0][0]


@contextmanager
def command(
    url: str, cache: Path, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """A process that serves Studio, and Studio's own."""
    inherited = {name: value for name, value in os.environ.items() if name != "BROWSER"}
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(cache)],
        env={**inherited, "DATABASE_URL": url, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            words = process.stdout.readline().split()
            assert words, process.stderr and process.stderr.read()
            yield process, psutil.Process(int(words[0]))
        finally:
            process.kill()


def has_ended(process: psutil.Process, *, seconds: float = 20) -> bool:
    """Whether the process ends in time; a zombie, which waits for its reaper, has."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_the_password_is_in_no_command_line(postgres: Cluster, studio_cache: Path) -> None:
    with command(postgres.url(), studio_cache) as (process, node):
        family = [psutil.Process(process.pid), node]
        assert node.parent() == family[0]
        lines = subprocess.run(
            ["ps", "-ww", "-o", "args", *(str(member.pid) for member in family)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert "gate.mjs" in lines
        assert postgres.password not in lines


def test_the_password_is_not_in_the_environment_either(
    postgres: Cluster, studio_cache: Path
) -> None:
    with studio(postgres.url(), cache_dir=studio_cache) as server:
        environment = Path(f"/proc/{server.pid}/environ").read_bytes()
    assert postgres.password.encode() not in environment


def test_no_orphan_is_left_by_a_killed_parent(postgres: Cluster, studio_cache: Path) -> None:
    with command(postgres.url(), studio_cache) as (process, node):
        process.kill()
        assert has_ended(node)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_both(postgres: Cluster, studio_cache: Path, number: signal.Signals) -> None:
    with command(postgres.url(), studio_cache) as (process, node):
        process.send_signal(number)
        assert process.wait(20) == -number
        assert has_ended(node)


def test_ctrl_c_ends_both_quietly(postgres: Cluster, studio_cache: Path) -> None:
    with command(postgres.url(), studio_cache) as (process, node):
        # the terminal signals the whole group
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == 0
        assert has_ended(node)
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_browser_is_given_an_address_for_one_visit(
    postgres: Cluster, studio_cache: Path, tmp_path: Path
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/url'
    )
    browser.chmod(0o755)
    opened = tmp_path / "url"
    with command(postgres.url(), studio_cache, BROWSER=f"{browser} %s"):
        deadline = time.monotonic() + 20
        while not opened.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        url = opened.read_text()
        with urllib.request.urlopen(url, timeout=10) as response:
            assert response.status == 200
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(url, timeout=10)


def test_a_studio_that_dies_is_an_error(postgres: Cluster, studio_cache: Path) -> None:
    with studio(postgres.url(), cache_dir=studio_cache) as server:
        psutil.Process(server.pid).kill()
        with pytest.raises(StudioStoppedError, match=r"exit code -9") as caught:
            server.wait()
    assert caught.value.studio_exit_code == -signal.SIGKILL
    assert postgres.password not in str(caught.value)


def test_a_damaged_installation_is_named(
    postgres: Cluster, studio_cache: Path, tmp_path: Path
) -> None:
    installed = install(studio_cache)
    damaged = tmp_path / installed.name
    damaged.mkdir()
    (damaged / "node_modules").symlink_to(installed / "node_modules" / "postgres")
    with (
        pytest.raises(StudioStoppedError) as caught,
        studio(postgres.url(), cache_dir=tmp_path),
    ):
        pass
    assert caught.value.remedy is not None
    assert f"delete {damaged}" in caught.value.remedy
    assert postgres.password not in str(caught.value)


def test_a_taken_port_is_named(postgres: Cluster, studio_cache: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(StudioPortError, match=rf"127\.0\.0\.1:{port}: another program has it"),
            studio(postgres.url(), cache_dir=studio_cache, port=port),
        ):
            pass


def test_a_given_port_is_used(postgres: Cluster, studio_cache: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with studio(postgres.url(), cache_dir=studio_cache, port=port) as server:
        assert server.port == port


def test_a_wrong_password_is_an_error_at_the_start(postgres: Cluster, studio_cache: Path) -> None:
    url = f"postgresql://{postgres.user}:hunter2@{postgres.host}:{postgres.port}/postgres"
    with (
        pytest.raises(StudioDatabaseError, match="password authentication failed") as caught,
        studio(url, cache_dir=studio_cache),
    ):
        pass
    assert caught.value.code == "28P01"  # invalid_password
    assert "hunter2" not in str(caught.value)


def test_a_missing_database_is_an_error_at_the_start(postgres: Cluster, studio_cache: Path) -> None:
    with (
        pytest.raises(StudioDatabaseError, match='database "nowhere" does not exist') as caught,
        studio(postgres.url("nowhere"), cache_dir=studio_cache),
    ):
        pass
    assert caught.value.code == "3D000"  # invalid_catalog_name


def test_a_server_that_is_down_is_an_error_at_the_start(
    postgres: Cluster, studio_cache: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    started = time.monotonic()
    with (
        pytest.raises(StudioDatabaseError, match="ECONNREFUSED"),
        studio(f"postgresql://postgres:x@127.0.0.1:{port}/postgres", cache_dir=studio_cache),
    ):
        pass
    assert time.monotonic() - started < 10


def test_odd_passwords_and_database_names_work(postgres: Cluster, studio_cache: Path) -> None:
    password, database = "p@ss:/?#[]%41 é'\"\\$&=+", 'odd "db" %41/é'
    quoted_password = password.replace("'", "''")
    quoted_database = '"' + database.replace('"', '""') + '"'
    postgres.execute(
        f"CREATE ROLE odd LOGIN PASSWORD '{quoted_password}'", f"CREATE DATABASE {quoted_database}"
    )
    try:
        url = (
            f"postgresql://odd:{quote(password, safe='')}@{postgres.host}:{postgres.port}"
            f"/{quote(database, safe='')}?schema=public&connection_limit=3"
        )
        with studio(url, cache_dir=studio_cache) as server:
            row = run_sql(server, "select current_user as who, current_database() as at")
        assert row == {"who": "odd", "at": database}
    finally:
        postgres.execute(f"DROP DATABASE {quoted_database} WITH (FORCE)", "DROP ROLE odd")


def test_a_unix_socket_works(postgres: Cluster, studio_cache: Path) -> None:
    url = f"postgresql://postgres@localhost:{postgres.port}/postgres?host={postgres.socket_dir}"
    with studio(url, cache_dir=studio_cache) as server:
        # a socket has no address
        assert run_sql(server, "select inet_server_addr() as address") == {"address": None}


def test_times_are_utc_whatever_the_server_says(postgres: Cluster, studio_cache: Path) -> None:
    postgres.execute("CREATE DATABASE far_east", "ALTER DATABASE far_east SET timezone = 'Japan'")
    try:
        with studio(postgres.url("far_east"), cache_dir=studio_cache) as server:
            sql = "select '2024-07-01 00:00+00'::timestamptz::text as midnight"
            assert run_sql(server, sql) == {"midnight": "2024-07-01 00:00:00+00"}
    finally:
        postgres.execute("DROP DATABASE far_east WITH (FORCE)")


def test_studio_survives_a_restart_of_the_server(own_postgres: Cluster, studio_cache: Path) -> None:
    with studio(own_postgres.url(), cache_dir=studio_cache) as server:
        assert run_sql(server, "select 1 as one") == {"one": 1}
        own_postgres.restart("immediate")
        deadline = time.monotonic() + 10
        while True:
            try:
                assert run_sql(server, "select 1 as one") == {"one": 1}
            except RuntimeError:
                # the broken connection is found out by the query that needs it
                assert time.monotonic() < deadline
            else:
                break
