"""Prisma Studio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from etf_backtest.errors.base import EtfBacktestError


class StudioInstallError(EtfBacktestError):
    """Prisma Studio cannot be installed; nothing half is left behind."""

    def __init__(
        self,
        message: str,
        *,
        directory: Path | None = None,
        output: str = "",
        remedy: str | None = None,
    ) -> None:
        super().__init__(message if not output else f"{message}: {output}", remedy=remedy)
        self.directory = directory
        self.output = output


class StudioUrlError(EtfBacktestError):
    """Prisma Studio cannot use a database's URL."""

    exit_code = 2


class StudioPortError(EtfBacktestError):
    """The port that Prisma Studio shall listen on cannot be had."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(
            f"Prisma Studio cannot listen on 127.0.0.1:{port}: {reason}",
            remedy="choose another port; 0 takes any that is free",
        )
        self.port = port
        self.reason = reason


class StudioDatabaseError(EtfBacktestError):
    """Prisma Studio cannot reach the database."""

    def __init__(self, database: str, *, code: str | None, reason: str) -> None:
        super().__init__(
            f"Prisma Studio cannot use the database {database}: {reason}",
            remedy="see etf-backtest db status",
        )
        self.database = database
        self.code = code
        self.reason = reason


class StudioStoppedError(EtfBacktestError):
    """Prisma Studio ended by itself."""

    def __init__(
        self, exit_code: int, last_lines: Sequence[str], *, remedy: str = "start it again"
    ) -> None:
        said = f": {' | '.join(last_lines)}" if last_lines else ""
        super().__init__(
            f"Prisma Studio ended by itself with exit code {exit_code}{said}", remedy=remedy
        )
        self.studio_exit_code = exit_code
        self.last_lines = tuple(last_lines)
