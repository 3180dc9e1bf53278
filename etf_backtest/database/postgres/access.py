"""The database that the settings mean: found or started, and created where it is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from etf_backtest.database.identifiers import Composed, quote_identifier, run_composed
from etf_backtest.database.postgres.server import start
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import DatabaseConnectionError, DatabaseMissingError
from etf_backtest.settings import Settings

if TYPE_CHECKING:
    import asyncpg

CONNECT_SECONDS: Final = 10.0
MAINTENANCE_DATABASES: Final = ("postgres", "template1")


def resolve_url(settings: Settings) -> DatabaseUrl:
    """The database's URL, without connecting to it; the embedded server is started if need be.

    Raises
    ------
    DatabaseUrlError
        DATABASE_URL cannot be read.
    EmbeddedServerError
        The embedded server does not start.
    """
    if settings.database_url is None:
        return start(settings).url
    source = "DATABASE_URL"
    if settings.database_url_source == ".env":
        source += " (from .env)"
    return DatabaseUrl.parse(settings.database_url.get_secret_value(), source=source)


async def ensure_database(
    settings: Settings, *, tell: Callable[[str], None] | None = None
) -> DatabaseUrl:
    """The URL of a database that is there and lets us in; a missing one is created.

    With DATABASE_URL set nothing but `CREATE DATABASE` is ever done to that server, and only when
    the named database is missing; then `tell` hears of it.

    Raises
    ------
    DatabaseUrlError
        DATABASE_URL cannot be read.
    DatabaseConnectionError
        The server is not there, or refuses us.
    DatabaseMissingError
        The database is missing and may not be created.
    EmbeddedServerError
        The embedded server does not start.
    """
    import asyncio

    import asyncpg

    url = await asyncio.to_thread(resolve_url, settings)
    try:
        await _visit(url)
    except asyncpg.InvalidCatalogNameError:
        await _create(url)
        if tell is not None and settings.database_url is not None:
            tell(f"created the database {url.database} on {url.server}: there was none")
    return url


async def check_database(settings: Settings) -> DatabaseUrl:
    """The URL of a database that lets us in; unlike `ensure_database` this creates nothing.

    Raises
    ------
    DatabaseUrlError, DatabaseConnectionError, DatabaseMissingError, EmbeddedServerError
        As in `ensure_database`.
    """
    import asyncio

    import asyncpg

    url = await asyncio.to_thread(resolve_url, settings)
    try:
        await _visit(url)
    except asyncpg.InvalidCatalogNameError as error:
        raise DatabaseMissingError(url.database, url.server, user=url.user, tried=False) from error
    return url


async def _visit(url: DatabaseUrl, statement: Composed | None = None) -> None:
    """Connect, execute the statement, leave.

    Raises
    ------
    DatabaseConnectionError
        For every reason but a missing database.
    """
    import asyncpg

    try:
        connection = await _connect(url)
    except asyncpg.InvalidCatalogNameError:
        raise
    except asyncpg.PostgresError as error:
        asks = not url.password and isinstance(error, asyncpg.InvalidPasswordError)
        reason = "it asks for a password, and the URL has none" if asks else _first_line(error)
        raise DatabaseConnectionError(url.server, reason, sqlstate=error.sqlstate) from error
    except TimeoutError as error:
        raise DatabaseConnectionError(url.server, "it does not answer") from error
    except (OSError, asyncpg.InterfaceError) as error:
        # also ssl.SSLError and socket.gaierror; asyncpg adds each address it tried to the text
        raise DatabaseConnectionError(url.server, _first_line(error)) from error
    try:
        if statement is not None:
            await run_composed(connection, [statement])
    finally:
        await connection.close()


async def _connect(url: DatabaseUrl) -> asyncpg.Connection[asyncpg.Record]:
    import asyncpg

    arguments = url.asyncpg_arguments()
    arguments.setdefault("timeout", CONNECT_SECONDS)
    return await asyncpg.connect(**arguments)


async def _create(url: DatabaseUrl) -> None:
    """Create the database, by way of one that every server has."""
    import asyncpg

    name = quote_identifier(url.database)
    refused: asyncpg.PostgresError | None = None
    for maintenance in MAINTENANCE_DATABASES:
        try:
            # template0: nobody is ever connected to it, which would make the statement fail
            await _visit(
                url.with_database(maintenance),
                Composed(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"),
            )
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            return  # another process was faster
        except asyncpg.PostgresError as error:
            refused = error
        except DatabaseConnectionError:
            continue
        else:
            return
    raise DatabaseMissingError(
        url.database,
        url.server,
        user=url.user,
        reason=None if refused is None else _first_line(refused),
    ) from refused


def _first_line(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.splitlines()[0]
