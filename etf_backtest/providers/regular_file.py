"""A file that is read once, from its beginning to its end, and does not change meanwhile."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from etf_backtest.errors import PriceFileError


class RegularFile:
    """An open file of the disk; every error of the system is one that names it.

    Pipes, devices and sockets are refused without waiting for them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        """Open it.

        Raises
        ------
        PriceFileError
            It is not there, is no regular file, or may not be read.
        """
        try:
            number = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise self._unreadable(error) from error
        self.file = os.fdopen(number, "rb", buffering=0)
        self._state = os.fstat(number)
        if not stat.S_ISREG(self._state.st_mode):
            self.file.close()
            is_folder = stat.S_ISDIR(self._state.st_mode)
            what = "is a folder" if is_folder else "is not a regular file"
            raise PriceFileError(self.path, f"cannot be read: {what}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()

    @property
    def size(self) -> int:
        """Its bytes when it was opened."""
        return self._state.st_size

    def read(self, size: int) -> bytes:
        """The next bytes, `size` of them except at the end.

        Raises
        ------
        PriceFileError
            The system does not give them.
        """
        parts = []
        try:
            while size > 0 and (part := self.file.read(size)):
                parts.append(part)
                size -= len(part)
        except OSError as error:
            raise self._unreadable(error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def start(self, size: int) -> bytes:
        """The first bytes, to be read again afterwards."""
        try:
            return os.pread(self.file.fileno(), size, 0)
        except OSError as error:
            raise self._unreadable(error) from error

    def check_unchanged(self) -> None:
        """Demand that it is still the file that was opened.

        Raises
        ------
        PriceFileError
            It was written to, replaced or removed.
        """
        before, now = self._state, os.fstat(self.file.fileno())
        changed = (before.st_size, before.st_mtime_ns) != (now.st_size, now.st_mtime_ns)
        try:
            named = self.path.stat()
        except OSError:
            changed = True
        else:
            changed |= (named.st_dev, named.st_ino) != (before.st_dev, before.st_ino)
        if changed:
            raise PriceFileError(
                self.path,
                "was changed while it was read",
                remedy="wait until it is written, and import it again",
            )

    def _unreadable(self, error: OSError) -> PriceFileError:
        return PriceFileError(self.path, f"cannot be read: {error.strerror or error}")
