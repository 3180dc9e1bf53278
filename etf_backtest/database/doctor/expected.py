"""Rules and indexes that the applied migrations have made, beside those that are there.

Prisma's own comparison sees no CHECK, no trigger and no index on an expression: where they were
dropped, or `db push` made the tables, it finds nothing wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from etf_backtest.database.backup.migrations import applied_migrations
from etf_backtest.database.doctor.finding import Finding
from etf_backtest.database.prisma_cli.history import read_scripts
from etf_backtest.database.prisma_cli.project import Project
from etf_backtest.errors import ProjectNotFoundError
from etf_backtest.errors.wording import listed

if TYPE_CHECKING:
    from etf_backtest.database.doctor.finding import Connection

_NAMED: Final = re.compile(
    r"^[^-\n]*?(?:"
    r"CREATE (?:CONSTRAINT )?(?P<trigger>TRIGGER)"
    r"|CREATE (?:UNIQUE )?(?P<index>INDEX)"
    r"|(?P<dropped>DROP) (?:CONSTRAINT|INDEX|TRIGGER)(?: IF EXISTS)?"
    r'|(?P<constraint>CONSTRAINT)) "(?P<name>\w+)"',
    re.MULTILINE,
)
_THERE: Final = """
SELECT t.tgname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1
UNION ALL
SELECT k.conname::text FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
    WHERE n.nspname = $1
UNION ALL
SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1
"""


def named_in(scripts: Iterable[str]) -> dict[str, str]:
    """What scripts make, in their order, and do not drop again: name -> trigger, index, ..."""
    made: dict[str, str] = {}
    for script in scripts:
        for found in _NAMED.finditer(script):
            if found["dropped"]:
                made.pop(found["name"], None)
            else:
                kind = found["trigger"] or found["index"] or found["constraint"]
                made[found["name"]] = kind.lower()
    return made


async def check_missing(connection: Connection, schema: str) -> Finding:
    """Whether everything is there that the applied migrations have made."""
    try:
        scripts = read_scripts(Project.find().migrations)
    except ProjectNotFoundError as error:
        return Finding("made by migrations", "warning", "nothing to compare with", error.remedy)
    applied = [name for name, _ in await applied_migrations(connection, schema) if name in scripts]
    made = named_in(scripts[name].decode() for name in applied)
    there = {row[0] for row in await connection.fetch(_THERE, schema)}
    missing = [f"{kind} {name}" for name, kind in sorted(made.items()) if name not in there]
    if missing:
        return Finding(
            "made by migrations",
            "error",
            f"not there any more: {listed(missing)}",
            "make them again as prisma/migrations says, or restore a backup; db push makes none",
        )
    return Finding("made by migrations", "ok", f"all {len(made)} constraints, triggers and indexes")
