"""Buy once, never trade again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from etf_backtest.market import PricePanel
from etf_backtest.strategies.strategy import Rebalance, Strategy
from etf_backtest.strategies.weights import check_allocations
from etf_backtest.typing import FloatArray, JsonObject
from etf_backtest.validated import ValidatedModel


class BuyAndHoldParameters(ValidatedModel):
    """It has none: what to hold are the portfolio's allocations."""


class BuyAndHold(Strategy):
    """Buy fixed weights on the first session and let them drift.

    The baseline that everything else has to beat: W. F. Sharpe, "The Arithmetic of Active
    Management", Financial Analysts Journal 47 (1991), 7-9.

    Parameters
    ----------
    allocations : mapping of str to float
        Fraction of the initial capital for each symbol, 0 to 1, in sum at most 1; what is left
        stays in cash.

    Raises
    ------
    AllocationError
        A fraction is negative, no number, or their sum is above 1.
    """

    name = "buy_and_hold"
    looks_at_prices = False
    uses_allocations = True
    Parameters = BuyAndHoldParameters
    rebalance: Rebalance = "never"
    history_sessions = 1

    def __init__(self, allocations: Mapping[str, float]) -> None:
        self.allocations = check_allocations(allocations)
        self.symbols = tuple(self.allocations)
        self._weights = np.array(list(self.allocations.values()))

    @classmethod
    def from_stored(
        cls, parameters: Mapping[str, object], allocations: Mapping[str, float]
    ) -> Self:
        """Build it from parameters as JSON (there are none) and a portfolio's allocations."""
        BuyAndHoldParameters.model_validate(dict(parameters))
        return cls(allocations)

    def target_weights(self, history: PricePanel) -> FloatArray:  # noqa: ARG002  # looks at nothing
        """The allocations, whatever the prices."""
        return self._weights.copy()

    def to_dict(self) -> JsonObject:
        """What it is, ready for JSON."""
        return {**super().to_dict(), "parameters": {}, "allocations": dict(self.allocations)}
