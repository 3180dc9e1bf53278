"""Backing up: pg_dump and the manifest's figures, of one and the same snapshot."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from etf_backtest.database.backup.contents import Contents, read_contents
from etf_backtest.database.backup.libpq import libpq_environment
from etf_backtest.database.backup.manifest import (
    AppliedMigration,
    FileFacts,
    Manifest,
    Versions,
    facts_of,
    sha256_of,
)
from etf_backtest.database.backup.migrations import applied_migrations
from etf_backtest.database.backup.processes import before, ended, first_line
from etf_backtest.database.backup.programs import Need, Program, choose_dump
from etf_backtest.database.direct import direct_connection
from etf_backtest.database.identifiers import quote_identifier
from etf_backtest.database.queue.names import home_schema, queue_schema
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import BackupError, BackupFileError, DatabaseUrlError
from etf_backtest.version import VERSION

if TYPE_CHECKING:
    import asyncpg

POLL_SECONDS: Final = 0.2

Progress = Callable[[int], object]
"""Called with the number of bytes written so far."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was written."""

    path: Path
    manifest_path: Path
    manifest: Manifest
    seconds: float


@dataclass(frozen=True, slots=True)
class _Snapshot:
    connection: asyncpg.Connection[asyncpg.Record]
    name: str
    taken: dt.datetime
    server: str
    major: int


async def back_up(
    url: DatabaseUrl,
    path: Path,
    *,
    overwrite: bool = False,
    progress: Progress = lambda _: None,
    program: Program | None = None,
) -> Backup:
    """Write all of our tables, and those of the queue, to one file with a manifest beside it.

    Everything is of one moment; nobody is kept from reading or writing meanwhile.

    Parameters
    ----------
    url : DatabaseUrl
        Of the server itself, not of a pooler.
    path : Path
        The archive, in pg_dump's custom format; `path` with `.json` added is its manifest. Both
        can be read by nobody else (0600), and have their names only when they are complete.
    overwrite : bool
        Take the place of a backup that is there.
    progress : callable
        Hears now and then how many bytes there are.
    program : Program, optional
        The pg_dump to run; by default the oldest that is not older than the server,
        and speaks TLS where the URL asks for it.

    Raises
    ------
    BackupFileError
        The file is there already, or cannot be written.
    PostgresProgramError
        No pg_dump is new enough for the server.
    BackupError
        The database cannot be dumped.
    DatabaseUrlError
        The URL leads to pgbouncer.
    """
    if url.pooled:
        raise DatabaseUrlError(
            "the URL",
            "its pgbouncer=true leads to a pooler, and pg_dump goes to the server itself",
            remedy="give DATABASE_URL the server's own host and port for this command, "
            "without pgbouncer=true",
        )
    began = time.monotonic()
    manifest_path = Manifest.path_of(path)
    _check_free(path, manifest_path, overwrite=overwrite)
    with _part_of(path) as part, _part_of(manifest_path) as manifest_part:
        async with _snapshot(url) as snapshot:
            if program is None:
                program = await asyncio.to_thread(choose_dump, snapshot.major, tls=_tls(url))
            schemas = await _schemas(snapshot.connection, url)
            migrations = await applied_migrations(snapshot.connection, schemas[0])
            arguments = _arguments(part, snapshot.name, schemas)
            contents = await _dump(url, program, arguments, part, snapshot, schemas, progress)
        sha256, size = await asyncio.to_thread(sha256_of, part)
        manifest = Manifest(
            created_at=snapshot.taken,
            database=url.database,
            schemas=schemas,
            versions=Versions(etf_backtest=VERSION, server=snapshot.server, pg_dump=str(program)),
            file=FileFacts(name=path.name, bytes=size, sha256=sha256),
            migrations=tuple(
                AppliedMigration(name=name, checksum=checksum) for name, checksum in migrations
            ),
            **facts_of(contents),
        )
        _place(part, path, manifest_part, manifest_path, manifest.to_json(), overwrite=overwrite)
    return Backup(path, manifest_path, manifest, time.monotonic() - began)


@asynccontextmanager
async def _snapshot(url: DatabaseUrl) -> AsyncIterator[_Snapshot]:
    """What pg_dump and we look at: as it was at one moment, whoever writes meanwhile."""
    import asyncpg

    settings = (*url.parameters, ("application_name", "etf-backtest db backup"))
    try:
        async with (
            direct_connection(replace(url, parameters=settings)) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            name, taken, server = await connection.fetchrow(  # type: ignore[misc]
                "SELECT pg_export_snapshot(), now(), current_setting('server_version')"
            )
            major = connection.get_server_version().major
            yield _Snapshot(connection, name, taken, server, major)
    except asyncpg.InterfaceError as error:
        # at the end of a transaction whose connection is gone; why it went was said before
        raise before(error) or BackupError("the connection to the server was lost") from error
    except asyncpg.PostgresError as error:
        raise BackupError(first_line(error)) from error


def _tls(url: DatabaseUrl) -> Need:
    mode, _ = url.tls()
    return "never" if mode == "disable" else "wanted" if mode == "prefer" else "needed"


async def _schemas(
    connection: asyncpg.Connection[asyncpg.Record], url: DatabaseUrl
) -> tuple[str, ...]:
    schema, queue = home_schema(url), queue_schema(url)
    if not await connection.fetchval(
        "SELECT to_regclass(format('%I.backtests', $1::text)) IS NOT NULL", schema
    ):
        raise BackupError(
            f"the database {url.database!r} has no tables of ours in the schema {schema!r}",
            remedy="name the database that has them; tables are created by: "
            "etf-backtest migrate deploy",
        )
    has_queue = await connection.fetchval(
        "SELECT to_regnamespace(quote_ident($1)) IS NOT NULL", queue
    )
    return (schema, queue) if has_queue else (schema,)


def _arguments(part: Path, snapshot: str, schemas: Sequence[str]) -> list[str]:
    return [
        "--format=custom",
        "--no-password",
        "--encoding=UTF8",
        "--strict-names",
        f"--file={part}",
        f"--snapshot={snapshot}",
        # in double quotes a pattern is a name
        *(f"--schema={quote_identifier(schema)}" for schema in schemas),
    ]


async def _dump(
    url: DatabaseUrl,
    program: Program,
    arguments: Sequence[str],
    part: Path,
    snapshot: _Snapshot,
    schemas: Sequence[str],
    progress: Progress,
) -> Contents:
    """Run pg_dump; sum the tables up meanwhile, in the same snapshot."""
    import asyncpg

    async def watch() -> None:
        while True:
            progress(_size(part))
            await asyncio.sleep(POLL_SECONDS)

    with libpq_environment(url) as environment:
        dumping = asyncio.create_task(ended(program.path, arguments, environment))
        watching = asyncio.create_task(watch())
        try:
            contents = await read_contents(snapshot.connection, schemas)
            said = await dumping
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise _failure(first_line(error)) from error
        finally:
            for task in (dumping, watching):
                task.cancel()
            await asyncio.gather(dumping, watching, return_exceptions=True)
    if said is not None:
        raise _failure(said)
    progress(_size(part))
    return contents


def _size(path: Path) -> int:
    return path.stat().st_size


def _failure(said: str) -> BackupError:
    if "permission denied" in said or "row-level security" in said:
        return BackupError(
            said,
            remedy="use a role that may read everything: the tables' owner, or a member of "
            "pg_read_all_data",
        )
    if "could not write" in said or "No space left" in said:
        return BackupError(said, remedy="make room or give another place; nothing of it is left")
    return BackupError(said)


def _check_free(path: Path, manifest: Path, *, overwrite: bool) -> None:
    for file in (path, manifest):
        if not os.path.lexists(file):
            continue
        if not overwrite:
            raise BackupFileError(
                file, "is there already", remedy="give another name, or say --overwrite"
            )
        if file.is_symlink() or not file.is_file():
            raise BackupFileError(file, "is there, and is no regular file")


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """A new file beside `path` that nobody else can read; gone at the end unless renamed."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield part
    finally:
        with suppress(OSError):
            part.unlink()


def _place(
    part: Path, path: Path, manifest_part: Path, manifest_path: Path, text: str, *, overwrite: bool
) -> None:
    """Give both files their names: whenever this ends early, no manifest is with another's file."""
    try:
        with manifest_part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _check_free(path, manifest_path, overwrite=overwrite)
        if overwrite:
            manifest_path.unlink(missing_ok=True)
        part.replace(path)
        manifest_part.replace(manifest_path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> BackupFileError:
    return BackupFileError(
        path,
        f"cannot be written: {error.strerror or error}",
        remedy="make room or give another place; nothing of it is left",
    )
