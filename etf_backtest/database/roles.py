"""Roles with the least rights that they need: owner, application, and one for reading.

What a role holds is compared with what its kind needs; the statements are the difference. So a
second time does nothing, another kind takes back what is too much, and a migration's new table is
seen by asking again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from etf_backtest.database import role_rights
from etf_backtest.database.direct import direct_connection
from etf_backtest.database.identifiers import Composed, keyword, quote_identifier, run_composed
from etf_backtest.database.queue.names import home_schema, queue_schema
from etf_backtest.database.role_catalog import (
    Item,
    RoleFacts,
    read_items,
    read_role,
    roles_with_rights,
)
from etf_backtest.database.role_rights import RoleKind
from etf_backtest.database.scram import ITERATIONS, scram_verifier
from etf_backtest.errors import (
    RightsDeniedError,
    RoleMissingError,
    RoleOwnsError,
    RoleTooPowerfulError,
)

if TYPE_CHECKING:
    import asyncpg

    from etf_backtest.database.url import DatabaseUrl

    Connection = asyncpg.Connection[asyncpg.Record]

__all__ = [
    "GrantReport",
    "OutdatedRole",
    "RoleKind",
    "grant_role",
    "outdated_roles",
    "roles_out_of_date",
]

# Whoever may, keeps even the verifier out of the log.
_QUIET: Final = """
SELECT set_config(name, value, true)
FROM (VALUES ('log_statement', 'none'), ('log_min_error_statement', 'panic'),
             ('log_min_duration_statement', '-1'), ('log_parameter_max_length', '0'))
     AS quiet (name, value)
WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
"""
_SAY: Final = """
SELECT set_config('etf_backtest.granted_role', $1, true),
       set_config('etf_backtest.verifier', $2, true)
"""
# ALTER ROLE takes no parameters: the server puts its own statement together
_GIVE_VERIFIER: Final = """
DO $$ BEGIN
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L',
                   current_setting('etf_backtest.granted_role'),
                   current_setting('etf_backtest.verifier'));
END $$
"""
_EVERYBODY_READS: Final = "installed_migrations"
"""The queue's table of what was done to it: names of files, for `db doctor` as any role."""
_FORGET: Final = "SELECT set_config('etf_backtest.verifier', '', true)"


@dataclass(frozen=True, slots=True)
class GrantReport:
    """What was done (or, tried dry, would be done) to give a role its rights."""

    role: str
    kind: RoleKind
    is_new: bool
    password_set: bool
    statements: tuple[str, ...]
    """In order; that of the password shows none. Empty: all was as it should be."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutdatedRole:
    """A role that does not hold what its kind needs, or holds more."""

    role: str
    kind: RoleKind
    statements: tuple[str, ...]


async def grant_role(
    url: DatabaseUrl,
    role: str,
    kind: RoleKind,
    *,
    create: bool = False,
    password: str | None = None,
    dry_run: bool = False,
) -> GrantReport:
    """Give a role the rights of its kind to the database of the URL, and take back all others.

    Parameters
    ----------
    create : bool
        Make the role where it is missing.
    password : str, optional
        Set it. The server is told the SCRAM-SHA-256 verifier, never the password.
    dry_run : bool
        Change nothing, only say what would be done.

    Raises
    ------
    RoleMissingError
        There is no such role, and `create` was not said.
    RoleOwnsError
        It owns something of ours, and its kind may not.
    RoleTooPowerfulError
        It is a superuser.
    RightsDeniedError
        The user of the URL may not grant this.
    """
    import asyncpg

    async with direct_connection(url) as connection:
        facts = await read_role(connection, role)
        if facts is None and not create:
            raise RoleMissingError(role)
        items = await read_items(connection, role, url)
        _check(role, kind, facts, items)
        statements = [*_created(role, facts, login=create), *_difference(role, kind, facts, items)]
        report = GrantReport(
            role=role,
            kind=kind,
            is_new=facts is None,
            password_set=password is not None,
            statements=(*statements, *_shown_password(role, password)),
            warnings=tuple(_warnings(role, kind, facts, items, url)),
        )
        if not dry_run:
            try:
                async with connection.transaction():
                    await run_composed(connection, statements)
                    if password is not None:
                        await _set_password(connection, role, password)
                    left = await _left(connection, role, kind, url)
                    if left:  # the server only warns of what it did not do
                        raise RightsDeniedError(role, url.user, f"it was not granted: {left[0]}")
            except asyncpg.InsufficientPrivilegeError as error:
                raise RightsDeniedError(role, url.user, str(error)) from error
    return report


async def outdated_roles(url: DatabaseUrl) -> tuple[OutdatedRole, ...]:
    """Roles whose rights are not those of their kind: of before a migration, or changed by hand.

    A role that may add backtests is taken for an application's, one that may only look for one that
    reads.
    """
    async with direct_connection(url) as connection:
        return await roles_out_of_date(connection, url)


async def roles_out_of_date(connection: Connection, url: DatabaseUrl) -> tuple[OutdatedRole, ...]:
    """As `outdated_roles`, on a connection that is there."""
    outdated = []
    for role, writes in await roles_with_rights(connection, home_schema(url)):
        kind = RoleKind.APP if writes else RoleKind.READONLY
        if left := await _left(connection, role, kind, url):
            outdated.append(OutdatedRole(role, kind, left))
    return tuple(outdated)


async def _left(
    connection: Connection, role: str, kind: RoleKind, url: DatabaseUrl
) -> tuple[Composed, ...]:
    """What a role still lacks, or has too much, beside what it has as everybody."""
    facts = await read_role(connection, role)
    items = [
        replace(item, held=item.held | item.everybodys & _wanted(kind, item))
        for item in await read_items(connection, role, url)
    ]
    return tuple(_difference(role, kind, facts, items))


def _check(role: str, kind: RoleKind, facts: RoleFacts | None, items: Iterable[Item]) -> None:
    if kind is RoleKind.OWNER:
        return
    if facts is not None and facts.is_superuser:
        raise RoleTooPowerfulError(role)
    if owned := [item.shown for item in items if item.owner == role]:
        raise RoleOwnsError(role, owned)


def _created(role: str, facts: RoleFacts | None, *, login: bool) -> Iterator[Composed]:
    name = quote_identifier(role)
    if facts is None:
        yield Composed(f"CREATE ROLE {name} LOGIN")
    elif login and not facts.can_login:
        yield Composed(f"ALTER ROLE {name} LOGIN")


def _difference(
    role: str, kind: RoleKind, facts: RoleFacts | None, items: Iterable[Item]
) -> Iterator[Composed]:
    """The statements from what is to what should be."""
    items = list(items)
    name = Composed(quote_identifier(role))
    for item in items:
        if item.kind == "SCHEMA" and "CREATE" in item.everybodys:
            yield Composed(f"REVOKE CREATE ON SCHEMA {quote_identifier(item.name)} FROM PUBLIC")
    for item in items:
        if item.owner != role:
            yield from _item_difference(name, kind, item)
    if kind is RoleKind.OWNER:
        for item in items:
            yield from _owned(role, item)
    read_only = facts is not None and facts.is_read_only
    if read_only is not (kind is RoleKind.READONLY):
        database = next(item.name for item in items if item.kind == "DATABASE")
        where = f"ALTER ROLE {name} IN DATABASE {quote_identifier(database)}"
        if read_only:
            yield Composed(f"{where} RESET default_transaction_read_only")
        else:
            yield Composed(f"{where} SET default_transaction_read_only = on")


def _item_difference(name: Composed, kind: RoleKind, item: Item) -> Iterator[Composed]:
    what = keyword(item.kind)
    place = _place(item)
    wanted = _wanted(kind, item)
    if surplus := sorted(item.held - wanted):
        listed = ", ".join(keyword(privilege) for privilege in surplus)
        yield Composed(f"REVOKE {listed} ON {what} {place} FROM {name}")
    if missing := sorted(wanted - item.held):
        listed = ", ".join(keyword(privilege) for privilege in missing)
        yield Composed(f"GRANT {listed} ON {what} {place} TO {name}")
    yield from _column_difference(name, kind, item, from_table=item.held - wanted)


def _column_difference(
    name: Composed, kind: RoleKind, item: Item, *, from_table: frozenset[str]
) -> Iterator[Composed]:
    """As above, of columns; what is taken back from a table is taken back from its columns, too."""
    what = keyword(item.kind)
    place = _place(item)
    given: dict[str, list[str]] = {}
    taken: dict[str, list[str]] = {}
    for column in item.columns:
        held = item.held_columns.get(column, frozenset())
        rights = role_rights.column_rights(kind, item.name, column)
        wanted = frozenset() if item.is_queue else rights
        for privilege in held - wanted - from_table:
            taken.setdefault(privilege, []).append(column)
        for privilege in wanted - (held - from_table):
            given.setdefault(privilege, []).append(column)
    for privilege, columns in sorted(taken.items()):
        listed = ", ".join(quote_identifier(column) for column in columns)
        yield Composed(f"REVOKE {keyword(privilege)} ({listed}) ON {what} {place} FROM {name}")
    for privilege, columns in sorted(given.items()):
        listed = ", ".join(quote_identifier(column) for column in columns)
        yield Composed(f"GRANT {keyword(privilege)} ({listed}) ON {what} {place} TO {name}")


def _wanted(kind: RoleKind, item: Item) -> frozenset[str]:
    if item.kind == "DATABASE":
        return role_rights.database_rights(kind)
    if item.kind == "SCHEMA":
        return role_rights.schema_rights(kind)
    if item.kind == "TYPE" or (item.kind == "FUNCTION" and not item.is_queue):
        return item.held  # everybody's by default, and of no use without the tables
    if item.is_queue:
        return role_rights.queue_rights(kind, item.kind)
    if item.kind == "SEQUENCE":
        return role_rights.sequence_rights(kind)
    return role_rights.table_rights(kind, item.name)


def _owned(role: str, item: Item) -> Iterator[Composed]:
    """Make the role the owner: of all that is ours, but not of the database and its schema."""
    is_place = item.kind == "DATABASE" or (item.kind == "SCHEMA" and not item.is_queue)
    # a sequence goes with its table
    if item.owner == role or is_place or item.kind == "SEQUENCE":
        return
    what = keyword(item.kind)
    yield Composed(f"ALTER {what} {_place(item)} OWNER TO {quote_identifier(role)}")


def _place(item: Item) -> Composed:
    name = quote_identifier(item.name)
    if item.schema is None:
        return Composed(name)
    return Composed(f"{quote_identifier(item.schema)}.{name}")


async def _set_password(connection: Connection, role: str, password: str) -> None:
    iterations = await connection.fetchval(
        "SELECT coalesce(current_setting('scram_iterations', true)::integer, $1)", ITERATIONS
    )
    verifier = scram_verifier(password, iterations=iterations)
    await connection.fetch(_QUIET)
    await connection.fetch(_SAY, role, verifier)
    await connection.execute(_GIVE_VERIFIER)
    await connection.fetch(_FORGET)


def _shown_password(role: str, password: str | None) -> tuple[str, ...]:
    if password is None:
        return ()
    return (f"ALTER ROLE {quote_identifier(role)} LOGIN PASSWORD '(a SCRAM-SHA-256 verifier)'",)


def _is_open_to_all(item: Item) -> bool:
    """Whether everybody has more rights to a table than we have given to everybody ourselves."""
    is_ours = item.is_queue and item.name == _EVERYBODY_READS
    return item.kind == "TABLE" and bool(item.everybodys - ({"SELECT"} if is_ours else set()))


def _warnings(
    role: str, kind: RoleKind, facts: RoleFacts | None, items: list[Item], url: DatabaseUrl
) -> Iterator[str]:
    """What somebody who relies on these rights must know."""
    tables = {item.name for item in items if item.kind == "TABLE" and not item.is_queue}
    if missing := role_rights.TABLES.keys() - tables:
        listed = ", ".join(sorted(missing))
        yield f"the schema {home_schema(url)} has no {listed}: run this again after migrate deploy"
    if not any(item.is_queue for item in items):
        yield f"the queue is not installed ({queue_schema(url)}): run this again when it is"
    if open_to_all := [item.name for item in items if _is_open_to_all(item)]:
        yield f"everybody (PUBLIC) has rights to {', '.join(open_to_all)}, and so has {role}"
    if facts is None:
        return
    for other in facts.member_of:
        yield f"{role} is a member of {other}, and has its rights, too"
    attributes = {
        "CREATEROLE": facts.may_create_roles and kind is not RoleKind.OWNER,
        "CREATEDB": facts.may_create_databases and kind is not RoleKind.OWNER,
        "BYPASSRLS": facts.bypasses_policies,
        "REPLICATION": facts.replicates,
    }
    for attribute, has in attributes.items():
        if has:
            yield f"{role} has {attribute}, which it does not need"
