"""What the server wrote since a moment: the reason why it does not start is there."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from etf_backtest.database.postgres.server_folder import ServerFolder

# not what clients are told that come too early or too late
_REASON: Final = re.compile(
    r"\b(?:FATAL|PANIC|ERROR|error|fatal): ++(?!the database system is )(.*)"
)
_DISK_FULL: Final = "No space left on device"
_AFTER_LEVEL: Final = re.compile(r"(?:.*?\b(?:LOG|WARNING|ERROR|FATAL|PANIC|error): +)?(.*)")
_TAIL: Final = 30
COLLECTOR_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class LogMark:
    """How long each log file was."""

    folder: ServerFolder
    sizes: dict[Path, int]

    @classmethod
    def set(cls, folder: ServerFolder) -> LogMark:
        """Remember where the logs end now; the startup log begins anew."""
        return cls(folder, {path: path.stat().st_size for path in _files(folder)})

    def since_with_reason(self) -> str:
        """The last lines after the mark, once they say why the server has ended.

        The log collector is a process of its own and writes a little later.
        """
        deadline = time.monotonic() + COLLECTOR_SECONDS
        while not _REASON.search(text := self.since()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return text

    def since(self) -> str:
        """The last lines that were written after the mark."""
        text = ""
        for path in _files(self.folder):
            with path.open("rb") as file:
                mark = self.sizes.get(path, 0)
                file.seek(mark if mark <= path.stat().st_size else 0)  # emptied on its day
                text += file.read().decode("utf-8", "replace")
        with contextlib.suppress(FileNotFoundError):
            text = self.folder.read(self.folder.startup_log.name) + text
        return "\n".join(text.splitlines()[-_TAIL:])


def reason(log: str) -> str:
    """The line that says why: a full disk above all, else the first error, whose sequel is more."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for line in lines:
        if _DISK_FULL in line and (match := _AFTER_LEVEL.fullmatch(line)):
            return match[1]
    for match in filter(None, map(_REASON.search, lines)):
        return match[1]
    return lines[-1] if lines else "it said nothing"


def _files(folder: ServerFolder) -> list[Path]:
    return sorted(folder.log_directory.glob("*.log"))
