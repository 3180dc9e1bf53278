"""The embedded server's folder in the user's data directory, and where its cluster is.

postgres/
    lock          held while the server is set up, started or stopped
    password      of the server's one user (mode 0600)
    port          the port of the last start, taken again if it is free
    startup.log   what the programs said at the last start
    cluster/      PostgreSQL's data directory, its log/ and its unix socket
    location      instead of cluster/: the folder that has it (see `place_cluster`)
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from etf_backtest.database.postgres.server_user import ServerUser
from etf_backtest.errors import EmbeddedServerError
from etf_backtest.settings import APP, Settings

SYSTEM_DIRECTORY: Final = Path("/var/lib") / APP
"""Has, for root, what the server's user cannot reach elsewhere: clusters and programs."""
LOCK_SECONDS: Final = 180.0


@dataclass(frozen=True, slots=True)
class ServerFolder:
    """Paths and small files of one embedded server."""

    path: Path

    @classmethod
    def of(cls, settings: Settings) -> ServerFolder:
        """The folder that these settings mean."""
        return cls(Path(os.path.realpath(settings.data_dir)) / "postgres")

    @property
    def cluster(self) -> Path:
        """PostgreSQL's data directory, whether or not it is there yet."""
        try:
            return Path(self.read("location").strip()) / "cluster"
        except FileNotFoundError:
            return self.path / "cluster"

    @property
    def location_file(self) -> Path:
        """Says which folder has the cluster when this one has not."""
        return self.path / "location"

    @property
    def startup_log(self) -> Path:
        """What the programs said at the last start."""
        return self.path / "startup.log"

    @property
    def log_directory(self) -> Path:
        """The server's log files, one for each day of the week."""
        return self.cluster / "log"

    def check_owner(self) -> None:
        """As root, refuse a folder in which somebody else decides what our files are.

        Right is root's own, and that of the user whose cluster it has (`sudo` in a user's home).

        Raises
        ------
        EmbeddedServerError
            It is another user's, or others may write into it.
        """
        if os.geteuid() != 0 or not os.path.lexists(self.path):
            return
        # a link has an owner, too: who decides where it leads
        status, owners = self.path.stat(), {self.path.lstat().st_uid, self.path.stat().st_uid}
        trusted = {0}
        with contextlib.suppress(FileNotFoundError):
            trusted.add(self.cluster.stat().st_uid)
        if not owners <= trusted:
            stranger = f"its owner is the user {max(owners - trusted)}, who has no cluster there"
            remedy = "delete it if it is empty"
        elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            stranger = "users other than its owner may write into it"
            remedy = f"if nobody has: chmod go-w {self.path}"
        else:
            return
        raise EmbeddedServerError(
            f"root does not use {self.path}: {stranger}",
            folder=self.path,
            remedy=f"{remedy}, or set ETF_BACKTEST_DATA_DIR to a folder of root's",
        )

    def make(self, user: ServerUser) -> None:
        """Create the folder and those above it that are missing; none that exists is changed.

        They are closed to others, except that a `user` who is somebody else may pass through them
        where what is above them lets that user come so far.
        """
        missing = [path for path in (self.path, *self.path.parents) if not path.exists()]
        shared = bool(missing) and user.is_other and user.reaches(missing[-1].parent)
        for path in reversed(missing):
            _make_folder(path, 0o711 if shared else 0o700)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from changing the server meanwhile."""
        deadline = time.monotonic() + LOCK_SECONDS
        descriptor = _open_itself(self.path / "lock", os.O_RDWR | os.O_CREAT)
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise EmbeddedServerError(
                            f"another process has held {self.path / 'lock'} for "
                            f"{LOCK_SECONDS:.0f} seconds",
                            folder=self.path,
                            remedy="end the etf-backtest command that hangs",
                        ) from None
                    time.sleep(0.01)
            yield
        finally:
            os.close(descriptor)

    def password(self) -> str:
        """The password of the server's user."""
        try:
            return self.read("password").strip()
        except FileNotFoundError:
            raise EmbeddedServerError(
                f"the password file {self.path / 'password'} is gone",
                folder=self.path,
                remedy="put it back; without it the cluster beside it cannot be used",
            ) from None

    def new_password(self) -> str:
        """Generate, keep and give a password."""
        password = secrets.token_urlsafe(24)
        self.write("password", password)
        return password

    def last_port(self) -> int | None:
        """The port of the last start."""
        try:
            return int(self.read("port"))
        except (FileNotFoundError, ValueError):
            return None

    def new_startup_log(self) -> int:
        """A descriptor to which programs append; the last start's log is gone."""
        self.startup_log.unlink(missing_ok=True)
        anew = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        descriptor = _open_itself(self.startup_log, anew)
        self._give_to_owner(descriptor)
        return descriptor

    def read(self, name: str) -> str:
        """The text of one of the small files."""
        descriptor = _open_itself(self.path / name, os.O_RDONLY)
        with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
            return file.read()

    def _give_to_owner(self, descriptor: int) -> None:
        """What root has just made in a user's folder is that user's."""
        owner = self.path.stat()
        if os.geteuid() == 0 != owner.st_uid:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)

    def write(self, name: str, text: str) -> None:
        """Write one of the small files whole or not at all, readable by nobody else."""
        descriptor, draft = tempfile.mkstemp(prefix=f".{name}-", dir=self.path)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                self._give_to_owner(descriptor)
                file.write(f"{text}\n")
            Path(draft).rename(self.path / name)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise


def abandoned_clusters(system_directory: Path) -> list[Path]:
    """Clusters there whose server folder is gone, or points elsewhere: nobody finds them again."""
    return [
        origin.parent / "cluster"
        for origin in system_directory.glob("*/origin")
        if ServerFolder(Path(origin.read_text("utf-8").strip())).cluster.parent != origin.parent
    ]


def _open_itself(path: Path, flags: int) -> int:
    """Open a file of ours, and none that a link of this name leads to."""
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP and path.is_symlink():
            raise EmbeddedServerError(
                f"{path} is a symbolic link, expected a file",
                folder=path.parent,
                remedy="delete the link, and ask who put it there",
            ) from error
        raise


def _make_folder(path: Path, mode: int) -> None:
    """Create a folder that has its mode, whatever the umask, from the moment it is seen."""
    try:
        draft = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        error.filename = str(path)  # the name that means something to who reads the message
        raise
    draft.chmod(mode)
    try:
        draft.rename(path)
    except OSError as error:
        draft.rmdir()
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # another process was faster
            raise


def place_cluster(
    folder: ServerFolder,
    settings: Settings,
    user: ServerUser,
    system_directory: Path,
) -> Path:
    """Where the cluster is, or will be.

    That is the server's folder, unless root runs this and `user` cannot get there (a home directory
    is often closed). Then it is a folder of its own in `system_directory`, to which the server's
    folder points. A data directory that was asked for by name is not left like this: whoever
    chose it counts on the data being there.
    """
    if folder.location_file.exists():
        cluster = folder.cluster
        if not cluster.parent.is_dir():
            raise EmbeddedServerError(
                f"the folder of the database, {cluster.parent}, is gone",
                folder=folder.path,
                remedy=f"put it back, or delete {folder.location_file} to begin with an empty one",
            )
        return cluster
    if folder.cluster.exists() or user.reaches(folder.path):
        return folder.cluster
    if settings.data_dir != platformdirs.user_data_path(APP):
        raise EmbeddedServerError(
            f"root cannot run PostgreSQL as the user {user.name} in {settings.data_dir}: "
            "that user may not enter the folder, or one above it",
            folder=folder.path,
            remedy="set ETF_BACKTEST_DATA_DIR to a folder that others may enter, or leave it unset",
        )
    for path, mode in (
        (system_directory, 0o755),
        (home := system_directory / secrets.token_hex(8), 0o711),
    ):
        if not path.exists():
            _make_folder(path, mode)
    (home / "origin").write_text(f"{folder.path}\n", "utf-8")
    folder.write("location", str(home))
    return home / "cluster"
