"""The migrations on disk beside those that the database says it has had.

`prisma migrate status` of the WASM engine is content with a migration that was edited after it was
applied, with one that is gone from the disk, and with one that was rolled back and never applied
again. Here they count.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from etf_backtest.database.url import DatabaseUrl

DEFAULT_SCHEMA: Final = "public"
"""Prisma's, where the URL names none."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `_prisma_migrations`: one attempt to apply a migration."""

    name: str
    checksum: str
    finished: bool
    rolled_back: bool


@dataclass(frozen=True, slots=True)
class History:
    """What becomes of the migrations, each list in order of name."""

    pending: tuple[str, ...]
    """On disk, never tried."""
    applied: tuple[str, ...]
    failed: tuple[str, ...]
    """Begun and not finished; nothing more is applied until that is resolved."""
    rolled_back: tuple[str, ...]
    """Resolved as rolled back, and not applied again since."""
    edited: tuple[str, ...]
    """Applied from a script that is not the one on disk."""
    missing: tuple[str, ...]
    """Applied, but not on disk."""

    @property
    def is_intact(self) -> bool:
        """Whether the database can go on from here by `migrate deploy`, if it has to at all."""
        return not (self.failed or self.edited or self.missing)


def compare(scripts: Mapping[str, bytes], attempts: Sequence[Attempt]) -> History:
    """Compare scripts by name with attempts in order of time."""
    by_name: defaultdict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_name[attempt.name].append(attempt)
    applied: dict[str, Attempt] = {}
    failed, rolled_back = [], []
    for name, tries in by_name.items():
        standing = [attempt for attempt in tries if not attempt.rolled_back]
        done = [attempt for attempt in standing if attempt.finished]
        if done:
            applied[name] = done[-1]
        elif standing:
            failed.append(name)
        elif name in scripts:
            rolled_back.append(name)
    return History(
        pending=tuple(sorted(scripts.keys() - by_name.keys())),
        applied=tuple(sorted(applied)),
        failed=tuple(sorted(failed)),
        rolled_back=tuple(sorted(rolled_back)),
        edited=tuple(
            name
            for name in sorted(applied.keys() & scripts.keys())
            if applied[name].checksum not in checksums(scripts[name])
        ),
        missing=tuple(sorted(applied.keys() - scripts.keys())),
    )


def checksums(script: bytes) -> frozenset[str]:
    """What Prisma may have noted for a script: git may change its line ends, which is no edit."""
    unix = script.replace(b"\r\n", b"\n")
    forms = (script, unix, unix.replace(b"\n", b"\r\n"))
    return frozenset(hashlib.sha256(form).hexdigest() for form in forms)


def read_scripts(migrations: Path) -> dict[str, bytes]:
    """The scripts on disk, by name."""
    return {
        script.parent.name: script.read_bytes()
        for script in sorted(migrations.glob("*/migration.sql"))
    }


async def read_attempts(url: str) -> list[Attempt]:
    """What the database says; nothing if no migration was ever tried."""
    database = DatabaseUrl.parse(url)
    connection = await asyncpg.connect(**database.asyncpg_arguments())
    try:
        table: str | None = await connection.fetchval(
            "SELECT to_regclass(format('%I._prisma_migrations', $1::text))::text",
            database.schema or DEFAULT_SCHEMA,
        )
        if table is None:
            return []
        columns = (
            "migration_name AS name, checksum, finished_at IS NOT NULL AS finished,"
            " rolled_back_at IS NOT NULL AS rolled_back"
        )
        # the server quoted the table's name
        rows = await connection.fetch(f"SELECT {columns} FROM {table} ORDER BY started_at")
    finally:
        await connection.close()
    return [Attempt(**dict(row)) for row in rows]


async def read_history(url: str, migrations: Path) -> History:
    """Compare the database with the scripts on disk."""
    return compare(read_scripts(migrations), await read_attempts(url))
