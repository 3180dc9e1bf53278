"""Restoring: verified before anything is touched, verified again before anybody can see it."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from etf_backtest.database.backup.archive import Archive
from etf_backtest.database.backup.load import Loaded, Narrate, load
from etf_backtest.database.backup.manifest import Manifest, sha256_of
from etf_backtest.database.backup.processes import before, first_line
from etf_backtest.database.backup.programs import choose_restore
from etf_backtest.database.backup.twin import may_replace, take_place, twin_of
from etf_backtest.database.direct import direct_connection
from etf_backtest.database.prisma_cli.history import Attempt, History, compare, read_scripts
from etf_backtest.database.prisma_cli.project import Project
from etf_backtest.database.prisma_cli.rights import missing_right
from etf_backtest.database.queue.names import home_schema, queue_schema
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import (
    BackupFileError,
    DamagedBackupError,
    DatabaseUrlError,
    ManifestMissingError,
    NotEmptyError,
    ProjectNotFoundError,
    RestoreError,
)
from etf_backtest.errors.wording import listed

if TYPE_CHECKING:
    import asyncpg

_OURS_HERE: Final = """
SELECT count(*) FROM (
    SELECT c.oid, 'pg_class'::regclass AS catalog FROM pg_class c JOIN pg_namespace n
        ON n.oid = c.relnamespace WHERE n.nspname = ANY($1)
    UNION ALL
    SELECT p.oid, 'pg_proc'::regclass FROM pg_proc p JOIN pg_namespace n
        ON n.oid = p.pronamespace WHERE n.nspname = ANY($1)
    UNION ALL
    SELECT t.oid, 'pg_type'::regclass FROM pg_type t JOIN pg_namespace n
        ON n.oid = t.typnamespace WHERE n.nspname = ANY($1)
) o WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = o.catalog AND e.objid = o.oid
                      AND e.deptype = 'e')
"""
_OTHERS_HERE: Final = """
SELECT DISTINCT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname <> ALL($1) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
                  AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that was restored."""

    database: str
    tables: int
    rows: int
    verified: bool
    """Whether there was a manifest to compare with."""
    kept: str | None
    """What the database that was there before is called now."""
    ended_connections: int
    history: History | None
    """Its migrations beside those of this package; None where this package has none on disk."""
    notes: tuple[str, ...]
    seconds: float


async def restore(
    url: DatabaseUrl,
    path: Path,
    *,
    confirmed: bool = False,
    narrate: Narrate = lambda _: None,
) -> Restored:
    """Put a backup into an empty database, or in the place of one that is not.

    Everything is loaded in one transaction and compared with the manifest in it: tables, rows,
    checksums, constraints, triggers. Where something is there already, this happens in a new
    database beside it, which then takes its name; the old one is kept under another. Whatever
    fails, the database is as it was.

    Parameters
    ----------
    url : DatabaseUrl
        Where to; the database exists.
    path : Path
        The archive; its manifest is beside it.
    confirmed : bool
        Replace what is there, and do without a manifest.
    narrate : callable
        Hears what is going on, a line at a time.

    Raises
    ------
    BackupFileError, DamagedBackupError, ManifestMissingError
        The archive cannot be restored.
    NotEmptyError
        The database has something in it, and nobody confirmed, or it cannot be replaced.
    RestoreError
        The server refuses, or what comes out is not what was dumped.
    PostgresProgramError
        There is no pg_restore.
    DatabaseUrlError
        The URL leads to pgbouncer.
    """
    began = time.monotonic()
    if url.pooled:
        raise DatabaseUrlError(
            "the URL",
            "its pgbouncer=true leads to a pooler, and a restore goes to the server itself",
            remedy="give DATABASE_URL the server's own host and port for this command, "
            "without pgbouncer=true",
        )
    manifest, archive = await _examine(path, url, confirmed=confirmed, narrate=narrate)
    schemas = _schemas(archive, manifest, url)
    async with direct_connection(url) as connection:
        found = await connection.fetchval(_OURS_HERE, list(schemas))
        if found:
            await _check_replaceable(connection, url, schemas, confirmed=confirmed)
        else:
            loaded = await _load(connection, url, archive, schemas, manifest, narrate)
    kept, ended = None, 0
    if found:
        loaded, kept, ended = await _replace(url, archive, schemas, manifest, narrate)
    return Restored(
        database=url.database,
        tables=len(loaded.contents.tables),
        rows=sum(table.rows for table in loaded.contents.tables.values()),
        verified=manifest is not None,
        kept=kept,
        ended_connections=ended,
        history=_history(loaded.migrations),
        notes=loaded.notes,
        seconds=time.monotonic() - began,
    )


async def _examine(
    path: Path, url: DatabaseUrl, *, confirmed: bool, narrate: Narrate
) -> tuple[Manifest | None, Archive]:
    """Everything that can be said about an archive before a database is touched."""
    sha256, size = await asyncio.to_thread(sha256_of, path)
    manifest = Manifest.read(path)
    archive = None
    if manifest is None:
        archive = await Archive.open(path, await asyncio.to_thread(choose_restore))
        if not confirmed:
            raise ManifestMissingError(path, Manifest.path_of(path))
        narrate(f"{path} has no manifest: it is restored unverified")
    elif sha256 != manifest.file.sha256:
        raise DamagedBackupError(path, found=sha256, expected=manifest.file.sha256)
    else:
        made = f"{manifest.created_at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
        narrate(f"{path} ({size:,} bytes) is the file of its manifest, of {made}")
        _check_known(path, [(m.name, m.checksum) for m in manifest.migrations])
    archive = archive or await Archive.open(path, await asyncio.to_thread(choose_restore))
    wanted = home_schema(url)
    if archive.schema != wanted:
        raise BackupFileError(
            path,
            f"has its tables in the schema {archive.schema!r}, the URL says {wanted!r}",
            remedy=f"add ?schema={archive.schema} to the URL"
            if archive.schema != "public"
            else "take schema= out of the URL",
        )
    return manifest, archive


def _schemas(archive: Archive, manifest: Manifest | None, url: DatabaseUrl) -> tuple[str, ...]:
    if manifest is not None:
        return manifest.schemas
    queue = queue_schema(url)
    return (archive.schema, queue) if archive.creates(queue) else (archive.schema,)


async def _check_replaceable(
    connection: asyncpg.Connection[asyncpg.Record],
    url: DatabaseUrl,
    schemas: Sequence[str],
    *,
    confirmed: bool,
) -> None:
    what = f"there are tables in {schemas[0]!r}"
    if not confirmed:
        raise NotEmptyError(url.database, what)
    others = [row[0] for row in await connection.fetch(_OTHERS_HERE, list(schemas))]
    if others:
        raise NotEmptyError(
            url.database,
            f"it also has the schemas {listed(others)}, which are not in the backup",
            remedy="restore it into another database: name one that is not there in DATABASE_URL",
        )
    if not await may_replace(connection, url.database):
        raise NotEmptyError(
            url.database,
            f"{what}, and {url.user!r} may not replace it (it needs CREATEDB and to own it)",
            remedy="restore into an empty database, or let its owner do this",
        )


async def _replace(
    url: DatabaseUrl,
    archive: Archive,
    schemas: Sequence[str],
    manifest: Manifest | None,
    narrate: Narrate,
) -> tuple[Loaded, str, int]:
    import asyncpg

    try:
        async with twin_of(url) as twin:
            narrate(f"restoring into {twin.database!r} first")
            async with direct_connection(twin) as connection:
                loaded = await _load(connection, twin, archive, schemas, manifest, narrate)
            kept, ended = await take_place(url, twin, now=dt.datetime.now(dt.UTC))
    except asyncpg.PostgresError as error:
        raise RestoreError(first_line(error)) from error
    return loaded, kept, ended


async def _load(
    connection: asyncpg.Connection[asyncpg.Record],
    url: DatabaseUrl,
    archive: Archive,
    schemas: Sequence[str],
    manifest: Manifest | None,
    narrate: Narrate,
) -> Loaded:
    import asyncpg

    try:
        async with connection.transaction():
            loaded = await load(connection, archive, schemas, manifest, narrate)
            _check_known(archive.path, loaded.migrations)
    except RestoreError as error:
        if isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError):
            error.remedy = missing_right(str(error.__cause__), url.render())
        raise
    except asyncpg.InterfaceError as error:
        # at the end of a transaction whose connection is gone; why it went was said before
        raise before(error) or RestoreError("the connection to the server was lost") from error
    except (asyncpg.PostgresError, OSError) as error:  # at the commit
        raise RestoreError(first_line(error)) from error
    return loaded


def _check_known(path: Path, migrations: Sequence[tuple[str, str]]) -> None:
    history = _history(migrations)
    if history is not None and history.missing:
        raise BackupFileError(
            path,
            "is of a newer etf_backtest than this one, which does not know its migrations "
            f"{listed(history.missing)}",
            remedy="update etf_backtest first; nothing was restored",
        )


def _history(migrations: Sequence[tuple[str, str]]) -> History | None:
    try:
        scripts = read_scripts(Project.find().migrations)
    except ProjectNotFoundError:
        return None
    attempts = [Attempt(name, checksum, True, False) for name, checksum in migrations]
    return compare(scripts, attempts)
