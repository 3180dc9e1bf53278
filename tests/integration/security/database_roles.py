"""A database, and roles made for it by `db grant`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import asyncpg

from etf_backtest.database.roles import GrantReport, RoleKind, grant_role
from etf_backtest.database.url import DatabaseUrl
from tests.fixtures.cluster import Cluster, run_apart

BUY_AND_HOLD = """
INSERT INTO strategies (name, type, is_system) VALUES ('buy-and-hold', 'buy_and_hold', true)
"""
PASSWORD = "p@ss:w/ord?#%41 '\"\\ $1 end"  # everything that has a meaning somewhere


@dataclass
class Roles:
    """The roles of one test."""

    cluster: Cluster
    url: DatabaseUrl
    made: list[str] = field(default_factory=list)

    def name(self, kind: str) -> str:
        """A name of this test's own: roles belong to the whole server."""
        return f"{kind} of {self.url.database}"

    def url_of(self, role: str, password: str = PASSWORD) -> str:
        return replace(self.url, user=role, password=password).render()

    def grant(
        self, kind: RoleKind, role: str | None = None, *, dry_run: bool = False
    ) -> GrantReport:
        """As the superuser."""
        role = role or self.name(kind.value)
        create = role not in self.made
        report = run_apart(
            grant_role(
                self.url,
                role,
                kind,
                create=create,
                password=PASSWORD if create else None,
                dry_run=dry_run,
            )
        )
        if create and not dry_run:
            self.made.append(role)
        return report

    def ask(self, sql: str, *arguments: object, role: str | None = None) -> list[asyncpg.Record]:
        """Rows, as the superuser or a role."""
        url = self.url if role is None else DatabaseUrl.parse(self.url_of(role))

        async def fetched() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(**url.asyncpg_arguments())
            try:
                return list(await connection.fetch(sql, *arguments))
            finally:
                await connection.close()

        return run_apart(fetched())

    def denied(self, sql: str, *, role: str) -> bool:
        """Whether the server refuses it for lack of a right."""
        try:
            self.ask(sql, role=role)
        except asyncpg.InsufficientPrivilegeError:
            return True
        return False


@contextmanager
def roles_of(cluster: Cluster, url: str) -> Iterator[Roles]:
    """Roles for the database, gone at the end: before it, because they have rights to it."""
    roles = Roles(cluster, DatabaseUrl.parse(url))
    yield roles
    for role in roles.made:
        name = role.replace('"', '""')
        cluster.execute(f'DROP OWNED BY "{name}" CASCADE', database=roles.url.database)
        cluster.execute(f'DROP ROLE "{name}"')
