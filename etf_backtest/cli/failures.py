"""Exceptions as one clear line: what happened, and what to do about it."""

from __future__ import annotations

import errno
import sys
from typing import NamedTuple

from etf_backtest.errors import (
    BacktestFailedError,
    EtfBacktestError,
    InvalidParametersError,
    LeverageError,
    MissingPricesError,
    NoClosesError,
    OutputError,
)

NOT_MIGRATED = "create the tables with: etf-backtest migrate deploy"
NO_TABLES = "the database has no tables of ours yet, or not all of this version"
NOT_UPDATED = "bring them up to date with: etf-backtest migrate deploy"
NOT_ALLOWED = "the database does not let its URL's user do this"
GRANT = "use another, or give it what it needs: etf-backtest db grant (docs/security.md)"
REFUSED_RIGHTS = ("42501", "25006")
"""PostgreSQL's states for a missing right, and for writing where one may only read."""
OLD_TABLES = "the database's tables are from before an update: a column is not there"


class Failure(NamedTuple):
    """What `main` says, and the exit code."""

    message: str
    remedy: str | None
    exit_code: int


def explain(error: BaseException) -> Failure:
    """What to say about an exception; one that nobody foresaw is called an internal error."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
        # no file is named: it was a write to the output, which names none
        error = OutputError(error.strerror or "no space left")
    if isinstance(error, EtfBacktestError):
        return Failure(error.message, _remedy(error), error.exit_code)
    return (
        _explain_prisma(error)
        or _explain_asyncpg(error)
        or _explain_queue(error)
        or Failure(
            f"internal error: {type(error).__name__}: {error}",
            "run it again with --debug and report what it prints",
            1,
        )
    )


def _remedy(error: EtfBacktestError) -> str | None:
    """What to type, where the package says what to write in Python."""
    cause = error.__cause__ if isinstance(error, BacktestFailedError) else error
    if isinstance(cause, LeverageError):
        return (
            "weights are fractions of the value, 0.6 is 60 %; to borrow, say how much and at which "
            "rate: --max-leverage 2 --borrow-rate 5%"
        )
    if isinstance(cause, NoClosesError) and cause.proxy is not None:
        return (
            f"start on {cause.since} or later (--from), leave the proxy away (--no-proxies), or "
            "leave --dividends cash away"
        )
    if isinstance(cause, NoClosesError):
        return (
            "import closes with dividends and splits (etf-backtest prices import FILE --closes "
            "traded), or leave --dividends cash away"
        )
    if isinstance(cause, MissingPricesError):
        return (
            "import them, choose another window (--from, --to), or say what to do about them: "
            "--missing common for the ends of a window, --missing ffill:N for gaps of at most N "
            "sessions"
        )
    if isinstance(cause, InvalidParametersError) and "borrow_rate: expected" in cause.message:
        return "give one: --borrow-rate 5%"
    return error.remedy


def _explain_prisma(error: BaseException) -> Failure | None:
    """Errors of the generated client, which is not imported unless a command used it."""
    if "etf_backtest.database.connection" not in sys.modules:
        return None
    from etf_backtest.database.models import PrismaError, TableNotFoundError

    meta = getattr(error, "meta", None)
    # the state that PostgreSQL gives, where the statement was written by us
    state = meta.get("code") if isinstance(meta, dict) else None
    if isinstance(error, TableNotFoundError) or state == "42P01":
        return Failure(NO_TABLES, NOT_MIGRATED, 1)
    # a column; the engine does not name it
    if getattr(error, "code", None) == "P2022" or state == "42703":
        return Failure(OLD_TABLES, NOT_UPDATED, 1)
    if not isinstance(error, PrismaError):
        return None
    # the engine has no code for the second
    if getattr(error, "code", None) == "P1010" or "in a read-only transaction" in str(error):
        return Failure(f"{NOT_ALLOWED}: {error}", GRANT, 1)
    return Failure(str(error), None, 1)


def _explain_asyncpg(error: BaseException) -> Failure | None:
    asyncpg = sys.modules.get("asyncpg")
    if asyncpg is None or not isinstance(error, asyncpg.PostgresError):
        return None
    if isinstance(error, asyncpg.UndefinedTableError):
        return Failure(NO_TABLES, NOT_MIGRATED, 1)
    if isinstance(error, asyncpg.UndefinedColumnError):
        return Failure(f"{OLD_TABLES} ({error})", NOT_UPDATED, 1)
    if isinstance(error, asyncpg.InsufficientPrivilegeError | asyncpg.ReadOnlySQLTransactionError):
        return Failure(f"{NOT_ALLOWED}: {error}", GRANT, 1)
    return Failure(f"the database refuses: {error}", None, 1)


def _explain_queue(error: BaseException) -> Failure | None:
    """What the queue's library could not do on its own connection."""
    exceptions = sys.modules.get("procrastinate.exceptions")
    if exceptions is None or not isinstance(error, exceptions.ConnectorException):
        return None
    cause = error.__cause__ or error
    if getattr(cause, "sqlstate", None) in REFUSED_RIGHTS:
        return Failure(f"{NOT_ALLOWED}: {cause}", GRANT, 1)
    return Failure(f"the database refuses: {cause}", None, 1)
