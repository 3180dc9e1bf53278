"""Workers, and the children that compute for them."""

from __future__ import annotations

from etf_backtest.errors.base import EtfBacktestError


class ComputationError(EtfBacktestError):
    """A run cannot be computed; trying again would not help."""


class ComputationDiedError(ComputationError):
    """The process that computed it has ended: maybe another's fault, who took all the memory."""

    def __init__(self, how: str) -> None:
        super().__init__(f"its computation died ({how})")
        self.how = how


class LostClaimError(EtfBacktestError):
    """A backtest was cancelled, or another worker has it: what was computed was not stored."""

    def __init__(self, backtest_id: str) -> None:
        super().__init__(f"backtest {backtest_id} is no longer this worker's")
        self.backtest_id = backtest_id


class TryAgainError(EtfBacktestError):
    """A backtest could not be run because of something that may pass: it is tried again."""

    def __init__(self, backtest_id: str, reason: str, *, attempts: int) -> None:
        super().__init__(f"backtest {backtest_id} could not be run just now: {reason}")
        self.backtest_id = backtest_id
        self.attempts = attempts
