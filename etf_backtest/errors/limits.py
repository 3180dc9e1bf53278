"""What a subscription tier allows, and nothing more."""

from __future__ import annotations

from etf_backtest.errors.base import EtfBacktestError


class LimitReachedError(EtfBacktestError):
    """A user has as much of something as the tier allows; nothing was stored.

    Attributes
    ----------
    what : str
        As it is counted, "portfolios" for one.
    tier : str
    limit : int
    count : int
        How many there are; more than the limit where that was lowered since.
    """

    def __init__(self, what: str, *, tier: str, limit: int, count: int, room: str) -> None:
        super().__init__(
            f"no room for more {what}: you have {count:,}, and the tier {tier} allows {limit}",
            remedy=f"{room}, or ask whoever runs this installation for a higher tier",
        )
        self.what = what
        self.tier = tier
        self.limit = limit
        self.count = count
