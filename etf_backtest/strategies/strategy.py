"""What a strategy is to the simulation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Self, TypeAlias

import numpy as np

from etf_backtest.market import PricePanel
from etf_backtest.market.periods import Period
from etf_backtest.market.sessions import as_date
from etf_backtest.strategies.weights import as_weights
from etf_backtest.typing import BoolArray, FloatArray, IndexArray, JsonObject
from etf_backtest.validated import ValidatedModel

Rebalance: TypeAlias = Period
"""How often targets are decided: on the first session, then on the last session of each period."""


class Strategy(ABC):
    """Turns price history into target weights; knows nothing of money, costs and dates to come.

    A class of your own needs `name`, `symbols` and `target_weights`, and sets the other attributes
    where the defaults do not fit (docs/strategies.md). Its weights follow from the history alone:
    it keeps no state between two questions, which may come in any order and more than once.
    """

    name: ClassVar[str]
    """As in results and, for registered strategies, in the database (StrategyType)."""
    looks_at_prices: ClassVar[bool] = True
    """Whether the weights depend on prices; then they are filled one session after the decision."""
    uses_allocations: ClassVar[bool] = False
    """Whether a portfolio's fractions matter to it, and not only its symbols."""
    Parameters: ClassVar[type[ValidatedModel]] = ValidatedModel
    """The model of the parameters, with bounds and a JSON schema (`model_json_schema()`)."""

    symbols: tuple[str, ...]
    """What is traded; the columns of the history and the order of the weights."""
    parameters: ValidatedModel = ValidatedModel()
    """Its values, an instance of `Parameters`."""
    allocations: Mapping[str, float] = MappingProxyType({})
    """A portfolio's fractions, where `uses_allocations`."""
    rebalance: Rebalance = "monthly"
    """How often it decides, unless the rules say otherwise."""
    history_sessions: int | None = None
    """Sessions it looks at, the decision's included, so 1 is that session alone. It is not asked
    before it can have that many, and is given exactly that many. None is all there are."""

    def __init_subclass__(cls, **options: object) -> None:
        """Do without shortcuts that were written for other weights than a subclass decides on."""
        super().__init_subclass__(**options)
        own = cls.__dict__
        if "target_weights" in own and "targets" not in own:
            cls.targets = Strategy.targets  # type: ignore[method-assign]  # inherited anew
        if {"target_weights", "targets"} & set(own) and "targets_of_many" not in own:
            shortcut = Strategy.__dict__["targets_of_many"]
            cls.targets_of_many = shortcut  # type: ignore[method-assign]  # inherited anew

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.symbols)})"

    @abstractmethod
    def target_weights(self, history: PricePanel) -> FloatArray:
        """Target weights at the close of the last session of `history`.

        Parameters
        ----------
        history : PricePanel
            `symbols` in their order, complete, up to and including the decision's session.

        Returns
        -------
        ndarray of shape (N,)
            Fractions of the portfolio's value, each 0 or more, in sum at most 1 (at most
            `Rules.max_leverage` where borrowing is on); the rest is cash. What has names, a mapping
            or a pandas Series, is taken by symbol, and what it leaves out is 0.
        """

    def targets(self, history: PricePanel, ends: IndexArray) -> FloatArray:
        """Target weights of many decisions; each sees the rows before its end and no other.

        A strategy of this package overrides it where all decisions together are cheaper than one
        after the other; the answer is that of `target_weights`, to the last bit. The simulation
        does not ask classes from outside in this way: it hands them no row after the decision's.

        Parameters
        ----------
        history : PricePanel
            `symbols` in their order, complete.
        ends : ndarray of shape (K,)
            Number of rows known at each decision: rows 0 to ends[k] - 1.

        Returns
        -------
        ndarray of shape (K, N)
            Zeros, all cash, where the history is shorter than `needed_sessions`.

        Raises
        ------
        AllocationError
            `target_weights` has returned another number of weights.
        """
        weights = np.zeros((len(ends), len(self.symbols)))
        span = self.history_sessions
        for k in np.flatnonzero(self.is_ready(ends)):
            stop = int(ends[k])
            # a copy: behind a view the rows to come could be reached
            known = history.rows(0 if span is None else stop - span, stop).detached()
            when = f"that {self.name} decided on {as_date(known.dates[-1])}"
            weights[k] = as_weights(self.target_weights(known), self.symbols, when=when)
        return weights

    @classmethod
    def targets_of_many(
        cls, strategies: Sequence[Strategy], history: PricePanel, ends: IndexArray
    ) -> FloatArray:
        """Target weights of many strategies with the same `batch_key`, shape (P, K, N).

        What `targets` of each of them returns, to the last bit; see there.
        """
        weights = np.empty((len(strategies), len(ends), len(history.symbols)))
        for p, strategy in enumerate(strategies):
            weights[p] = strategy.targets(history, ends)
        return weights

    def batch_key(self) -> Hashable:
        """Equal for strategies that `targets_of_many` takes together: of one class and symbols."""
        return type(self), self.symbols

    @property
    def needed_sessions(self) -> int:
        """Sessions without which it is not asked and the money stays in cash."""
        return 1 if self.history_sessions is None else self.history_sessions

    def is_ready(self, ends: IndexArray) -> BoolArray:
        """Which decisions have history enough, shape (K,); `ends` as in `targets`."""
        ready: BoolArray = np.asarray(ends) >= self.needed_sessions
        return ready

    @classmethod
    def from_stored(
        cls, parameters: Mapping[str, object], allocations: Mapping[str, float]
    ) -> Self:
        """Build it from parameters as JSON and a portfolio's allocations.

        It calls the class with the allocations, or their symbols alone where `uses_allocations` is
        off, and then the parameters by name. Override it for a constructor of another shape.

        Raises
        ------
        InvalidParametersError, AllocationError
            A value is out of bounds.
        """
        build: Callable[..., Self] = cls
        checked = cls.Parameters.model_validate(dict(parameters))
        values = {name: getattr(checked, name) for name in cls.Parameters.model_fields}
        return build(dict(allocations) if cls.uses_allocations else tuple(allocations), **values)

    @property
    def default_lag(self) -> int:
        """Sessions from decision to fill: 1 for what looks at prices, else 0."""
        return 1 if self.looks_at_prices else 0

    def to_dict(self) -> JsonObject:
        """What it is, ready for JSON; `strategy_from_dict` builds a registered one again.

        A class from outside this package is named, because another may have the same `name`.
        """
        return {
            "name": self.name,
            **({} if is_own(self) else {"class": class_name(type(self))}),
            "symbols": list(self.symbols),
            "parameters": self.parameters.model_dump(mode="json"),
            **({"allocations": dict(self.allocations)} if self.uses_allocations else {}),
        }


def is_own(strategy: Strategy) -> bool:
    """Whether its class is of this package."""
    return type(strategy).__module__.partition(".")[0] == __name__.partition(".")[0]


def class_name(kind: type[Strategy]) -> str:
    """Module and name of a class, as in an entry point."""
    return f"{kind.__module__}:{kind.__qualname__}"
