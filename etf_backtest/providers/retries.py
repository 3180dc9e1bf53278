"""Asking again: how often, after how long, and when it is enough."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from etf_backtest.errors import ProviderError, RateLimitedError

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patient to be with a provider; times in seconds.

    Attributes
    ----------
    attempts : int
        How often one thing is asked for, the first time included.
    first_wait : float
        Before the second attempt; it doubles with each further one.
    longest_wait : float
        No single wait is longer. A provider that asks for more is not waited for.
    total_wait : float
        Of all waits together, whatever they are for. When it is used up, each thing is asked for
        once.
    """

    attempts: int = 5
    first_wait: float = 2.0
    longest_wait: float = 60.0
    total_wait: float = 300.0


@dataclass(slots=True, kw_only=True)
class Retries:
    """Asks again after transient failures, and tells each wait.

    Waits grow exponentially from `RetryPolicy.first_wait`, each drawn evenly between half and all
    of that: processes that failed together do not come back together. Where the provider says how
    long to wait (`Retry-After`), that is the least.
    """

    policy: RetryPolicy
    narrate: Callable[[str], None]
    sleep: Callable[[float], object] = time.sleep
    chance: random.Random = field(default_factory=random.Random)
    waited: float = 0.0

    def until_answered(self, ask: Callable[[], Answer]) -> Answer:
        """The answer of the first attempt that has one.

        Raises
        ------
        ProviderError
            That of the last attempt, or the first that waiting cannot help.
        """
        for attempt in range(1, self.policy.attempts):
            try:
                return ask()
            except ProviderError as error:
                wait = self._wait_after(error, attempt)
                if wait is None:
                    raise
                self.narrate(
                    f"{error.message}; attempt {attempt + 1} of {self.policy.attempts} "
                    f"in {wait:.1f} s"
                )
                self.waited += wait
                self.sleep(wait)
        return ask()

    def _wait_after(self, error: ProviderError, attempt: int) -> float | None:
        """Seconds before the next attempt; None if there shall be none."""
        if not error.transient:
            return None
        longest: float = min(self.policy.first_wait * 2 ** (attempt - 1), self.policy.longest_wait)
        wait = longest * self.chance.uniform(0.5, 1.0)
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            wait = max(wait, error.retry_after)
        if wait > self.policy.longest_wait or self.waited + wait > self.policy.total_wait:
            return None
        return wait
