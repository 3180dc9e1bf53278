"""Starting the server's process: a port, a detached process, and waiting until it is ready."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from etf_backtest.database.postgres.initialise import ENVIRONMENT
from etf_backtest.database.postgres.installation import Installation
from etf_backtest.database.postgres.postmaster import Postmaster, is_alive
from etf_backtest.database.postgres.server_folder import ServerFolder
from etf_backtest.database.postgres.server_log import LogMark, reason
from etf_backtest.database.postgres.server_user import ServerUser
from etf_backtest.errors import EmbeddedServerError

HOST: Final = "127.0.0.1"
PORTS: Final = range(20_000, 32_000)
"""Below the range that Linux gives to outgoing connections."""
SOCKET_PATH_BYTES: Final = 107
START_SECONDS: Final = 120.0
ORPHAN_SECONDS: Final = 10.0
PORT_TRIES: Final = 5
OTHERS_SIGNS: Final = (
    # of a server whose starter was killed: it had not yet written who it is
    'lock file "postmaster.pid"',
    # of a server that was killed: its processes have not noticed yet
    "pre-existing shared memory block",
)
_POLL: Final = 0.01

# The shell leaves at once, so that the server is nobody's child who would have to wait for it.
_DETACH: Final = '"$0" "$@" >&2 & echo $!'


def launch(
    folder: ServerFolder, cluster: Path, installation: Installation, user: ServerUser
) -> Postmaster:
    """Start the process and wait until it takes connections."""
    port_tries = 0
    deadline = time.monotonic() + ORPHAN_SECONDS
    while True:
        port = _choose_port(folder.last_port() if port_tries == 0 else None)
        mark = LogMark.set(folder)
        pid = _spawn(folder, cluster, installation, user, port)
        running = _await_ready(folder, cluster, pid)
        if running is not None:
            return running
        log = mark.since_with_reason()
        if "Address already in use" in log and port_tries < PORT_TRIES:
            port_tries += 1  # somebody took it after we had looked
        elif any(sign in log for sign in OTHERS_SIGNS) and time.monotonic() < deadline:
            time.sleep(0.1)
            if (running := settle(folder)) is not None:
                return running
        else:
            break
    raise EmbeddedServerError(
        f"the database server does not start: {reason(log)}",
        folder=folder.path,
        log=log,
        remedy=f"see {folder.startup_log} and {folder.log_directory}",
    )


def settle(folder: ServerFolder) -> Postmaster | None:
    """Wait for a server that another process is starting or stopping; None when there is none."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        running = Postmaster.find(folder.cluster)
        if running is None or running.state == "ready":
            return running
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"the database server (process {running.pid}) has been {running.state} "
                f"for {START_SECONDS:.0f} seconds",
                folder=folder.path,
                remedy=f"look into {folder.log_directory}",
            )
        time.sleep(_POLL)


def _spawn(
    folder: ServerFolder, cluster: Path, installation: Installation, user: ServerUser, port: int
) -> int:
    socket_directory = str(cluster) if socket_fits(cluster, port) else ""
    program = str(installation.program("postgres"))
    options = ["-D", str(cluster), "-p", str(port), "-k", socket_directory]
    descriptor = folder.new_startup_log()
    try:
        shell = subprocess.run(  # noqa: S603 - the wheel's own program
            ["/bin/sh", "-c", _DETACH, program, *options],
            cwd="/",
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=descriptor,
            start_new_session=True,  # Ctrl-C in the terminal is not meant for the server
            check=True,
            **user.process_arguments(),
        )
    finally:
        os.close(descriptor)
    return int(shell.stdout)


def _await_ready(folder: ServerFolder, cluster: Path, pid: int) -> Postmaster | None:
    """The server when it is ready, None when it has ended."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        running = Postmaster.find(cluster)
        if running is not None and running.pid == pid and running.state == "ready":
            return running
        if not is_alive(pid):
            return None
        time.sleep(_POLL)
    raise EmbeddedServerError(
        f"the database server is not ready after {START_SECONDS:.0f} seconds",
        folder=folder.path,
        remedy=f"it may still be recovering from a crash: see {folder.log_directory}, try again",
    )


def _choose_port(wanted: int | None) -> int:
    """The wanted port, or another that nobody listens on."""
    if wanted is not None and _is_free(wanted):
        return wanted
    while not _is_free(port := secrets.choice(PORTS)):
        pass
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # as PostgreSQL does: connections that have just been closed do not count
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def socket_fits(cluster: Path, port: int) -> bool:
    """Whether the path of a unix socket in the cluster is short enough for the kernel."""
    return len(os.fsencode(cluster / f".s.PGSQL.{port}")) <= SOCKET_PATH_BYTES
