"""What a strategy is to the simulation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, Self, TypeAlias

from etf_backtest.market import PricePanel
from etf_backtest.typing import FloatArray, JsonObject
from etf_backtest.validated import ValidatedModel

Rebalance: TypeAlias = Literal[
    "never", "daily", "weekly", "monthly", "quarterly", "semiannual", "annual"
]
"""How often targets are decided: on the first session, then on the last session of each period."""


class Strategy(ABC):
    """Turns price history into target weights; knows nothing of money, costs and dates to come.

    A class of your own needs `name`, `symbols` and `target_weights`, and sets the other attributes
    where the defaults do not fit. The registered ones have parameters, too.
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
    rebalance: Rebalance = "monthly"
    """How often it decides, unless the rules say otherwise."""
    history_sessions: int | None = None
    """Sessions it looks at, the decision's included, so 1 is that session alone. It is not asked
    before it can have that many, and is given exactly that many. None is all there are."""

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
            Fractions of the portfolio's value, each 0 to 1, in sum at most 1; the rest is cash.
        """

    @classmethod
    def from_stored(
        cls, parameters: Mapping[str, object], allocations: Mapping[str, float]
    ) -> Self:
        """Build it from parameters as JSON and a portfolio's allocations.

        Raises
        ------
        InvalidParametersError, AllocationError
            A value is out of bounds.
        """
        raise NotImplementedError(f"{cls.__name__} cannot be built from stored parameters")

    @property
    def default_lag(self) -> int:
        """Sessions from decision to fill: 1 for what looks at prices, else 0."""
        return 1 if self.looks_at_prices else 0

    def to_dict(self) -> JsonObject:
        """What it is, ready for JSON."""
        return {"name": self.name, "symbols": list(self.symbols)}
