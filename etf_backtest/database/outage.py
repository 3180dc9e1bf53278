"""Whether an error of the client says that the database cannot be reached just now."""

from __future__ import annotations

from typing import Final

from etf_backtest.database.client.engine.errors import EngineConnectionError
from etf_backtest.database.client.errors import DataError

UNREACHABLE: Final = frozenset(("P1001", "P1002", "P1017", "P2024"))
"""Prisma's codes: no server, no answer in time, closed, no connection free."""
STATES: Final = ("08", "57P")
"""Beginnings of SQLSTATE: connections that fail, and servers that stop, start or recover."""


def is_outage(error: BaseException) -> bool:
    """Whether a query failed because of the connection, and another try may succeed."""
    if isinstance(error, EngineConnectionError):
        # without a code the engine itself has ended; the next query starts another
        return getattr(error, "code", None) in (None, *UNREACHABLE)
    if not isinstance(error, DataError):
        return False
    state = str((error.meta or {}).get("code") or (error.meta or {}).get("sqlstate") or "")
    return error.code in UNREACHABLE or state.startswith(STATES)
