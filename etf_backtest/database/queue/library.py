"""What the installed library of the queue brings along: its tables and its migrations.

The files are read where they lie; the library itself, which is slow to import, is not.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from etf_backtest.errors import QueueLibraryMissingError

EXTRA: Final = "pip install 'etf-backtest[worker]'"
_LIBRARY: Final = "procrastinate"
_DRIVER: Final = "psycopg"


@dataclass(frozen=True, slots=True)
class QueueLibrary:
    """The library's SQL."""

    version: str
    schema: str
    """What makes the newest tables out of nothing."""
    migrations: Mapping[str, str]
    """Scripts by name, in the order in which they are applied."""


def installed_library() -> QueueLibrary | None:
    """The library of this machine, or None where the extra `worker` is not installed."""
    spec = importlib.util.find_spec(_LIBRARY)
    if spec is None or spec.origin is None or importlib.util.find_spec(_DRIVER) is None:
        return None
    folder = Path(spec.origin).parent / "sql"
    scripts = {script.name: script for script in (folder / "migrations").glob("*.sql")}
    return QueueLibrary(
        version=metadata.version(_LIBRARY),
        schema=(folder / "schema.sql").read_text(encoding="utf-8"),
        migrations={
            name: scripts[name].read_text(encoding="utf-8")
            for name in sorted(scripts, key=migration_order)
        },
    )


def required_library() -> QueueLibrary:
    """As `installed_library`.

    Raises
    ------
    QueueLibraryMissingError
        The extra `worker` is not installed.
    """
    library = installed_library()
    if library is None:
        raise QueueLibraryMissingError
    return library


def migration_order(name: str) -> tuple[tuple[int, ...], str]:
    """What migrations are sorted by: the version in numbers, then the place within it.

    `03.02.00_01_pre_batch_defer_jobs.sql` is of version 3.2.0, and before its `03.02.00_50_post`.
    """
    version, _, rest = name.partition("_")
    return tuple(int(part) for part in re.findall(r"\d+", version)), rest


def checksum(script: str) -> bytes:
    """What is noted of a script that was applied."""
    return hashlib.sha256(script.encode()).digest()
