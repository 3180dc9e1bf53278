"""What to do where PostgreSQL says that the role may not create or drop tables.

Since PostgreSQL 15 only a database's owner may create something in its schema `public`. Prisma
passes on "permission denied" and no more. (Where a server speaks another language, nothing is
added.)
"""

from __future__ import annotations

import re
from typing import Final

from etf_backtest.database.direct import direct_connection
from etf_backtest.database.identifiers import quote_identifier
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import RoleError

_DENIED: Final = re.compile(
    r"permission denied for (?P<kind>schema|database) (?P<name>.+?)\s*$"
    # a schema that the role may not even look into is none, to PostgreSQL
    r"|no schema has been selected to create in",
    re.MULTILINE,
)


_OWNED_BY_ANOTHER: Final = """
SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace
WHERE nspname = $1 AND NOT pg_has_role(current_user, nspowner, 'USAGE')
  AND EXISTS (SELECT FROM pg_proc WHERE pronamespace = pg_namespace.oid
              AND proname = 'check_backtest_status')
"""


async def check_may_reset(url: str) -> None:
    """Refuse before Prisma begins: who does not own the schema cannot drop the functions in it.

    Raises
    ------
    RoleError
        Tables would be gone, and the migrations could not be applied again.
    """
    database = DatabaseUrl.parse(url)
    schema = database.schema or "public"
    async with direct_connection(database) as connection:
        owner = await connection.fetchval(_OWNED_BY_ANOTHER, schema)
        if owner is not None:
            make = f"ALTER SCHEMA {quote_identifier(schema)} OWNER TO"
            raise RoleError(
                database.user,
                f"it does not own the schema {schema!r} ({owner} does): not all can be dropped",
                remedy=f"let a superuser run: {make} {quote_identifier(database.user)}; "
                "or drop the database and create it again",
            )


def missing_right(said: str, url: str) -> str | None:
    """The line to add to what Prisma said about a database, if it failed for lack of a right."""
    denied = _DENIED.search(said)
    if denied is None:
        return None
    database = DatabaseUrl.parse(url)
    role = quote_identifier(database.user)
    schema = denied["name"] or database.schema or "public"
    name = quote_identifier(schema)
    grant = f"GRANT CREATE, USAGE ON SCHEMA {name} TO {role};"
    if denied["kind"] == "database":
        grant = f"GRANT CREATE ON DATABASE {name} TO {role};"
    elif schema != "public":
        # a schema that somebody made is theirs, whoever owns the database
        return f"Let the schema's owner run: {grant}"
    own = f"ALTER DATABASE {quote_identifier(database.database)} OWNER TO {role};"
    return f"Let a superuser run: {own} or the database's owner, in it: {grant}"
