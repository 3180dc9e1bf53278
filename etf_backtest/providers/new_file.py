"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from etf_backtest.errors import PriceFileError


@contextmanager
def new_file(path: Path, *, overwrite: bool | None = None) -> Iterator[BinaryIO]:
    """A file to write, which gets its name once it is complete and on the disk.

    Only whoever writes it may read it (0600): what is exported may not be everybody's.

    Parameters
    ----------
    path : Path
    overwrite : bool, optional
        Take the place of a file that is there; None if nobody can ask for it.

    Raises
    ------
    PriceFileError
        It is there already, or the system does not take it; nothing of it is left then.
    """
    if os.path.lexists(path):
        if not overwrite:
            raise _there(path, overwrite)
        if not path.is_file():
            raise PriceFileError(path, "cannot be written: it is there, and is no regular file")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            part.replace(path)
        else:
            _rename_if_free(part, path, overwrite)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _rename_if_free(part: Path, path: Path, overwrite: bool | None) -> None:
    """A link is refused where the name is taken, which renaming is not."""
    try:
        os.link(part, path)
    except FileExistsError as error:
        raise _there(path, overwrite) from error
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise _there(path, overwrite) from None
        part.rename(path)


def _there(path: Path, overwrite: bool | None) -> PriceFileError:
    remove = "remove it first" if overwrite is None else "say --overwrite (overwrite=True)"
    return PriceFileError(path, "is there already", remedy=f"give another name, or {remove}")


def _unwritable(path: Path, error: OSError) -> PriceFileError:
    return PriceFileError(
        path,
        f"cannot be written: {error.strerror or error}",
        remedy="make room or give another place; nothing of it is left",
    )
