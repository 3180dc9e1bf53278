"""What buy-and-hold, fixed and equal weights share: targets that no price changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from etf_backtest.market import PricePanel
from etf_backtest.strategies.strategy import Strategy
from etf_backtest.strategies.weights import check_allocations
from etf_backtest.typing import FloatArray, IndexArray


class FixedTargets(Strategy):
    """The same weights on each decision; it looks at nothing."""

    looks_at_prices = False
    uses_allocations = True
    history_sessions = 1

    def __init__(self, allocations: Mapping[str, float]) -> None:
        self.allocations = check_allocations(allocations)
        self.symbols = tuple(self.allocations)
        self._weights = np.array(list(self.allocations.values()))

    def target_weights(self, history: PricePanel) -> FloatArray:  # noqa: ARG002  # looks at nothing
        """The allocations, whatever the prices."""
        return self._weights.copy()

    def targets(self, history: PricePanel, ends: IndexArray) -> FloatArray:  # noqa: ARG002
        """The allocations on each decision, shape (K, N)."""
        weights: FloatArray = np.where(self.is_ready(ends)[:, np.newaxis], self._weights, 0.0)
        return weights
