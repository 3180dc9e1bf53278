"""Strategies, rules and metrics that cannot be computed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from etf_backtest.errors.base import EtfBacktestError


class InvalidParametersError(EtfBacktestError):
    """Rules or parameters of a strategy have a value that is out of bounds, or an unknown name."""

    exit_code = 2

    def __init__(
        self, owner: str, problems: Sequence[str], *, accepted: Sequence[str] = ()
    ) -> None:
        remedy = f"{owner} accepts {', '.join(accepted)}" if accepted else None
        super().__init__(f"{owner}: {'; '.join(problems)}", remedy=remedy)
        self.owner = owner
        self.problems = tuple(problems)
        self.accepted = tuple(accepted)


class UnknownStrategyError(EtfBacktestError):
    """A strategy was asked for by a name that is not registered."""

    exit_code = 2

    def __init__(self, name: str, *, known: Sequence[str]) -> None:
        super().__init__(f"there is no strategy {name!r}", remedy=f"one of {', '.join(known)}")
        self.name = name
        self.known = tuple(known)


class AllocationError(EtfBacktestError):
    """Allocations or target weights that no portfolio can have: negative, or above 1 in sum."""

    def __init__(
        self, message: str, *, symbol: str | None = None, value: float | None = None
    ) -> None:
        super().__init__(
            message,
            remedy="each weight is a fraction from 0 to 1, all together at most 1; "
            "what is left stays in cash",
        )
        self.symbol = symbol
        self.value = value


class SimulationError(EtfBacktestError):
    """The simulated value left the range of numbers; the prices cannot be real."""

    def __init__(self, *, date: dt.date, value: float) -> None:
        super().__init__(
            f"the simulated value on {date} is {value}, expected a positive number",
            remedy="look for absurd jumps in the prices before that date",
        )
        self.date = date
        self.value = value


class ReturnsError(EtfBacktestError):
    """Returns or their dates that no metric can be computed from."""


class UndefinedMetricError(EtfBacktestError):
    """A metric has no finite value here; the message is the reason."""
