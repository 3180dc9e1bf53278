"""The tables beside what the migrations and schema.prisma say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from etf_backtest.database.doctor.finding import Finding
from etf_backtest.database.prisma_cli.history import read_history
from etf_backtest.database.prisma_cli.migrate import NOT_EMPTY, diff
from etf_backtest.database.prisma_cli.output import SILENT
from etf_backtest.database.prisma_cli.process import Prisma
from etf_backtest.database.prisma_cli.project import Project
from etf_backtest.database.queue.state import queue_state
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import (
    NodeMissingError,
    PrismaNotInstalledError,
    ProjectNotFoundError,
)
from etf_backtest.errors.wording import listed, shortened
from etf_backtest.settings import Settings

if TYPE_CHECKING:
    from etf_backtest.database.doctor.finding import Connection
    from etf_backtest.database.prisma_cli.history import History

DEPLOY: Final = "etf-backtest migrate deploy"
_NO_PROJECT: Final = "run this in a checkout: an installed package has no migrations"
_INVALID: Final = """
SELECT i.indexrelid::regclass::text FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY($1) AND NOT (i.indisvalid AND i.indisready) ORDER BY 1
"""
_NOT_VALID: Final = """
SELECT format('%s on %s', k.conname, k.conrelid::regclass) FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY($1) AND NOT k.convalidated ORDER BY 1
"""
_DISABLED: Final = """
SELECT format('%s on %s', t.tgname, t.tgrelid::regclass) FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY($1) AND t.tgenabled IN ('D', 'R')
  AND (NOT t.tgisinternal OR t.tgconstraint <> 0)
ORDER BY 1
"""


async def check_migrations(url: DatabaseUrl) -> list[Finding]:
    """Whether the database has had each migration as it is on disk."""
    try:
        project = Project.find()
    except ProjectNotFoundError:
        return [Finding("migrations", "warning", "there are none here to compare", _NO_PROJECT)]
    return list(describe(await read_history(url.render(), project.migrations)))


def describe(history: History) -> Iterator[Finding]:
    """A line for each thing that is wrong, or one that nothing is."""
    cases = (
        (
            history.failed,
            "begun and not finished",
            "see what it left, then: etf-backtest migrate resolve --rolled-back NAME",
        ),
        (history.edited, "edited after being applied", "restore the script from version control"),
        (history.missing, "applied, but not on disk", "get the version that has it"),
        (history.rolled_back, "rolled back and not applied again", DEPLOY),
        (history.pending, "pending", DEPLOY),
    )
    wrong = [case for case in cases if case[0]]
    for names, what, remedy in wrong:
        yield Finding("migrations", "error", f"{what}: {listed(names)}", remedy)
    if not wrong:
        yield Finding("migrations", "ok", f"all {len(history.applied)} applied as they are on disk")


async def check_drift(settings: Settings, url: DatabaseUrl) -> Finding:
    """Whether the tables are what schema.prisma says; nothing is written, no shadow database."""
    try:
        prisma = Prisma.on(settings, url.render(), directory=None, output=SILENT)
        found = await diff(prisma, "schema", "database", exit_code=True)
    except (ProjectNotFoundError, PrismaNotInstalledError, NodeMissingError) as error:
        return Finding("drift", "warning", f"cannot be looked for: {error.message}", error.remedy)
    if found.exit_code == 0:
        return Finding("drift", "ok", "the tables are what schema.prisma says")
    said = " ".join((found.stdout if found.exit_code == NOT_EMPTY else found.stderr).split())
    if found.exit_code == NOT_EMPTY:
        return Finding(
            "drift",
            "error",
            f"the tables are not what schema.prisma says: {shortened(said)}",
            "etf-backtest migrate diff --from schema --to database; mend it by a migration",
        )
    return Finding("drift", "warning", f"cannot be looked for: {shortened(said)}", None)


async def check_queue(url: DatabaseUrl) -> Finding:
    """Whether the queue is there, and of the version that is installed here."""
    state = await queue_state(url)
    text, _, remedy = state.describe().partition(": ")
    if state.is_newer or state.edited:
        return Finding("queue", "error", text, remedy or "restore it from a backup")
    if state.must_deploy:
        return Finding("queue", "error" if state.is_installed else "warning", text, remedy)
    return Finding("queue", "ok", text, remedy or None)


async def check_indexes(connection: Connection, schemas: list[str]) -> Finding:
    """Indexes that no query uses because building them was broken off."""
    found = [row[0] for row in await connection.fetch(_INVALID, schemas)]
    if found:
        return Finding(
            "indexes",
            "error",
            f"invalid: {listed(found)}",
            f"REINDEX INDEX CONCURRENTLY {found[0]}",
        )
    return Finding("indexes", "ok", "all valid")


async def check_rules(connection: Connection, schemas: list[str]) -> list[Finding]:
    """Constraints that were not asked of old rows, and triggers that are switched off."""
    findings = []
    unvalidated = [row[0] for row in await connection.fetch(_NOT_VALID, schemas)]
    if unvalidated:
        name, _, table = unvalidated[0].partition(" on ")
        findings.append(
            Finding(
                "constraints",
                "error",
                f"not valid for older rows: {listed(unvalidated)}",
                f'ALTER TABLE {table} VALIDATE CONSTRAINT "{name}"',
            )
        )
    disabled = [row[0] for row in await connection.fetch(_DISABLED, schemas)]
    if disabled:
        name, _, table = disabled[0].partition(" on ")
        findings.append(
            Finding(
                "triggers",
                "error",
                f"switched off: {listed(disabled)}",
                f'ALTER TABLE {table} ENABLE TRIGGER "{name}" (what was written meanwhile was '
                "checked by nobody)",
            )
        )
    return findings or [Finding("rules", "ok", "constraints valid, triggers on")]
