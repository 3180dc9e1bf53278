"""The database server: its URL, the embedded one, connections."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from etf_backtest.errors.base import EtfBacktestError


class DatabaseUrlError(EtfBacktestError):
    """A PostgreSQL URL cannot be read or used; no part of it that may be secret is quoted."""

    exit_code = 2

    def __init__(self, source: str, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(
            f"{source} cannot be used: {reason}",
            remedy=remedy or "expected postgresql://user:password@host:5432/database",
        )
        self.source = source
        self.reason = reason


class EmbeddedServerError(EtfBacktestError):
    """The embedded PostgreSQL cannot be set up, started or stopped."""

    def __init__(
        self,
        message: str,
        *,
        folder: Path | None = None,
        log: str = "",
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.folder = folder
        self.log = log
        """The last lines that PostgreSQL wrote."""


class ClusterVersionError(EmbeddedServerError):
    """The embedded server's data were made by another major version of PostgreSQL."""

    def __init__(self, cluster: Path, *, found: str, expected: str) -> None:
        super().__init__(
            f"{cluster} was made by PostgreSQL {found}, expected {expected}",
            folder=cluster,
            remedy=f"dump it with the etf-backtest that brought PostgreSQL {found} and load it "
            "into a new one, or move the folder away to begin with an empty database",
        )
        self.found = found
        self.expected = expected


TOO_MANY: Final = "53300"
"""SQLSTATE of a server that has as many connections as it takes."""


class DatabaseConnectionError(EtfBacktestError):
    """The server of DATABASE_URL is not there or refuses us."""

    def __init__(self, server: str, reason: str, *, sqlstate: str | None = None) -> None:
        super().__init__(
            f"cannot connect to the database server {server}: {reason}",
            remedy="try again when others are done, or raise the server's max_connections"
            if sqlstate == TOO_MANY
            else "check DATABASE_URL and that the server runs, "
            "or unset it to use the embedded server",
        )
        self.server = server
        self.reason = reason
        self.sqlstate = sqlstate


class DatabaseMissingError(EtfBacktestError):
    """The database of DATABASE_URL is missing, and could not be created where that was tried."""

    def __init__(
        self,
        database: str,
        server: str,
        *,
        user: str | None = None,
        reason: str | None = None,
        tried: bool = True,
    ) -> None:
        because = f": {reason}" if reason else ""
        super().__init__(
            f"there is no database {database!r} on {server}"
            + (f", and it cannot be created{because}" if tried else ""),
            remedy=f'ask its administrator for: CREATE DATABASE "{database}"'
            + (f' OWNER "{user}"' if user else ""),
        )
        self.database = database
        self.server = server
        self.user = user
        self.reason = reason
