"""Who runs the server: PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

from etf_backtest.errors import EmbeddedServerError

CANDIDATES: Final = ("postgres", "nobody")
"""Users that root hands the server to, in order of preference; none is ever created."""


class ProcessArguments(TypedDict, total=False):
    """Keyword arguments of `subprocess.run` that change the user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The user of the server's processes and files."""

    name: str
    uid: int
    gid: int
    is_other: bool
    """Whether it is somebody else than who runs this process."""

    @classmethod
    def choose(cls, cluster: Path) -> ServerUser:
        """Ourselves; as root the owner of the cluster, or for a new one an unprivileged user."""
        uid = os.geteuid()
        if uid != 0:
            return cls(f"user {uid}", uid, os.getegid(), is_other=False)
        if cluster.exists():
            owner = cluster.stat()
            if owner.st_uid != 0:
                return cls(f"user {owner.st_uid}", owner.st_uid, owner.st_gid, is_other=True)
        for name in CANDIDATES:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(name, entry.pw_uid, entry.pw_gid, is_other=True)
        raise EmbeddedServerError(
            "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as",
            remedy="use another user, or set DATABASE_URL to a server of your own",
        )

    def process_arguments(self) -> ProcessArguments:
        """What makes a subprocess run as this user."""
        if not self.is_other:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, path: Path) -> None:
        """Make this user the owner of a file or folder that we made for them."""
        if not self.is_other:
            return
        try:
            os.chown(path, self.uid, self.gid)
        except PermissionError as error:  # root of a container that has no such rights
            raise EmbeddedServerError(
                f"PostgreSQL does not run as root, and root may not act for {self.name} here",
                remedy="use another user, or set DATABASE_URL to a server of your own",
            ) from error

    def reaches(self, path: Path) -> bool:
        """Whether this user may enter `path` and every folder above it."""
        if not self.is_other:
            return True
        path = path.resolve()
        return all(self._may_enter(folder) for folder in (path, *path.parents))

    def _may_enter(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)
