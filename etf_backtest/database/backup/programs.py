"""Which pg_dump and pg_restore are run: the system's or those of the wheel, by their version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from etf_backtest.database.postgres.installation import Installation
from etf_backtest.errors import EmbeddedServerError, PostgresProgramError

Name = Literal["pg_dump", "pg_restore"]
Need = Literal["never", "wanted", "needed"]
SYSTEM_FOLDERS: Final = Path("/usr/lib/postgresql")
"""Where Debian keeps each major version."""
_VERSION: Final = re.compile(r"\(PostgreSQL\) (?P<major>\d+)(?P<rest>(?:\.\d+)*)")


@dataclass(frozen=True, slots=True)
class Program:
    """One program, and its version such as (18, 4)."""

    path: Path
    version: tuple[int, ...]
    speaks_tls: bool = True
    """The wheel's is built without."""

    @property
    def major(self) -> int:
        """Such as 18."""
        return self.version[0]

    def __str__(self) -> str:
        return ".".join(map(str, self.version))


def choose_dump(
    server: int, *, tls: Need = "never", programs: Iterable[Program] | None = None
) -> Program:
    """The pg_dump for a server: of its own major version, else of the next newer one.

    An archive can be read by pg_restore of that version and newer, so the oldest that may be used
    is used.

    Parameters
    ----------
    server : int
        The server's major version.
    tls : {"never", "wanted", "needed"}
        Whether the connection has to be encrypted, or is to be where that is possible.
    programs : iterable of Program, optional
        Defaults to all that are installed.

    Raises
    ------
    PostgresProgramError
        All are older than the server, or none of the others speaks TLS.
    """
    found = list(installed("pg_dump") if programs is None else programs)
    fitting = [program for program in found if program.major >= server]
    encrypting = [program for program in fitting if program.speaks_tls]
    if tls == "needed" or (tls == "wanted" and encrypting):
        if fitting and not encrypting:
            raise PostgresProgramError(
                "pg_dump", needed=server, found=f"{_newest(fitting)} without TLS"
            )
        fitting = encrypting
    if not fitting:
        raise PostgresProgramError("pg_dump", needed=server, found=_newest(found))
    return min(fitting, key=lambda program: (program.major, *(-part for part in program.version)))


def choose_restore(programs: Iterable[Program] | None = None) -> Program:
    """The newest pg_restore, which reads the archives of all before it.

    Raises
    ------
    PostgresProgramError
        There is none.
    """
    found = list(installed("pg_restore") if programs is None else programs)
    if not found:
        raise PostgresProgramError("pg_restore", needed=15, found=None)
    return max(found, key=lambda program: program.version)


def installed(name: Name) -> tuple[Program, ...]:
    """Every one that there is: on PATH, the system's by version, the wheel's."""
    return tuple(filter(None, map(_program, dict.fromkeys(_paths(name)))))


def _newest(programs: list[Program]) -> str | None:
    return str(max(programs, key=lambda program: program.version)) if programs else None


def _paths(name: Name) -> Iterator[Path]:
    if on_path := shutil.which(name):
        yield Path(on_path)
    yield from sorted(SYSTEM_FOLDERS.glob(f"*/bin/{name}"))
    if (wheel := _wheel()) is not None:
        yield wheel.program(name)


def _wheel() -> Installation | None:
    try:
        return Installation.find()
    except EmbeddedServerError:
        return None  # installed without it


@cache
def _program(path: Path) -> Program | None:
    """The program at a path; None where it does not run."""
    if not os.access(path, os.X_OK):
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - found above
            [path, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = _VERSION.search(answer.stdout)
    if answer.returncode != 0 or version is None:
        return None
    parts = filter(None, (version["major"] + version["rest"]).split("."))
    wheel = _wheel()
    is_wheels = wheel is not None and wheel.root in path.parents
    return Program(path, tuple(map(int, parts)), speaks_tls=not is_wheels)
