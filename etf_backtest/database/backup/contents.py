"""What is in the schemas of a backup: each table's rows as two numbers, and the rules on them.

A table's checksum is the sum of the first 64 bits of the MD5 of each row's text, whatever the order
of the rows. The settings that decide how values are written are the same wherever it is computed,
so that it is equal on every version of PostgreSQL. It finds accidents, not forgeries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, LiteralString

from etf_backtest.database.identifiers import Composed, quote_identifier

if TYPE_CHECKING:
    import asyncpg

SETTINGS: Final = """
SET LOCAL search_path = pg_catalog;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL intervalstyle = 'postgres';
SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex';
SET LOCAL row_security = off;
"""
"""How rows are written while they are summed; the last makes a policy that hides rows an error."""

# what an extension brought is its own business
_OURS: Final = """
    NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalog}'::regclass
                AND e.objid = {alias}.oid AND e.deptype = 'e')
"""
_RELATIONS: Final = (
    """
SELECT n.nspname AS schema, c.relname AS name, c.relkind::text AS kind
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'S') AND"""
    + _OURS.format(catalog="pg_class", alias="c")
    + "ORDER BY 1, 2"
)
_TRIGGERS: Final = """
SELECT n.nspname || '.' || c.relname || '.' || t.tgname
       || CASE t.tgenabled WHEN 'O' THEN '' WHEN 'D' THEN ' (disabled)' ELSE ' (always)' END
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY($1) AND NOT t.tgisinternal ORDER BY 1
"""
# PostgreSQL 18 counts NOT NULL among them, those before do not
_CONSTRAINTS: Final = """
SELECT n.nspname || '.' || c.relname || '.' || k.conname
       || CASE WHEN k.convalidated THEN '' ELSE ' (not valid)' END
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY($1) AND k.contype IN ('c', 'f', 'p', 'u', 'x') ORDER BY 1
"""
_INDEXES: Final = """
SELECT n.nspname || '.' || c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY($1) AND i.indisvalid AND i.indisready ORDER BY 1
"""
_EXTENSIONS: Final = """
SELECT x.extname FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
WHERE n.nspname = ANY($1) ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class TableSum:
    """The rows of one table."""

    rows: int
    checksum: str
    """A whole number in decimal digits: it has more than 64 bits."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What there is; names are `schema.name`, those of rules `schema.table.name`."""

    tables: Mapping[str, TableSum]
    sequences: Mapping[str, int]
    """The last value that each has given out."""
    triggers: tuple[str, ...]
    constraints: tuple[str, ...]
    indexes: tuple[str, ...]
    extensions: tuple[str, ...]
    """Those that live in the schemas; nothing of ours needs one."""

    def differences(self, expected: Contents) -> list[str]:
        """What is not as expected, a line each; more in a sequence is as good."""
        found: list[str] = []
        for name in sorted(self.tables.keys() | expected.tables.keys()):
            here, there = self.tables.get(name), expected.tables.get(name)
            if here is None or there is None:
                found.append(f"table {name} is {'missing' if here is None else 'unexpected'}")
            elif here.rows != there.rows:
                found.append(f"{name} has {here.rows:,} rows, expected {there.rows:,}")
            elif here != there:
                found.append(f"rows of {name} differ from those that were dumped")
        for name, last in expected.sequences.items():
            if self.sequences.get(name, -1) < last:
                found.append(f"sequence {name} stands before {last}")
        found += _differing("trigger", self.triggers, expected.triggers)
        found += _differing("constraint", self.constraints, expected.constraints)
        found += _differing("index", self.indexes, expected.indexes)
        return found


async def read_contents(
    connection: asyncpg.Connection[asyncpg.Record], schemas: Sequence[str]
) -> Contents:
    """Read all that the schemas have; inside a transaction, whose settings it changes."""
    await connection.execute(SETTINGS)
    names = list(schemas)
    tables: dict[str, TableSum] = {}
    sequences: dict[str, int] = {}
    for schema, name, kind in await connection.fetch(_RELATIONS, names):
        if kind == "S":
            sequences[f"{schema}.{name}"] = await _last_value(connection, schema, name)
        else:
            tables[f"{schema}.{name}"] = await _sum(connection, schema, name)
    return Contents(
        tables=tables,
        sequences=sequences,
        triggers=await _names(connection, _TRIGGERS, names),
        constraints=await _names(connection, _CONSTRAINTS, names),
        indexes=await _names(connection, _INDEXES, names),
        extensions=await _names(connection, _EXTENSIONS, names),
    )


async def _sum(connection: asyncpg.Connection[asyncpg.Record], schema: str, table: str) -> TableSum:
    # ONLY: the rows of a partition are that table's
    statement = Composed(
        "SELECT count(*),"
        " coalesce(sum(('x' || left(md5(t::text), 16))::bit(64)::bigint), 0)::text"
        f" FROM ONLY {quote_identifier(schema)}.{quote_identifier(table)} t"
    )
    row = await connection.fetchrow(str(statement))
    assert row is not None  # noqa: S101  # an aggregate
    return TableSum(row[0], row[1])


async def _last_value(
    connection: asyncpg.Connection[asyncpg.Record], schema: str, sequence: str
) -> int:
    statement = Composed(
        "SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END"
        f" FROM {quote_identifier(schema)}.{quote_identifier(sequence)}"
    )
    last: int = await connection.fetchval(str(statement))
    return last


async def _names(
    connection: asyncpg.Connection[asyncpg.Record], statement: LiteralString, schemas: list[str]
) -> tuple[str, ...]:
    return tuple(row[0] for row in await connection.fetch(statement, schemas))


def _differing(kind: str, here: Sequence[str], there: Sequence[str]) -> list[str]:
    missing = [f"{kind} {name} is missing" for name in there if name not in here]
    return missing + [f"{kind} {name} is unexpected" for name in here if name not in there]
