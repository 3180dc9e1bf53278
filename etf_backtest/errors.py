"""Every error that etf_backtest raises itself, one class per condition.

The message says what happened and where, `remedy` says what to do. The command line prints both on
one line each and exits with `exit_code`. Errors of the database's engine are prisma-client-py's own
classes (`etf_backtest.database.client.errors`).
"""

from __future__ import annotations


class EtfBacktestError(Exception):
    """Base class; catch it to catch everything that is not a bug."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return self.message if self.remedy is None else f"{self.message} ({self.remedy})"


class SettingsError(EtfBacktestError):
    """A setting from the environment or `.env` has a value that cannot be used."""

    exit_code = 2
