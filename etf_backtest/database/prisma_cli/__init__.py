"""The Prisma CLI, pinned and run on Node from a wheel: its words and exit codes, its faults cured.

Every function takes `directory`, where to look for the project (the working directory), and
`output`, where lines go (stdout and stderr), and returns an exit code. Functions that take a URL
expect the database to exist.
"""

from etf_backtest.database.prisma_cli.database import (
    db_execute,
    db_pull,
    db_push,
    format_schema,
    seed,
    validate,
)
from etf_backtest.database.prisma_cli.generate import generate
from etf_backtest.database.prisma_cli.history import History, read_history
from etf_backtest.database.prisma_cli.migrate import (
    DiffSide,
    migrate_deploy,
    migrate_diff,
    migrate_reset,
    migrate_resolve,
    migrate_status,
)
from etf_backtest.database.prisma_cli.migrate_dev import migrate_dev
from etf_backtest.database.prisma_cli.output import SILENT, Output
from etf_backtest.database.prisma_cli.project import Project

__all__ = [
    "SILENT",
    "DiffSide",
    "History",
    "Output",
    "Project",
    "db_execute",
    "db_pull",
    "db_push",
    "format_schema",
    "generate",
    "migrate_deploy",
    "migrate_dev",
    "migrate_diff",
    "migrate_reset",
    "migrate_resolve",
    "migrate_status",
    "read_history",
    "seed",
    "validate",
]
