"""Hold what trades above its average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from etf_backtest.market import PricePanel
from etf_backtest.strategies.strategy import Rebalance, Strategy
from etf_backtest.strategies.symbols import check_symbols
from etf_backtest.strategies.weights import check_allocations
from etf_backtest.typing import BoolArray, FloatArray, IndexArray
from etf_backtest.validated import ValidatedModel

Average = Literal["simple", "exponential"]

_ROUNDING = 1e-12
"""A price this close to its average, as a fraction, is at its average."""


class MovingAverageParameters(ValidatedModel):
    """Parameters of a moving-average trend."""

    average: Average = Field("simple", description="SMA, or EMA with alpha = 2 / (window + 1).")
    window: int = Field(200, ge=2, le=2520, description="Sessions of the average.")
    tolerance: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Distance from the average, a fraction of it, that changes nothing.",
    )
    rebalance: Rebalance = Field("monthly", description="How often prices are compared anew.")


class MovingAverage(Strategy):
    """Hold each symbol while its price is above its average, cash in its place while it is not.

    A symbol is in when ``P > average * (1 + tolerance)``, out when ``P < average * (1 -
    tolerance)``, and in between as it was on the session before; out, before it has ever left the
    band. Without a tolerance a price at its very average is out. Symbols that are in have their
    allocation; the rest is cash, also in the first ``window - 1`` sessions.

    The simple average is the mean of the last `window` prices. The exponential one is ``e[t] =
    alpha * P[t] + (1 - alpha) * e[t-1]`` with ``alpha = 2 / (window + 1)`` from ``e[0] = P[0]``. It
    and the tolerance look back to the first session there is; how much history stands before the
    window therefore plays a part.

    Parameters
    ----------
    allocations : mapping of str to float, or sequence of str
        Weight of each symbol while it is in; symbols alone have equal weights.
    average, window, tolerance, rebalance
        See MovingAverageParameters.

    Raises
    ------
    AllocationError, InvalidParametersError
        A value is out of bounds.

    References
    ----------
    M. T. Faber, "A Quantitative Approach to Tactical Asset Allocation", Journal of Wealth
    Management 9 (2007), 69-79: month ends, ten months, equal weights.
    """

    name = "moving_average"
    uses_allocations = True
    Parameters = MovingAverageParameters
    parameters: MovingAverageParameters

    def __init__(
        self,
        allocations: Mapping[str, float] | Sequence[str],
        *,
        average: Average = "simple",
        window: int = 200,
        tolerance: float = 0.0,
        rebalance: Rebalance = "monthly",
    ) -> None:
        self.parameters = MovingAverageParameters(
            average=average, window=window, tolerance=tolerance, rebalance=rebalance
        )
        if not isinstance(allocations, Mapping):
            symbols = check_symbols("MovingAverage", allocations)
            allocations = dict.fromkeys(symbols, 1 / len(symbols))
        self.allocations = check_allocations(allocations)
        self.symbols = tuple(self.allocations)
        self.rebalance = self.parameters.rebalance
        if average == "simple" and tolerance == 0:
            self.history_sessions = self.parameters.window
        self._weights = np.array(list(self.allocations.values()))

    @property
    def needed_sessions(self) -> int:
        """As many as the average has."""
        return self.parameters.window

    def target_weights(self, history: PricePanel) -> FloatArray:
        """The allocations of the symbols that are in."""
        weights: FloatArray = self.targets(history, np.array([history.dates.size]))[0]
        return weights

    def targets(self, history: PricePanel, ends: IndexArray) -> FloatArray:
        """The allocations of the symbols that are in on each decision, shape (K, N)."""
        weights = np.zeros((len(ends), len(self.symbols)))
        ready = self.is_ready(ends)
        if ready.any():
            rows = np.asarray(ends)[ready] - 1
            weights[ready] = np.where(self._is_in(history.prices, rows), self._weights, 0.0)
        return weights

    def _is_in(self, prices: FloatArray, rows: IndexArray) -> BoolArray:
        """Whether each symbol is in on `rows`, shape (K, N); no later row plays a part."""
        window = self.parameters.window
        tolerance = max(self.parameters.tolerance, _ROUNDING)
        every = rows if self.history_sessions else np.arange(window - 1, int(rows.max()) + 1)
        mean = _simple if self.parameters.average == "simple" else _exponential
        level = mean(prices, every, window)
        above: BoolArray = prices[every] > level * (1 + tolerance)
        if self.history_sessions:
            return above
        outside = above | (prices[every] < level * (1 - tolerance))
        # the last session on which it left the band, or -1
        left = np.where(outside, np.arange(every.size)[:, np.newaxis], -1)
        since = np.maximum.accumulate(left, axis=0)[rows - (window - 1)]
        known: BoolArray = np.take_along_axis(above, np.maximum(since, 0), axis=0) & (since >= 0)
        return known


def _simple(prices: FloatArray, rows: IndexArray, window: int) -> FloatArray:
    """Mean of the last `window` prices on each of `rows`, shape (K, N).

    Summed price by price, so that one row and all of them give the same bits.
    """
    total = np.zeros((rows.size, prices.shape[1]))
    for back in range(window - 1, -1, -1):
        total += prices[rows - back]
    return total / window


def _exponential(prices: FloatArray, rows: IndexArray, window: int) -> FloatArray:
    """Exponential average on each of `rows`, which ascend without a gap, shape (K, N)."""
    alpha = 2 / (window + 1)
    levels = np.empty((int(rows[-1]) + 1, prices.shape[1]))
    level = levels[0] = prices[0]
    for row in range(1, len(levels)):
        level = levels[row] = alpha * prices[row] + (1 - alpha) * level
    return levels[rows]
