"""The key that signs tokens: of the settings, or of this machine's own."""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING, Final

from etf_backtest.errors import SigningKeyError
from etf_backtest.settings import private_folder

if TYPE_CHECKING:
    from pathlib import Path

    from etf_backtest.settings import Settings

FILE: Final = "secret_key"
LENGTH: Final = 64
"""Characters, all of them of 16 kinds: 256 random bits."""


def signing_key(settings: Settings) -> str:
    """The key of the settings; without one, that of a file in `data_dir`, made on first use.

    Raises
    ------
    SigningKeyError
        The file cannot be read or made, others may read it, or it has no key.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = settings.data_dir / FILE
    try:
        try:
            return _read(path)
        except FileNotFoundError:
            _make(path)
            return _read(path)
    except OSError as error:
        raise SigningKeyError(
            path,
            f"cannot be used: {error.strerror or type(error).__name__}",
            remedy="set ETF_BACKTEST_SECRET_KEY, or ETF_BACKTEST_DATA_DIR to a folder of yours",
        ) from None


def _read(path: Path) -> str:
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(number, encoding="ascii", errors="replace") as file:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise SigningKeyError(path, "is not a regular file", remedy="delete it")
        if status.st_mode & 0o077:
            raise SigningKeyError(
                path,
                "can be read or written by others",
                remedy="delete it, and a new one is made; tokens of the old one end with it",
            )
        key = file.read(2 * LENGTH)
    if len(key) != LENGTH:
        raise SigningKeyError(
            path, "is not one that we made", remedy="delete it, and a new one is made"
        )
    return key


def _make(path: Path) -> None:
    """Write a key whole, or find that another process has: a name is given to a finished file."""
    private_folder(path.parent)
    part = path.with_name(f".{FILE}.{secrets.token_hex(8)}")
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(LENGTH // 2))
            file.flush()
            os.fsync(number)
        try:
            os.link(part, path)
        except FileExistsError:
            return
    finally:
        part.unlink()
