"""Waiting and asking again, without waiting."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from etf_backtest.errors import (
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
    SymbolNotFoundError,
)
from etf_backtest.providers.retries import Retries, RetryPolicy


def failing(*errors: ProviderError) -> Callable[[], str]:
    """Something that raises these, one after the other, and then answers."""
    left = list(errors)

    def ask() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return ask


def broken() -> ProviderError:
    return ProviderUnavailableError("SPY", provider="Yahoo", reason="failed (HTTP 500)")


def throttled(retry_after: float | None = None) -> ProviderError:
    return RateLimitedError("SPY", provider="Yahoo", status=429, retry_after=retry_after)


class Patience:
    """Retries that note how long they would have waited, and what they told."""

    def __init__(self, **policy: float) -> None:
        self.waits: list[float] = []
        self.told: list[str] = []
        self.retries = Retries(
            policy=RetryPolicy(**policy),  # type: ignore[arg-type]  # attempts is whole
            narrate=self.told.append,
            sleep=self.waits.append,
            chance=random.Random(1),
        )


def test_the_first_answer_is_the_answer() -> None:
    patience = Patience()

    assert patience.retries.until_answered(failing()) == "answer"
    assert patience.waits == []


def test_waits_grow_and_are_drawn_from_their_upper_half() -> None:
    patience = Patience(attempts=6, first_wait=2.0, longest_wait=10.0)

    assert patience.retries.until_answered(failing(*[broken()] * 5)) == "answer"

    # 2, 4, 8, then the longest
    for wait, longest in zip(patience.waits, [2.0, 4.0, 8.0, 10.0, 10.0], strict=True):
        assert longest / 2 <= wait <= longest
    assert len({wait / 10.0 for wait in patience.waits}) == 5  # no two are alike
    assert patience.told[0] == (
        f"SPY: Yahoo failed (HTTP 500); attempt 2 of 6 in {patience.waits[0]:.1f} s"
    )


def test_the_last_error_is_raised() -> None:
    patience = Patience(attempts=3)

    with pytest.raises(ProviderUnavailableError):
        patience.retries.until_answered(failing(*[broken()] * 3))

    assert len(patience.waits) == 2


@pytest.mark.parametrize(("asked", "waited"), [(7.0, 7.0), (60.0, 60.0)])
def test_what_the_provider_asks_for_is_the_least(asked: float, waited: float) -> None:
    patience = Patience(first_wait=1.0, longest_wait=60.0)

    patience.retries.until_answered(failing(throttled(asked)))

    assert patience.waits == [waited]


def test_a_provider_that_asks_for_more_than_the_longest_is_not_waited_for() -> None:
    patience = Patience(longest_wait=60.0)

    with pytest.raises(RateLimitedError):
        patience.retries.until_answered(failing(throttled(60.1)))

    assert patience.waits == []


def test_what_waiting_cannot_help_is_raised_at_once() -> None:
    patience = Patience()

    with pytest.raises(SymbolNotFoundError):
        patience.retries.until_answered(
            failing(SymbolNotFoundError("SPY", provider="Yahoo", reason="no"))
        )

    assert patience.waits == []


def test_all_waits_come_out_of_one_purse() -> None:
    patience = Patience(attempts=5, first_wait=1.0, longest_wait=10.0, total_wait=25.0)

    for _ in range(2):
        patience.retries.until_answered(failing(throttled(10.0)))
    with pytest.raises(RateLimitedError):
        patience.retries.until_answered(failing(throttled(10.0)))

    assert patience.waits == [10.0, 10.0]
    # what needs less may still wait
    assert patience.retries.until_answered(failing(throttled(5.0))) == "answer"
