"""The base of all, and what belongs to no room."""

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


class NotConfirmedError(EtfBacktestError):
    """Something destructive was asked for where nobody can be asked back."""

    exit_code = 2

    def __init__(self, question: str) -> None:
        super().__init__(f"not confirmed: {question}", remedy="repeat it with --yes")


class OutputError(EtfBacktestError):
    """Standard output takes no more."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the output cannot be written: {reason}",
            remedy="make room and repeat it; what the command stored is stored",
        )
