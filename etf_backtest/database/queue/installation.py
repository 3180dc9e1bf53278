"""Put the queue into a database, bring it up to date, and take it out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
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

_QUOTES: Final = ("$etf_backtest$", "$statement$")
"""What stands around the bodies of our functions, and statements in them."""


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
    """Install the queue or bring it up to date; then queue what waits.

    It is done in one transaction, unless the library's migrations need more, which then are a
    transaction each; two at once do it once.

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
    import asyncpg

    library = required_library()
    steps: tuple[str, ...] = ()
    try:
        is_new, applied = await _install(url, library)
    except asyncpg.UnsafeNewEnumValueUsageError:
        # one migration uses what another adds to an enum: PostgreSQL wants a commit in between
        steps = await _apply_one_by_one(url, library)
        is_new, applied = await _install(url, library)
    # what was inserted while this was not committed yet told nobody
    async with direct_connection(url) as connection:
        deferred = await defer_waiting(connection, url)
    return InstallationReport(
        queue_schema(url), library.version, is_new, (*steps, *applied), deferred
    )


async def _install(url: DatabaseUrl, library: QueueLibrary) -> tuple[bool, tuple[str, ...]]:
    """Whether there was none, and what was applied to one that was there."""
    schema, home = queue_schema(url), home_schema(url)
    async with _alone(url, schema) as connection:
        noted = await _enter_schema(connection, schema, home)
        if noted is None:
            await _create(connection, schema, home, library)
            pending: tuple[str, ...] = ()
        else:
            pending = _pending(schema, noted, library)
            await _apply(connection, library, pending)
        if noted is None or pending:
            await _make_functions(connection, schema, home)
    return noted is None, pending


async def _apply_one_by_one(url: DatabaseUrl, library: QueueLibrary) -> tuple[str, ...]:
    """Apply what is pending of the library's, a transaction each; what is done stays done."""
    schema, home = queue_schema(url), home_schema(url)
    done: list[str] = []
    while True:
        async with _alone(url, schema) as connection:
            noted = await _enter_schema(connection, schema, home) or {}
            left = [name for name in library.migrations if name not in noted]
            await _apply(connection, library, left[:1])
            done += left[:1]
        if len(left) <= 1:
            return tuple(done)


async def remove_queue(url: DatabaseUrl) -> bool:
    """Drop the queue's schema with all in it; return whether there was one.

    Raises
    ------
    QueueRightError
        It is another role's.
    QueueSchemaError
        It is the queue of other tables.
    """
    schema = queue_schema(url)
    async with _alone(url, schema) as connection:
        if await _own_notes(connection, schema, home_schema(url)) is None:
            return False
        await _run_with_names(connection, "DROP SCHEMA %1$I CASCADE", schema)
    return True


async def defer_waiting(connection: Connection, url: DatabaseUrl) -> int:
    """Queue the pending backtests that have no job; return how many.

    A role that may not do that does nothing: whoever installed the queue and every worker may.
    """
    call: str | None = await connection.fetchval(
        "SELECT CASE WHEN has_function_privilege(format('%I.defer_waiting()', $1::text), 'EXECUTE')"
        " THEN format('SELECT %I.defer_waiting()', $1::text) END",
        queue_schema(url),
    )
    if call is None:
        return 0
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
    owner: str | None = await connection.fetchval(
        "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = $1", schema
    )
    if owner is not None:
        remedy = f"the schema is another role's; let that one deploy: {owner}"
        return QueueRightError(schema, str(error), remedy=remedy)
    grant: str = await connection.fetchval(
        "SELECT format('GRANT CREATE ON DATABASE %I TO %I', $1::text, $2::text)",
        url.database,
        url.user,
    )
    remedy = f"let the database's owner run: {grant}; then: etf-backtest migrate deploy"
    return QueueRightError(schema, str(error), remedy=remedy)


async def _enter_schema(connection: Connection, schema: str, home: str) -> dict[str, bytes] | None:
    """Create the schema if need be, and go there; return what is noted in it."""
    if not await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", schema
    ):
        # not IF NOT EXISTS, which asks for the right to create even where there is nothing to do
        await _run_with_names(connection, "CREATE SCHEMA %1$I", schema)
    noted = await _own_notes(connection, schema, home)
    await connection.execute("SELECT set_config('search_path', quote_ident($1), true)", schema)
    return noted


async def _own_notes(connection: Connection, schema: str, home: str) -> dict[str, bytes] | None:
    """As `read_notes`, of the queue of these tables and no others."""
    noted = await read_notes(connection, schema)
    comment: str = await connection.fetchval(
        "SELECT obj_description(to_regnamespace(quote_ident($1)), 'pg_namespace')", schema
    )
    if noted is not None and comment != _comment(home):
        raise QueueSchemaError(
            schema,
            f"holds another queue ({comment})",
            remedy="keep the tables in a schema with another name",
        )
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


def _pending(schema: str, noted: dict[str, bytes], library: QueueLibrary) -> tuple[str, ...]:
    state = compare(schema, noted, library)
    if state.is_newer:
        raise QueueNewerError(schema, library.version, state.unknown)
    return state.pending


async def _apply(connection: Connection, library: QueueLibrary, names: Sequence[str]) -> None:
    """Apply those of the names that are the library's migrations, and note them."""
    scripts = {name: library.migrations[name] for name in names if name in library.migrations}
    for script in scripts.values():
        await connection.execute(script)
    await _note(connection, scripts)


async def _make_functions(connection: Connection, schema: str, home: str) -> None:
    owner: str | None = await connection.fetchval(
        "SELECT pg_get_userbyid(relowner) FROM pg_class"
        " WHERE oid = to_regclass(format('%I.backtests', $1::text))"
        " AND NOT pg_has_role(current_user, relowner, 'MEMBER')",
        home,
    )
    if owner is not None:
        # its triggers would call nothing of this role's
        raise QueueRightError(
            schema,
            f"the tables are another role's: {owner}",
            remedy="let that one deploy: etf-backtest migrate deploy",
        )
    script = read_script("functions.sql")
    for quote in _QUOTES:
        if quote in schema or quote in home:
            raise QueueSchemaError(schema, f"has {quote} in its name", remedy="choose another name")
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
