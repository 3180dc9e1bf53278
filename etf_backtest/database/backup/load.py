"""Loading an archive into a database that has nothing in its place, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from etf_backtest.database.backup.archive import Archive, owners_in
from etf_backtest.database.backup.contents import Contents, read_contents
from etf_backtest.database.backup.manifest import Manifest
from etf_backtest.database.backup.migrations import applied_migrations
from etf_backtest.database.backup.processes import first_line
from etf_backtest.database.backup.script import Copy, CutOffError, DataScript
from etf_backtest.database.identifiers import Composed, quote_identifier, run_composed
from etf_backtest.errors import BackupFileError, RestoreError
from etf_backtest.errors.wording import joined, listed

if TYPE_CHECKING:
    import asyncpg

Narrate = Callable[[str], object]

# what pg_restore 17 and newer sets, and servers before 17 do not have
_TOO_NEW: Final = "SET transaction_timeout = 0;\n"
_SINCE: Final = 17
_OWNABLE: Final = """
SELECT r.name FROM unnest($1::text[]) r(name)
WHERE NOT EXISTS (SELECT FROM pg_roles p WHERE p.rolname = r.name
                  AND pg_has_role(current_user, p.oid, 'MEMBER'))
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is there now, not yet committed."""

    schemas: tuple[str, ...]
    contents: Contents
    migrations: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    """What is not as it was: owners, privileges, extensions."""


async def load(
    connection: asyncpg.Connection[asyncpg.Record],
    archive: Archive,
    schemas: Sequence[str],
    manifest: Manifest | None,
    narrate: Narrate,
) -> Loaded:
    """Load everything and compare it with the manifest; inside a transaction of the caller's.

    Raises
    ------
    RestoreError
        The server refuses a part, or what came out is not what was dumped.
    BackupFileError
        The archive ends in the middle.
    """
    import asyncpg

    try:
        # the archive names what it means in full, and functions look for nothing of others
        notes = await _extensions(connection, archive.schema, manifest)
        kept = await _tables(connection, archive, schemas, notes)
        await _rows(connection, archive, narrate)
        narrate("indexes, keys and triggers ...")
        await _run(connection, await archive.script("post-data", keep_owners=kept))
        await _privileges(connection, archive, notes)
        narrate("verifying ...")
        contents = await read_contents(connection, schemas)
        await _analyze(connection, contents)
        migrations = await applied_migrations(connection, archive.schema)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise RestoreError(first_line(error), remedy=_remedy(error)) from error
    if manifest is not None:
        _compare(contents, manifest)
    return Loaded(tuple(schemas), contents, tuple(migrations), tuple(notes))


def _remedy(error: Exception) -> str | None:
    import asyncpg

    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return (
            "a row got past this rule where it was dumped: etf-backtest db doctor finds it there; "
            "mend it, and back up again"
        )
    hint: str | None = getattr(error, "hint", None)
    return hint


async def _extensions(
    connection: asyncpg.Connection[asyncpg.Record], schema: str, manifest: Manifest | None
) -> list[str]:
    """Create those that were there, where the server has them; nothing of ours needs one."""
    import asyncpg

    home = quote_identifier(schema)
    there = "SELECT to_regnamespace(quote_ident($1)) IS NOT NULL"
    missing = []
    for name in manifest.extensions if manifest else ():
        if not await connection.fetchval(there, schema):
            await run_composed(connection, [Composed(f"CREATE SCHEMA {home}")])
        statement = Composed(
            f"CREATE EXTENSION IF NOT EXISTS {quote_identifier(name)} WITH SCHEMA {home}"
        )
        try:
            async with connection.transaction():
                await run_composed(connection, [statement])
        except (
            asyncpg.InsufficientPrivilegeError,
            asyncpg.UndefinedFileError,
            asyncpg.FeatureNotSupportedError,
            asyncpg.ObjectNotInPrerequisiteStateError,
        ):
            missing.append(name)
    return [f"extensions that cannot be had here: {', '.join(missing)}"] if missing else []


async def _tables(
    connection: asyncpg.Connection[asyncpg.Record],
    archive: Archive,
    schemas: Sequence[str],
    notes: list[str],
) -> bool:
    """Create the tables; say whether they belong to whom they belonged to."""
    present = [
        row[0]
        for row in await connection.fetch(
            "SELECT nspname FROM pg_namespace WHERE nspname = ANY($1)", list(schemas)
        )
    ]
    script = await archive.script("pre-data", present=present)
    foreign = [row[0] for row in await connection.fetch(_OWNABLE, sorted(owners_in(script)))]
    if foreign:
        user = await connection.fetchval("SELECT current_user::text")
        notes.append(f"everything belongs to {user}: no owner here is {', '.join(foreign)}")
        script = await archive.script("pre-data", present=present, keep_owners=False)
    await _run(connection, script)
    return not foreign


async def _rows(
    connection: asyncpg.Connection[asyncpg.Record], archive: Archive, narrate: Narrate
) -> None:
    try:
        async with archive.data() as script:
            async for step in script.steps():
                if isinstance(step, Copy):
                    await _copy(connection, script, step, narrate)
                else:
                    await _run(connection, step)
    except CutOffError:
        raise BackupFileError(
            archive.path, "ends in the middle", remedy="take another copy of the backup"
        ) from None


async def _copy(
    connection: asyncpg.Connection[asyncpg.Record],
    script: DataScript,
    step: Copy,
    narrate: Narrate,
) -> None:
    status = await connection.copy_to_table(
        step.table,
        schema_name=step.schema,
        columns=list(step.columns) or None,
        source=script.rows(),
        format="text",
        encoding="utf-8",
    )
    if (count := int(status.split()[-1])) > 0:
        narrate(f"{step.schema}.{step.table}: {count:,} rows")


async def _run(connection: asyncpg.Connection[asyncpg.Record], script: str) -> None:
    """Run statements of the archive, which is trusted as its rows are."""
    if connection.get_server_version().major < _SINCE:
        script = script.replace(_TOO_NEW, "", 1)
    if script.strip():  # asyncpg cannot run nothing
        await connection.execute(script)


async def _privileges(
    connection: asyncpg.Connection[asyncpg.Record], archive: Archive, notes: list[str]
) -> None:
    """Grant what was granted, to the roles that there are."""
    import asyncpg

    without: list[str] = []
    for statement in await archive.privileges():
        try:
            async with connection.transaction():
                await connection.execute(statement)
        except (asyncpg.UndefinedObjectError, asyncpg.InsufficientPrivilegeError) as error:
            without.append(first_line(error))
    if without:
        reasons = listed(list(dict.fromkeys(without)))
        notes.append(
            f"{len(without)} privileges are not as they were ({reasons}); see etf-backtest db grant"
        )


async def _analyze(connection: asyncpg.Connection[asyncpg.Record], contents: Contents) -> None:
    """Let the planner know the tables; autovacuum would get there later."""
    names = [name.partition(".") for name in contents.tables]
    await run_composed(
        connection,
        [
            Composed(f"ANALYZE {quote_identifier(schema)}.{quote_identifier(table)}")
            for schema, _, table in names
        ],
    )


def _compare(contents: Contents, manifest: Manifest) -> None:
    differences = contents.differences(manifest.contents)
    if differences:
        raise RestoreError(
            f"what came out is not what was dumped: {joined(differences)}",
            remedy="take another copy of the backup",
        )
