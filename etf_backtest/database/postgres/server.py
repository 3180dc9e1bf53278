"""The embedded server: started on first use, shared by processes, kept running after them."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from etf_backtest.database.postgres.initialise import (
    DATABASE,
    USER,
    check_version,
    initialise,
)
from etf_backtest.database.postgres.installation import MAJOR, Installation
from etf_backtest.database.postgres.launch import HOST, launch, settle, socket_fits
from etf_backtest.database.postgres.postmaster import Postmaster, is_alive
from etf_backtest.database.postgres.server_folder import (
    SYSTEM_DIRECTORY,
    ServerFolder,
    abandoned_clusters,
    place_cluster,
)
from etf_backtest.database.postgres.server_user import ServerUser
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import EmbeddedServerError
from etf_backtest.settings import Settings

STOP_SECONDS: Final = 60.0
_POLL: Final = 0.01

State = Literal["absent", "stopped", "starting", "ready", "stopping", "standby"]


@dataclass(frozen=True, slots=True)
class Server:
    """The embedded server, running."""

    url: DatabaseUrl
    pid: int
    port: int
    cluster: Path
    """PostgreSQL's data directory."""
    started: bool
    """Whether this call started it."""
    initialised: bool
    """Whether this call made its cluster."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What there is of the embedded server; asking changes nothing."""

    state: State
    version: int
    cluster: Path
    log_directory: Path
    pid: int | None = None
    port: int | None = None
    socket_directory: Path | None = None
    started: int | None = None
    """Seconds since 1970."""
    url: DatabaseUrl | None = None
    """None unless it is ready."""

    @property
    def running(self) -> bool:
        """Whether it takes connections."""
        return self.state == "ready"


def start(settings: Settings, *, system_directory: Path = SYSTEM_DIRECTORY) -> Server:
    """Start the embedded server unless it runs; the first time, make its cluster.

    Cheap when it runs: two small files are read. The server outlives this process and is shared by
    all that have the same data directory.

    Raises
    ------
    EmbeddedServerError
        It cannot be set up or started; `log` has what PostgreSQL said.
    """
    folder = ServerFolder.of(settings)
    with _trusting_the_folder(folder):
        running = Postmaster.find(folder.cluster)
        if running is not None and running.state == "ready":
            return _server(folder, running)
        folder.make(ServerUser.choose(folder.cluster))
        with folder.lock():
            return _start_alone(folder, settings, system_directory)


def stop(settings: Settings) -> bool:
    """Stop the embedded server, whoever uses it; false when it did not run.

    Raises
    ------
    EmbeddedServerError
        It does not stop, or belongs to another user.
    """
    folder = ServerFolder.of(settings)
    with _trusting_the_folder(folder):
        if Postmaster.find(folder.cluster) is None:
            return False
        with folder.lock():
            running = Postmaster.find(folder.cluster)
            if running is None:
                return False
            os.kill(running.pid, signal.SIGINT)  # PostgreSQL's fast shutdown
            _await_end(folder, running.pid)
            return True


def status(settings: Settings) -> ServerStatus:
    """What there is, without starting or making anything."""
    folder = ServerFolder.of(settings)
    with _trusting_the_folder(folder):
        cluster = folder.cluster
        if not cluster.exists():
            return ServerStatus("absent", MAJOR, cluster, folder.log_directory)
        running = Postmaster.find(cluster)
        if running is None:
            return ServerStatus("stopped", MAJOR, cluster, folder.log_directory)
        return ServerStatus(
            running.state,
            MAJOR,
            cluster,
            folder.log_directory,
            pid=running.pid,
            port=running.port,
            socket_directory=cluster if socket_fits(cluster, running.port) else None,
            started=running.started,
            url=_url(folder, running.port) if running.state == "ready" else None,
        )


def _start_alone(folder: ServerFolder, settings: Settings, system_directory: Path) -> Server:
    """Start the server while no other process can."""
    running = settle(folder)
    if running is not None:
        return _server(folder, running)
    user = ServerUser.choose(folder.cluster)
    cluster = place_cluster(folder, settings, user, system_directory)
    installation = Installation.find().for_user(user, system_directory)
    fresh = not cluster.exists()
    if fresh and folder.location_file.exists():
        _stop_abandoned(system_directory)
    if fresh:
        initialise(folder, cluster, installation, user)
    check_version(cluster)
    folder.password()  # if it is gone, say so before a server runs that nobody can use
    running = launch(folder, cluster, installation, user)
    folder.write("port", str(running.port))
    return _server(folder, running, started=True, initialised=fresh)


def _stop_abandoned(system_directory: Path) -> None:
    """Stop servers whose data directory was deleted under them; their data stay where they are.

    PostgreSQL does so itself when its cluster goes, but here only the folder that points to the
    cluster went.
    """
    for cluster in abandoned_clusters(system_directory):
        running = Postmaster.find(cluster)
        if running is not None:
            os.kill(running.pid, signal.SIGINT)


def _await_end(folder: ServerFolder, pid: int) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while is_alive(pid):
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"the database server (process {pid}) has not stopped for {STOP_SECONDS:.0f} s",
                folder=folder.path,
                remedy=f"see {folder.log_directory}",
            )
        time.sleep(_POLL)


def _url(folder: ServerFolder, port: int) -> DatabaseUrl:
    return DatabaseUrl(
        host=HOST, port=port, database=DATABASE, user=USER, password=folder.password()
    )


def _server(
    folder: ServerFolder, running: Postmaster, *, started: bool = False, initialised: bool = False
) -> Server:
    return Server(
        url=_url(folder, running.port),
        pid=running.pid,
        port=running.port,
        cluster=folder.cluster,
        started=started,
        initialised=initialised,
    )


@contextlib.contextmanager
def _trusting_the_folder(folder: ServerFolder) -> Iterator[None]:
    """Look whose folder it is, and say where and whose when the operating system refuses."""
    try:
        folder.check_owner()
        yield
    except PermissionError as error:
        raise EmbeddedServerError(
            f"no permission for {error.filename or folder.path}{_owner(folder)}",
            folder=folder.path,
            remedy="use the user who made it, or set ETF_BACKTEST_DATA_DIR to a folder of yours",
        ) from error
    except OSError as error:
        raise EmbeddedServerError(
            f"{error.filename or folder.path}: {error.strerror or error}",
            folder=folder.path,
            remedy="mend that, or set ETF_BACKTEST_DATA_DIR to another folder",
        ) from error


def _owner(folder: ServerFolder) -> str:
    for path in (folder.path / "cluster", folder.path, *folder.path.parents):
        try:
            uid = path.stat().st_uid
        except OSError:
            continue
        try:
            return f" (the owner of {path} is {pwd.getpwuid(uid).pw_name})"
        except KeyError:
            return f" (the owner of {path} is the user {uid})"
    return ""
