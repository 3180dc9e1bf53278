"""The PostgreSQL that is used: that of DATABASE_URL, or an embedded one that starts by itself."""

from etf_backtest.database.postgres.access import check_database, ensure_database, resolve_url
from etf_backtest.database.postgres.server import Server, ServerStatus, start, status, stop

__all__ = [
    "Server",
    "ServerStatus",
    "check_database",
    "ensure_database",
    "resolve_url",
    "start",
    "status",
    "stop",
]
