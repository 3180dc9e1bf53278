"""Which errors may pass by themselves, and how an error is told in a row."""

from __future__ import annotations

import sys
from typing import Final

from etf_backtest.database.models import DataError, PrismaError
from etf_backtest.database.outage import is_outage
from etf_backtest.errors import DatabaseConnectionError, EtfBacktestError
from etf_backtest.errors.wording import one_line

REFUSED: Final = ("22", "23", "54", "P0")
"""Beginnings of SQLSTATE: values that do not fit, constraints, limits, and what triggers raise."""
REFUSED_CODES: Final = frozenset(
    ("P2000", "P2002", "P2003", "P2004", "P2011", "P2012", "P2019", "P2020", "P2023")
)
"""Prisma's names for the same."""


def may_pass(error: BaseException) -> bool:
    """Whether another try may succeed: the database is away, full or busy, or the engine has ended.

    What a database says and is not known to be final may pass, too: there is an end to the tries.
    """
    if isinstance(error, PrismaError):
        return not _is_refusal(error)
    if isinstance(error, EtfBacktestError):
        return isinstance(error, DatabaseConnectionError)
    if isinstance(error, OSError):  # TimeoutError is one
        return True
    asyncpg = sys.modules.get("asyncpg")
    if asyncpg is None:
        return False
    if isinstance(error, asyncpg.PostgresError):
        return not str(error.sqlstate or "").startswith(REFUSED)
    return isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError)


def is_away(error: BaseException) -> bool:
    """Whether the database cannot be reached just now, as it is while it starts."""
    if isinstance(error, DatabaseConnectionError):
        return error.sqlstate is None or error.sqlstate.startswith(("08", "53", "57P"))
    return is_outage(error) if isinstance(error, PrismaError) else isinstance(error, OSError)


def _is_refusal(error: PrismaError) -> bool:
    if not isinstance(error, DataError):
        return False
    meta = error.meta if isinstance(error.meta, dict) else {}
    state = str(meta.get("sqlstate") or meta.get("code") or "")
    return state.startswith(REFUSED) or (not state and error.code in REFUSED_CODES)


def told(error: BaseException) -> str:
    """An error as the reason of a failed backtest."""
    if isinstance(error, EtfBacktestError):
        return str(error)
    if isinstance(error, TimeoutError) and not str(error):
        return "the database did not answer in time"
    return one_line(f"{type(error).__name__}: {error}")
