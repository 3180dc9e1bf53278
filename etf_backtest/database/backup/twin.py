"""A new database beside another, like it but empty, and putting it in the other's place."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from etf_backtest.database.backup.processes import first_line
from etf_backtest.database.identifiers import Composed, quote_identifier, run_composed
from etf_backtest.database.postgres.access import MAINTENANCE_DATABASES
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import RestoreError

if TYPE_CHECKING:
    import asyncpg

TRIES: Final = 5
KEPT_BYTES: Final = 32
"""Of a database's name in that of another: PostgreSQL cuts names after 63."""

_LIKE: Final = """
SELECT pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding,
       datcollate AS collate, datctype AS ctype, datlocprovider::text AS provider,
       to_jsonb(d) ->> CASE WHEN to_jsonb(d) ? 'datlocale' THEN 'datlocale'
                            ELSE 'daticulocale' END AS locale,
       datconnlimit AS connections, datacl IS NOT NULL AS has_acl
FROM pg_database d WHERE datname = $1
"""
_MAY: Final = """
SELECT (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user)
       AND (SELECT pg_has_role(current_user, datdba, 'MEMBER') FROM pg_database WHERE datname = $1)
"""
# what ALTER DATABASE and GRANT ON DATABASE have said about it, as statements; names quoted there
_SAID: Final = """
SELECT format(CASE WHEN s.setrole = 0 THEN 'ALTER DATABASE %1$I SET %3$I = %4$s'
              ELSE 'ALTER ROLE %2$I IN DATABASE %1$I SET %3$I = %4$s' END,
              $2::text, r.rolname, split_part(c, '=', 1),
              CASE WHEN split_part(c, '=', 1) IN ('search_path', 'temp_tablespaces',
                        'session_preload_libraries', 'local_preload_libraries')
                   THEN substr(c, strpos(c, '=') + 1)
                   ELSE quote_literal(substr(c, strpos(c, '=') + 1)) END)
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
LEFT JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN unnest(s.setconfig) c
WHERE d.datname = $1
UNION ALL
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', $2::text)
FROM pg_database WHERE datname = $1 AND datacl IS NOT NULL
UNION ALL
SELECT format('GRANT %s ON DATABASE %I TO %s', a.privilege_type, $2::text,
              CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END)
FROM pg_database d CROSS JOIN aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE d.datname = $1
"""


async def may_replace(connection: asyncpg.Connection[asyncpg.Record], database: str) -> bool:
    """Whether the role may create databases, and rename this one."""
    may: bool = await connection.fetchval(_MAY, database)
    return may


@asynccontextmanager
async def twin_of(url: DatabaseUrl) -> AsyncIterator[DatabaseUrl]:
    """An empty database with the owner, locale, settings and privileges of that of `url`.

    It is dropped at the end, unless it has taken the other's place by then.
    """
    name = f"{_shortened(url.database)}_restoring_{secrets.token_hex(4)}"
    async with _beside(url) as connection:
        try:
            await connection.execute(await _create_statement(connection, url.database, name))
            for row in await connection.fetch(_SAID, url.database, name):
                await connection.execute(row[0])
            yield url.with_database(name)
        finally:
            dropping = Composed(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")
            await run_composed(connection, [dropping])


async def take_place(url: DatabaseUrl, twin: DatabaseUrl, *, now: dt.datetime) -> tuple[str, int]:
    """Rename the database away and the twin to its name, both or neither.

    Returns
    -------
    tuple of str and int
        What the old one is called now, and how many connections to it were ended.

    Raises
    ------
    RestoreError
        Others keep connecting to it.
    """
    import asyncpg

    kept = f"{_shortened(url.database)}_before_restore_{now:%Y%m%d%H%M%S}"
    renaming = [
        Composed(f"ALTER DATABASE {quote_identifier(old)} RENAME TO {quote_identifier(new)}")
        for old, new in ((url.database, kept), (twin.database, url.database))
    ]
    ended = 0
    async with _beside(url) as connection:
        for _ in range(TRIES):
            ended += await connection.fetchval(
                "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 5000))"
                " FROM pg_stat_activity WHERE datname = ANY($1)",
                [url.database, twin.database],
            )
            try:
                async with connection.transaction():
                    await run_composed(connection, renaming)
            except asyncpg.ObjectInUseError:
                continue
            return kept, ended
    raise RestoreError(
        f"others keep connecting to the database {url.database!r}, so that it cannot be renamed",
        remedy="stop the workers and applications that use it, and try again",
    )


@asynccontextmanager
async def _beside(url: DatabaseUrl) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to another database of the server."""
    import asyncpg

    names = [name for name in MAINTENANCE_DATABASES if name != url.database]
    for last, name in ((name == names[-1], name) for name in names):
        try:
            connection = await asyncpg.connect(**url.with_database(name).asyncpg_arguments())
        except asyncpg.PostgresError as error:
            if last:
                reason = first_line(error)
                raise RestoreError(f"cannot connect to the database {name!r}: {reason}") from error
            continue
        try:
            yield connection
        finally:
            await connection.close()
        return


async def _create_statement(
    connection: asyncpg.Connection[asyncpg.Record], database: str, name: str
) -> str:
    like = await connection.fetchrow(_LIKE, database)
    assert like is not None  # noqa: S101  # we have just been connected to it
    provider = {"c": "libc", "i": "icu", "b": "builtin"}[like["provider"]]
    locale = {"icu": "ICU_LOCALE", "builtin": "BUILTIN_LOCALE"}.get(provider)
    # the server quotes what is a value, as it does what is a name
    statement: str = await connection.fetchval(
        "SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L"
        " LC_CTYPE %L LOCALE_PROVIDER %s CONNECTION LIMIT %s', $1::text, $2::text, $3::text,"
        " $4::text, $5::text, $6::text, $7::int)",
        name, like["owner"], like["encoding"], like["collate"], like["ctype"], provider,
        like["connections"],
    )  # fmt: skip
    if locale is not None:
        statement += await connection.fetchval(
            "SELECT format(' %s %L', $1::text, $2::text)", locale, like["locale"]
        )
    return statement


def _shortened(name: str) -> str:
    return name.encode()[:KEPT_BYTES].decode(errors="ignore")
