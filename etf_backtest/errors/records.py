"""Portfolios, strategies and backtests by name or id."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from etf_backtest.errors.base import EtfBacktestError
from etf_backtest.errors.wording import quoted


class NotFoundError(EtfBacktestError):
    """A named thing is not in the database."""

    def __init__(self, kind: str, name: str, *, known: Sequence[str], command: str) -> None:
        near = difflib.get_close_matches(name, known, n=3)
        remedy = f"did you mean {' or '.join(near)}?" if near else f"see etf-backtest {command}"
        super().__init__(f"there is no {kind} {quoted(name)}", remedy=remedy)
        self.kind = kind
        self.name = name
        self.known = tuple(known)


class AmbiguousIdError(EtfBacktestError):
    """The beginning of an id fits more than one row."""

    def __init__(self, kind: str, beginning: str, *, count: int) -> None:
        super().__init__(
            f"{count} {kind}s have an id that begins with {quoted(beginning)}",
            remedy="give more of its characters",
        )
        self.kind = kind
        self.beginning = beginning


class NameTakenError(EtfBacktestError):
    """A name that must be unique is in use, by the system where `of_system` is True."""

    def __init__(self, kind: str, name: str, *, of_system: bool = False) -> None:
        message = (
            f"{quoted(name)} is a {kind} of the system"
            if of_system
            else f"there is a {kind} {quoted(name)} already"
        )
        super().__init__(message, remedy="choose another name")
        self.kind = kind
        self.name = name


class InvalidPortfolioError(EtfBacktestError):
    """A portfolio has a value that the rules of the database forbid."""


class BacktestFailedError(EtfBacktestError):
    """A backtest could not be computed; its row says failed, with the same message."""

    def __init__(self, backtest_id: str, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(f"backtest {backtest_id} failed: {reason}", remedy=remedy)
        self.backtest_id = backtest_id
        self.reason = reason


class NothingToVerifyError(EtfBacktestError):
    """A backtest that has no results cannot be computed again and compared."""

    def __init__(self, backtest_id: str, status: str) -> None:
        super().__init__(
            f"backtest {backtest_id} is {status}: it has no results to verify",
            remedy="verify a completed one: etf-backtest backtest list --status completed",
        )
        self.backtest_id = backtest_id
        self.status = status


class NotCancellableError(EtfBacktestError):
    """A backtest that has ended cannot be cancelled any more."""

    def __init__(self, backtest_id: str, status: str) -> None:
        super().__init__(
            f"backtest {backtest_id} is {status}: only one that is pending or running can be "
            "cancelled",
            remedy=f"see what became of it: etf-backtest backtest show {backtest_id[:8]}",
        )
        self.backtest_id = backtest_id
        self.status = status


class NotRetryableError(EtfBacktestError):
    """A backtest that has not failed cannot be tried again."""

    def __init__(self, backtest_id: str, status: str) -> None:
        short = backtest_id[:8]
        super().__init__(
            f"backtest {backtest_id} is {status}: only one that failed can be tried again",
            remedy="ask for another one: etf-backtest backtest submit"
            if status == "completed"
            else f"wait for it (etf-backtest backtest watch {short}), or cancel it first "
            f"(etf-backtest backtest cancel {short})",
        )
        self.backtest_id = backtest_id
        self.status = status
