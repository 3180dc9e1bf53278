"""The base of all, and what belongs to no room."""

from __future__ import annotations

from typing import Any

from etf_backtest.errors.wording import one_line


class EtfBacktestError(Exception):
    """Base class; catch it to catch everything that is not a bug.

    Message and remedy are one line each, whatever was quoted in them. It can be pickled: an error
    of a worker process arrives as it was raised.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        self.message = one_line(message)
        self.remedy = None if remedy is None else one_line(remedy)
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message if self.remedy is None else f"{self.message} ({self.remedy})"

    def __reduce__(self) -> tuple[Any, ...]:
        """How copy and pickle make another one: not by __init__, which wants other arguments."""
        return _restored, (type(self), self.args, self.__dict__.copy())


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


def _restored(
    kind: type[EtfBacktestError], args: tuple[Any, ...], attributes: dict[str, Any]
) -> EtfBacktestError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error
