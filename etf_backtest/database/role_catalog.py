"""What the server says about a role and its rights to what is ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from etf_backtest.database.queue.names import home_schema, queue_schema
from etf_backtest.database.role_rights import FUNCTIONS, TABLES, TYPES

if TYPE_CHECKING:
    import asyncpg

    from etf_backtest.database.url import DatabaseUrl

    Connection = asyncpg.Connection[asyncpg.Record]

ROLE: Final = """
SELECT rolsuper AS is_superuser, rolcanlogin AS can_login,
       rolcreaterole AS may_create_roles, rolcreatedb AS may_create_databases,
       rolbypassrls AS bypasses_policies, rolreplication AS replicates,
       array(SELECT pg_get_userbyid(roleid)::text FROM pg_auth_members
             WHERE member = role.oid ORDER BY 1) AS member_of,
       coalesce((SELECT 'default_transaction_read_only=on' = ANY(setconfig) FROM pg_db_role_setting
                 WHERE setrole = role.oid AND setdatabase = (
                     SELECT oid FROM pg_database WHERE datname = current_database())), false)
       AS is_read_only
FROM pg_roles AS role WHERE rolname = $1
"""

# $1 the role, $2 our schema, $3 the queue's; $4 our tables, $5 functions, $6 types. A partition is
# reached through its table; it has an owner of its own.
_ITEMS: Final = """
WITH role AS (SELECT (SELECT oid FROM pg_roles WHERE rolname = $1) AS oid),
places AS (
    SELECT oid, nspname, nspowner, nspacl, nspname = $3 AS is_queue
    FROM pg_namespace WHERE nspname IN ($2, $3)
),
tables AS (
    SELECT class.oid FROM pg_class AS class JOIN places ON places.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND (is_queue OR relname = ANY($4::text[]))
),
found AS (
    SELECT 1 AS place, 'DATABASE' AS kind, NULL::name AS schema, datname AS name, false AS is_queue,
           datdba AS owner, coalesce(datacl, acldefault('d', datdba)) AS acl, NULL::oid AS relation
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 2, 'SCHEMA', NULL, nspname, is_queue, nspowner,
           coalesce(nspacl, acldefault('n', nspowner)), NULL
    FROM places
    UNION ALL
    SELECT 3, 'TABLE', nspname, relname, is_queue, relowner,
           coalesce(relacl, acldefault('r', relowner)), class.oid
    FROM pg_class AS class JOIN places ON places.oid = relnamespace
    WHERE class.oid IN (SELECT oid FROM tables)
       OR class.oid IN (
           SELECT inhrelid FROM pg_inherits WHERE inhparent IN (SELECT oid FROM tables))
    UNION ALL
    SELECT 4, 'SEQUENCE', nspname, relname, is_queue, relowner,
           coalesce(relacl, acldefault('s', relowner)), NULL
    FROM pg_class AS class JOIN places ON places.oid = relnamespace
    WHERE relkind = 'S' AND (is_queue OR EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = class.oid
            AND deptype IN ('a', 'i') AND refobjid IN (SELECT oid FROM tables)))
    UNION ALL
    SELECT 5, 'FUNCTION', nspname, proname, is_queue, proowner,
           coalesce(proacl, acldefault('f', proowner)), NULL
    FROM pg_proc JOIN places ON places.oid = pronamespace
    WHERE is_queue OR proname = ANY($5::text[])
    UNION ALL
    SELECT 6, 'TYPE', nspname, typname, is_queue, typowner,
           coalesce(typacl, acldefault('T', typowner)), NULL
    FROM pg_type JOIN places ON places.oid = typnamespace
    WHERE (typname = ANY($6::text[]) OR is_queue) AND typelem = 0
      AND (typtype = 'e' OR typtype = 'c' AND EXISTS (
          SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c'))
)
SELECT kind, schema, name, is_queue, pg_get_userbyid(owner) AS owner,
       array(SELECT privilege_type FROM aclexplode(acl) WHERE grantee = role.oid) AS held,
       array(SELECT privilege_type FROM aclexplode(acl) WHERE grantee = 0) AS everybodys,
       kind = 'SEQUENCE' AND EXISTS (
           SELECT FROM pg_depend JOIN pg_class ON pg_class.oid = objid
           WHERE relname = found.name AND deptype = 'i') AS is_identity,
       array(SELECT attname::text FROM pg_attribute
             WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
             ORDER BY attnum) AS columns,
       array(SELECT attname || '=' || privilege_type
             FROM pg_attribute, aclexplode(attacl)
             WHERE attrelid = relation AND grantee = role.oid AND NOT attisdropped) AS held_columns
FROM found, role
ORDER BY place, is_queue, kind, name
"""

# Who has rights to backtests, and what they look like.
_GUESSED: Final = """
SELECT rolname::text AS role, bool_or(privilege_type = 'INSERT') AS writes
FROM pg_class JOIN pg_namespace AS place ON place.oid = relnamespace,
     aclexplode(relacl), pg_roles
WHERE relname = 'backtests' AND nspname = $1 AND grantee = pg_roles.oid AND grantee <> relowner
GROUP BY rolname ORDER BY rolname
"""


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """A role as the server knows it."""

    is_superuser: bool
    can_login: bool
    may_create_roles: bool
    may_create_databases: bool
    bypasses_policies: bool
    replicates: bool
    member_of: tuple[str, ...]
    is_read_only: bool


@dataclass(frozen=True, slots=True)
class Item:
    """A database, schema, table, sequence, function or type, and what the role may do with it."""

    kind: str
    schema: str | None
    name: str
    is_queue: bool
    owner: str
    held: frozenset[str]
    everybodys: frozenset[str]
    columns: tuple[str, ...] = ()
    held_columns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    is_identity: bool = False
    """A sequence that belongs to its column, and changes its owner with the table."""

    @property
    def shown(self) -> str:
        """For people."""
        return f"{self.kind.lower()} {self.name}"


async def read_role(connection: Connection, role: str) -> RoleFacts | None:
    """What the server knows of a role; None where there is none."""
    row = await connection.fetchrow(ROLE, role)
    return None if row is None else RoleFacts(**{**row, "member_of": tuple(row["member_of"])})


async def read_items(connection: Connection, role: str, url: DatabaseUrl) -> list[Item]:
    """All that is ours, with what the role (which need not be there yet) holds of it."""
    schemas = (home_schema(url), queue_schema(url))
    rows = await connection.fetch(
        *(_ITEMS, role, *schemas, list(TABLES), list(FUNCTIONS), list(TYPES))
    )
    return [_item(row) for row in rows]


async def roles_with_rights(connection: Connection, schema: str) -> list[tuple[str, bool]]:
    """Roles that were given rights to our backtests, and whether these may write."""
    return [(row["role"], row["writes"]) for row in await connection.fetch(_GUESSED, schema)]


def _item(row: asyncpg.Record) -> Item:
    columns: dict[str, set[str]] = {}
    for text in row["held_columns"]:
        column, _, privilege = text.rpartition("=")
        columns.setdefault(column, set()).add(privilege)
    return Item(
        kind=row["kind"],
        schema=row["schema"],
        name=row["name"],
        is_queue=row["is_queue"],
        owner=row["owner"],
        held=frozenset(row["held"]),
        everybodys=frozenset(row["everybodys"]),
        columns=tuple(row["columns"]),
        held_columns={name: frozenset(held) for name, held in columns.items()},
        is_identity=row["is_identity"],
    )
