"""A new cluster: made beside its place and moved there when it is whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from etf_backtest.database.postgres.installation import MAJOR, Installation
from etf_backtest.database.postgres.server_folder import ServerFolder
from etf_backtest.database.postgres.server_log import reason
from etf_backtest.database.postgres.server_user import ServerUser
from etf_backtest.errors import ClusterVersionError, EmbeddedServerError

USER: Final = "etf_backtest"
DATABASE: Final = "etf_backtest"
DRAFT_PREFIX: Final = "new-cluster-"
LEFTOVER_SECONDS: Final = 10.0

# Nothing of the caller's environment: PGPORT or LD_PRELOAD of a shell must not reach a server that
# outlives it, and DATABASE_URL must not be readable in another user's /proc.
ENVIRONMENT: Final = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

# Statements and rows stay out of the log: they hold what users keep in the database. The client
# gets the whole message either way.
CONFIGURATION: Final = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # a file for each day of the week, emptied when its day comes again
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


def check_version(cluster: Path) -> None:
    """Refuse a cluster that this version of PostgreSQL cannot open.

    Raises
    ------
    ClusterVersionError
        It was made by another major version.
    EmbeddedServerError
        It is no cluster.
    """
    try:
        found = (cluster / "PG_VERSION").read_text("utf-8").strip()
    except FileNotFoundError:
        raise EmbeddedServerError(
            f"{cluster} is there, but it is not a PostgreSQL cluster",
            folder=cluster,
            remedy="move it away; a new one is made in its place",
        ) from None
    if found != str(MAJOR):
        raise ClusterVersionError(cluster, found=found, expected=str(MAJOR))


def initialise(
    folder: ServerFolder, cluster: Path, installation: Installation, user: ServerUser
) -> None:
    """Make the cluster with its password and database; call it with the lock held.

    Raises
    ------
    EmbeddedServerError
        A program failed; nothing of the new cluster is left.
    """
    for leftover in cluster.parent.glob(f"{DRAFT_PREFIX}*"):
        _remove_leftover(leftover)
    password = folder.new_password()
    draft = Path(tempfile.mkdtemp(prefix=DRAFT_PREFIX, dir=cluster.parent))
    try:
        password_file = draft / "password"
        descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(password)
        for path in (password_file, draft):
            user.take(path)
        data = draft / "cluster"
        _run(
            folder, user, installation.program("initdb"),
            f"--pgdata={data}", f"--username={USER}", f"--pwfile={password_file}",
            "--auth=scram-sha-256", "--encoding=UTF8",
            # sorts by code point, and knows the cases of every letter, which plain C does not
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--no-instructions",
            # written by initdb, not by us: root opens no file that the server's user can replace
            *(f"--set={name}={value}" for name, value in CONFIGURATION.items()),
        )  # fmt: skip
        # here, so that whoever finds the server running finds the database too
        _run(
            folder, user, installation.program("postgres"),
            "--single", "-D", str(data), "-c", "logging_collector=off", "template1",
            text=f'CREATE DATABASE "{DATABASE}"\n',
        )  # fmt: skip
        data.rename(cluster)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _remove_leftover(draft: Path) -> None:
    """Remove what a killed process left; its initdb may still run, and ends when its files go."""
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while draft.exists() and time.monotonic() < deadline:
        shutil.rmtree(draft, ignore_errors=True)
        time.sleep(0.01)


def _run(
    folder: ServerFolder, user: ServerUser, program: Path, *arguments: str, text: str = ""
) -> None:
    try:
        result = subprocess.run(  # noqa: S603 - the wheel's own programs
            [program, *arguments],
            cwd="/",
            env=ENVIRONMENT,
            input=text,
            text=True,
            encoding="utf-8",
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            check=False,
            **user.process_arguments(),
        )
    except OSError as error:
        raise EmbeddedServerError(
            f"{program.name} cannot be run as {user.name}: {error.strerror}",
            folder=folder.path,
            remedy="set DATABASE_URL to a server of your own",
        ) from error
    # single-user mode reports a failed statement, and exits with 0
    if result.returncode != 0 or "ERROR:" in result.stdout:
        raise EmbeddedServerError(
            f"the database cluster cannot be made in {folder.path}: {reason(result.stdout)}",
            folder=folder.path,
            log=result.stdout,
            remedy="mend that and try again; nothing is left behind",
        )
