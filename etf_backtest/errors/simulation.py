"""Strategies, rules and metrics that cannot be computed."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

from etf_backtest.errors.base import EtfBacktestError
from etf_backtest.errors.wording import joined, listed, quoted


class InvalidParametersError(EtfBacktestError):
    """Rules or parameters of a strategy have a value that is out of bounds, or an unknown name."""

    exit_code = 2

    def __init__(
        self, owner: str, problems: Sequence[str], *, accepted: Sequence[str] = ()
    ) -> None:
        remedy = f"{owner} accepts {', '.join(accepted)}" if accepted else None
        super().__init__(f"{owner}: {joined(problems)}", remedy=remedy)
        self.owner = owner
        self.problems = tuple(problems)
        self.accepted = tuple(accepted)


class UnknownStrategyError(EtfBacktestError):
    """A strategy was asked for by a name that is not registered."""

    exit_code = 2

    def __init__(self, name: str, *, known: Sequence[str]) -> None:
        super().__init__(f"there is no strategy {quoted(name)}", remedy=f"one of {listed(known)}")
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


_MOST_LEVERAGE = 10
"""What Rules.max_leverage allows at most."""


class LeverageError(AllocationError):
    """Allocations or target weights whose sum is above what the rules allow."""

    def __init__(self, total: float, *, when: str = "", max_leverage: float = 1.0) -> None:
        off = "1: leverage is off" if max_leverage == 1 else f"max_leverage = {max_leverage:g}"
        hint = "they look like percent"
        if total <= _MOST_LEVERAGE:
            enough = max(math.ceil(round(total * 100, 6)) / 100, max_leverage + 0.01)
            hint = f"Rules(max_leverage={enough:g}, borrow_rate=...) lets a portfolio borrow"
        EtfBacktestError.__init__(
            self,
            f"the weights{when} sum to {total:.10g}, above {off}",
            remedy=f"weights are fractions of the value, 0.6 is 60 %; {hint}",
        )
        self.symbol = None
        self.value = total
        self.max_leverage = max_leverage


class OptionalDependencyError(EtfBacktestError):
    """Something needs a library that is not installed, because it belongs to an extra."""

    exit_code = 2

    def __init__(self, what: str, *, library: str, extra: str) -> None:
        super().__init__(
            f"{what} needs {library}, which is not installed",
            remedy=f'pip install "etf-backtest[{extra}]"',
        )
        self.library = library
        self.extra = extra


class EntryPointError(EtfBacktestError):
    """A strategy that another package offers cannot be used."""

    exit_code = 2

    def __init__(self, name: str, *, value: str, package: str, reason: str) -> None:
        super().__init__(
            f"the strategy {name!r} ({value}, of the package {package}) cannot be used: {reason}",
            remedy="mend the package's entry point in the group etf_backtest.strategies, "
            "or uninstall it",
        )
        self.name = name
        self.value = value
        self.package = package
        self.reason = reason


class LookAheadError(EtfBacktestError):
    """A strategy's decision depends on more than the history before it."""

    def __init__(
        self,
        strategy: str,
        *,
        date: dt.date,
        symbol: str,
        weights: tuple[float, float],
        how: tuple[str, str],
        remedy: str,
    ) -> None:
        super().__init__(
            f"{strategy} decides on {date} that the weight of {symbol} is {weights[0]!r} "
            f"{how[0]}, but {weights[1]!r} {how[1]}",
            remedy=remedy,
        )
        self.date = date
        self.symbol = symbol
        self.weights = weights


class OptimizationError(EtfBacktestError):
    """An optimiser finds no weights."""

    def __init__(self, strategy: str, *, reason: str) -> None:
        super().__init__(
            f"{strategy} finds no weights: {' '.join(reason.split())}",
            remedy="a longer look_back, or fewer symbols that move alike, may help",
        )
        self.reason = reason


class CostsError(EtfBacktestError):
    """Orders would cost more than the portfolio is worth."""

    def __init__(self, *, date: dt.date, money: float) -> None:
        super().__init__(
            f"on {date} the orders would cost more than the {money:,.2f} that there are",
            remedy="lower the costs of an order, start with more, or rebalance less often",
        )
        self.date = date
        self.money = money
