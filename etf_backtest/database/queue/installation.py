"""Put the queue into a database, bring it up to date, and take it out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from etf_backtest.database.direct import direct_connection
from etf_backtest.database.queue.library import QueueLibrary, checksum, required_library
from etf_backtest.database.queue.names import home_schema, queue_schema
from etf_backtest.database.queue.state import FUNCTIONS, compare, read_notes, read_script
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import QueueNewerError, QueueRightError, QueueSchemaError

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

_QUOTE: Final = "$etf_backtest$"
"""What stands around the bodies of our functions."""


@dataclass(frozen=True, slots=True)
class InstallationReport:
    """What `install_queue` did."""

    schema: str
    library_version: str
    is_new: bool
    """Whether there was none before."""
    applied: tuple[str, ...]
    """What was applied to one that was there: the library's migrations, our functions."""
    deferred: int
    """Pending backtests that got a job because they had none."""


async def install_queue(url: DatabaseUrl) -> InstallationReport:
    """Install the queue or bring it up to date, in one transaction; then queue what waits.

    Parameters
    ----------
    url : DatabaseUrl
        Of a database with our tables. Pgbouncer may stand between.

    Raises
    ------
    QueueLibraryMissingError
        The extra `worker` is not installed.
    QueueNewerError
        A newer library than this machine's was there; nothing is changed.
    QueueRightError
        The role may not create the schema, or what is in it is another's.
    QueueSchemaError
        The schema holds something that is not this queue.
    """
    library = required_library()
    schema, home = queue_schema(url), home_schema(url)
    async with _alone(url, schema) as connection:
        noted = await _enter_schema(connection, schema, home)
        if noted is None:
            await _create(connection, schema, home, library)
            applied: tuple[str, ...] = ()
        else:
            applied = await _update(connection, schema, noted, library)
        if noted is None or applied:
            await _make_functions(connection, schema, home)
    # what was inserted while this was not committed yet told nobody
    async with direct_connection(url) as connection:
        deferred = await defer_waiting(connection, url)
    return InstallationReport(schema, library.version, noted is None, applied, deferred)


async def remove_queue(url: DatabaseUrl) -> bool:
    """Drop the queue's schema with all in it; return whether there was one.

    Raises
    ------
    QueueRightError
        It is another role's.
    """
    schema = queue_schema(url)
    async with _alone(url, schema) as connection:
        if await read_notes(connection, schema) is None:
            return False
        await _run_with_names(connection, "DROP SCHEMA %1$I CASCADE", schema)
    return True


async def defer_waiting(connection: Connection, url: DatabaseUrl) -> int:
    """Queue the pending backtests that have no job; return how many."""
    call: str = await connection.fetchval(
        "SELECT format('SELECT %I.defer_waiting()', $1::text)", queue_schema(url)
    )
    deferred: int = await connection.fetchval(call)
    return deferred


@asynccontextmanager
async def _alone(url: DatabaseUrl, schema: str) -> AsyncIterator[Connection]:
    """A transaction that only one at a time gets, with what is denied in it put into words."""
    import asyncpg

    # by the driver's default another isolation may hold, in which the second would not see
    # what the first has done
    async with direct_connection(url) as connection:
        try:
            async with connection.transaction(isolation="read_committed"):
                await connection.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
                    f"etf_backtest queue {schema}",
                )
                yield connection
        except asyncpg.InsufficientPrivilegeError as error:
            raise await _missing_right(connection, url, schema, error) from None


async def _missing_right(
    connection: Connection, url: DatabaseUrl, schema: str, error: asyncpg.PostgresError
) -> QueueRightError:
    exists = await connection.fetchval("SELECT to_regnamespace(quote_ident($1)) IS NULL", schema)
    grant = "GRANT CREATE ON DATABASE %1$I TO %3$I"
    if exists:
        grant = "ALTER SCHEMA %2$I OWNER TO %3$I"
    statement: str = await connection.fetchval(
        "SELECT format($1, $2::text, $3::text, $4::text)", grant, url.database, schema, url.user
    )
    remedy = f"let the database's owner run: {statement}; then: etf-backtest migrate deploy"
    return QueueRightError(schema, str(error), remedy=remedy)


async def _enter_schema(connection: Connection, schema: str, home: str) -> dict[str, bytes] | None:
    """Create the schema if need be, and go there; return what is noted in it."""
    row = await connection.fetchrow(
        "SELECT obj_description(oid, 'pg_namespace') AS comment FROM pg_namespace"
        " WHERE nspname = $1",
        schema,
    )
    if row is None:
        # not IF NOT EXISTS, which asks for the right to create even where there is nothing to do
        await _run_with_names(connection, "CREATE SCHEMA %1$I", schema)
    noted = await read_notes(connection, schema)
    if row is not None and noted is not None and row["comment"] != _comment(home):
        raise QueueSchemaError(
            schema,
            f"holds another queue ({row['comment']})",
            remedy="keep the tables in a schema with another name",
        )
    await connection.execute("SELECT set_config('search_path', quote_ident($1), true)", schema)
    return noted


def _comment(home: str) -> str:
    return f"The queue of the backtests in {home} (etf-backtest migrate deploy)"


async def _create(connection: Connection, schema: str, home: str, library: QueueLibrary) -> None:
    if await connection.fetchval("SELECT to_regclass('procrastinate_jobs') IS NOT NULL"):
        raise QueueSchemaError(
            schema,
            "has tables of procrastinate that somebody else installed",
            remedy="drop or rename the schema, then: etf-backtest migrate deploy",
        )
    await connection.execute(library.schema)
    await connection.execute(read_script("installed_migrations.sql"))
    await _note(connection, library.migrations)
    await _run_with_names(connection, "COMMENT ON SCHEMA %1$I IS %2$L", schema, _comment(home))


async def _update(
    connection: Connection, schema: str, noted: dict[str, bytes], library: QueueLibrary
) -> tuple[str, ...]:
    """Apply what is pending of the library's; return what is, our functions among it."""
    state = compare(schema, noted, library)
    if state.is_newer:
        raise QueueNewerError(schema, library.version, state.unknown)
    scripts = {
        name: library.migrations[name] for name in state.pending if name in library.migrations
    }
    for script in scripts.values():
        await connection.execute(script)
    await _note(connection, scripts)
    return state.pending


async def _make_functions(connection: Connection, schema: str, home: str) -> None:
    script = read_script("functions.sql")
    if _QUOTE in f"{schema}{home}":
        raise QueueSchemaError(schema, f"has {_QUOTE} in its name", remedy="choose another name")
    await _run_with_names(connection, script, schema, home)
    await _note(connection, {FUNCTIONS: script})


async def _run_with_names(connection: Connection, script: str, *names: str) -> None:
    """Run a script of ours into which the server puts names, quoted where they need to be."""
    statements: str = await connection.fetchval(
        "SELECT format($1, VARIADIC $2::text[])", script, list(names)
    )
    await connection.execute(statements)


async def _note(connection: Connection, scripts: Mapping[str, str]) -> None:
    """Note scripts as applied."""
    await connection.executemany(
        "INSERT INTO installed_migrations (name, checksum) VALUES ($1, $2)"
        " ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum,"
        " applied_at = clock_timestamp()",
        [(name, checksum(script)) for name, script in scripts.items()],
    )
