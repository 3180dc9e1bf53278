"""The server's process, as its pid file and the kernel describe it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

PostmasterState = Literal["starting", "ready", "stopping", "standby"]


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A server process that runs."""

    pid: int
    port: int
    started: int
    """Seconds since 1970."""
    state: PostmasterState

    @classmethod
    def find(cls, cluster: Path) -> Postmaster | None:
        """The server that runs on `cluster`, or None.

        After a crash the pid file is still there, and its process id may be somebody else's: the
        process has to be a server that was started on that cluster.
        """
        try:
            lines = (cluster / "postmaster.pid").read_text("utf-8").splitlines()
            pid = abs(int(lines[0]))
            started, port = int(lines[2]), int(lines[3])
        except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
            return None
        if not (is_alive(pid) and os.fsencode(lines[1]) in _command_line(pid)):
            return None
        # the line is written last: until then the server is starting
        state = lines[7].strip() if len(lines) > 7 else "starting"
        return cls(pid, port, started, cast("PostmasterState", state))


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        # after the name, which is in parentheses and may contain anything
        state = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state[0] not in {"Z", "X"}


def _command_line(pid: int) -> list[bytes]:
    # readable by everybody, unlike the process's working directory
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
