"""The embedded server in bad times: crashes, thieves, other versions, full disks."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time

import asyncpg
import psutil
import pytest

from etf_backtest.database import postgres
from etf_backtest.database.postgres import launch as launch_module
from etf_backtest.errors import ClusterVersionError, EmbeddedServerError
from etf_backtest.settings import Settings
from tests.integration.postgres.python_process import launch, run


def kill(server: postgres.Server) -> None:
    os.kill(server.pid, signal.SIGKILL)
    psutil.Process(server.pid).wait(10) if psutil.pid_exists(server.pid) else None


async def test_restarts_after_a_crash_with_its_data(settings: Settings) -> None:
    running = postgres.start(settings)
    connection = await asyncpg.connect(**running.url.asyncpg_arguments())
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    kill(running)
    connection.terminate()
    assert (running.cluster / "postmaster.pid").exists()
    assert postgres.status(settings).state == "stopped"
    again = postgres.start(settings)
    assert again.started
    connection = await asyncpg.connect(**again.url.asyncpg_arguments())
    assert await connection.fetchval("SELECT value FROM kept") == 7
    await connection.close()


def test_a_stale_pid_file_that_names_somebody_else_is_seen_through(settings: Settings) -> None:
    server = postgres.start(settings)
    kill(server)
    pid_file = server.cluster / "postmaster.pid"
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        _, rest = pid_file.read_text().split("\n", 1)
        pid_file.write_text(f"{stranger.pid}\n{rest}")
        assert postgres.status(settings).state == "stopped"
        assert postgres.stop(settings) is False
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    assert postgres.start(settings).started


def test_a_stolen_port_is_left_to_the_thief(settings: Settings) -> None:
    before = postgres.start(settings)
    postgres.stop(settings)
    with socket.create_server(("127.0.0.1", before.port)):
        after = postgres.start(settings)
        assert after.port != before.port
        postgres.stop(settings)
        assert postgres.start(settings).port == after.port


def test_a_port_stolen_after_we_looked_costs_another_try(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = postgres.start(settings)
    postgres.stop(settings)
    really_free = launch_module._is_free
    monkeypatch.setattr(
        launch_module, "_is_free", lambda port: port == before.port or really_free(port)
    )
    with socket.create_server(("127.0.0.1", before.port)):
        after = postgres.start(settings)
    assert after.port != before.port


def test_a_first_use_that_was_killed_is_begun_again(new_settings: Settings) -> None:
    process = launch("postgres.start(settings)", new_settings.data_dir, new_session=True)
    folder = new_settings.data_dir / "postgres"
    deadline = time.monotonic() + 20
    while not list(folder.glob("new-cluster-*/cluster/base/1/PG_VERSION")):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert not (folder / "cluster").exists()
    # its initdb has a session of its own and may go on for a while; nobody waits for it
    server = postgres.start(new_settings)
    assert server.initialised
    assert not list(folder.glob("new-cluster-*"))


def test_a_start_that_was_interrupted_is_taken_over(settings: Settings) -> None:
    process = launch("postgres.start(settings)", settings.data_dir)
    pid_file = settings.data_dir / "postgres" / "cluster" / "postmaster.pid"
    deadline = time.monotonic() + 20
    while not pid_file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert postgres.start(settings).pid == int(pid_file.read_text().split()[0])


def test_another_major_version_is_refused_and_left_alone(settings: Settings) -> None:
    version = settings.data_dir / "postgres" / "cluster" / "PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(ClusterVersionError, match=r"made by PostgreSQL 16, expected 18") as raised:
        postgres.start(settings)
    assert (raised.value.found, raised.value.expected) == ("16", "18")
    assert version.read_text() == "16\n"


def test_a_folder_that_is_no_cluster_is_refused_and_left_alone(new_settings: Settings) -> None:
    photos = new_settings.data_dir / "postgres" / "cluster" / "photos"
    photos.mkdir(parents=True)
    with pytest.raises(EmbeddedServerError, match="not a PostgreSQL cluster"):
        postgres.start(new_settings)
    assert photos.is_dir()


def test_a_lost_password_file_is_named(settings: Settings) -> None:
    (settings.data_dir / "postgres" / "password").unlink()
    with pytest.raises(EmbeddedServerError, match=r"password file .* is gone"):
        postgres.start(settings)
    assert postgres.status(settings).state == "stopped"


def test_what_the_server_says_is_part_of_the_error(settings: Settings) -> None:
    with (settings.data_dir / "postgres" / "cluster" / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = 'plenty'\n")
    said = "does not start: configuration file .* contains errors"
    with pytest.raises(EmbeddedServerError, match=said) as raised:
        postgres.start(settings)
    assert 'invalid value for parameter "shared_buffers": "plenty"' in raised.value.log
    assert "startup.log" in str(raised.value.remedy)


def test_an_error_after_the_log_has_moved_is_found_too(settings: Settings) -> None:
    # the log collector runs already when the control file's copy of the WAL is missed
    shutil.rmtree(settings.data_dir / "postgres" / "cluster" / "pg_wal")
    (settings.data_dir / "postgres" / "cluster" / "pg_wal").mkdir()
    with pytest.raises(EmbeddedServerError, match="does not start") as raised:
        postgres.start(settings)
    assert "checkpoint record" in raised.value.log or "pg_wal" in raised.value.log


def test_a_full_disk_is_said_and_leaves_nothing_behind(new_settings: Settings) -> None:
    # a limit on the size of files is what an ordinary user can fill; initdb fails in the same place
    code = """
import resource, signal
from etf_backtest.errors import EmbeddedServerError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    postgres.start(settings)
except EmbeddedServerError as error:
    print(error.message)
"""
    message = run(code, new_settings.data_dir)
    assert "cannot be made" in message
    assert "File too large" in message
    assert "\n" not in message
    folder = new_settings.data_dir / "postgres"
    assert not (folder / "cluster").exists()
    assert not list(folder.glob("new-cluster-*"))
    assert postgres.start(new_settings).initialised


@pytest.mark.skipif(
    subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode
    != 0,
    reason="only root may mount a file system that is too small: sudo pytest runs this",
)
def test_a_full_disk_is_the_reason_whatever_follows_from_it(new_settings: Settings) -> None:
    code = """
import subprocess
from etf_backtest.errors import EmbeddedServerError
data_dir.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m,mode=711", "tmpfs", data_dir], check=True)
try:
    postgres.start(settings)
except EmbeddedServerError as error:
    print(error.message)
    print(error.log)
"""
    message, log = run(code, new_settings.data_dir, by=["unshare", "--mount"]).split("\n", 1)
    assert "cannot be made" in message
    assert "No space left on device" in message
    # what PostgreSQL 18 says last when bootstrap fills the disk
    assert "PANIC:  cannot abort transaction 1, it was already committed" in log


def test_a_data_directory_that_is_a_file_is_named(new_settings: Settings) -> None:
    new_settings.data_dir.write_text("a file")
    with pytest.raises(EmbeddedServerError, match=str(new_settings.data_dir)):
        postgres.start(new_settings)
