"""Hold what trades above its average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from etf_backtest.market import PricePanel
from etf_backtest.strategies.averages import exponential, simple, simple_of_many
from etf_backtest.strategies.strategy import Rebalance, Strategy
from etf_backtest.strategies.symbols import check_symbols
from etf_backtest.strategies.weights import check_allocations, named_items
from etf_backtest.typing import BoolArray, FloatArray, IndexArray
from etf_backtest.validated import ValidatedModel

Average = Literal["simple", "exponential"]

_ROUNDING = 1e-12
"""A price this close to its average, as a fraction, is at its average."""
_FIRST_LOOK = 64
"""Sessions in which a symbol is first sought outside its band; then four times as many."""


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
    alpha * P[t] + (1 - alpha) * e[t-1]`` with ``alpha = 2 / (window + 1)`` from ``e[0] = P[0]``;
    prices that weigh less than 1e-18 in it, all together, are not looked at. It and the tolerance
    can look back to the first session there is; how much history stands before the window therefore
    plays a part. With a tolerance a decision looks back as far as a symbol was in its band.

    An average that leaves the range of floats, which only absurd prices have, is above every price.

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
        if named_items(allocations) is None:
            symbols = check_symbols("MovingAverage", allocations)
            allocations = dict.fromkeys(symbols, 1 / len(symbols))
        self.allocations = check_allocations(allocations)
        self.symbols = tuple(self.allocations)
        self.rebalance = self.parameters.rebalance
        if self.parameters.average == "simple" and not self.parameters.tolerance:
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
            with np.errstate(over="ignore"):  # an average that overflows is above every price
                weights[ready] = np.where(self._is_in(history.prices, rows), self._weights, 0.0)
        return weights

    def _is_in(self, prices: FloatArray, rows: IndexArray) -> BoolArray:
        """Whether each symbol is in on `rows`, shape (K, N); no later row plays a part."""
        if self.parameters.tolerance:
            if rows.size == 1:
                return self._last_side(prices, int(rows[0]))[np.newaxis]
            return self._sides(prices, rows)
        columns = np.arange(prices.shape[1])
        if self.parameters.average == "simple":
            level = simple(prices, rows, self.parameters.window)
        else:
            level = exponential(prices, rows, self.parameters.window, columns)
        above: BoolArray = prices[rows] > level * (1 + _ROUNDING)
        return above

    def _sides(self, prices: FloatArray, rows: IndexArray) -> BoolArray:
        """On which side of the band each symbol was last, on many rows, shape (K, N)."""
        begin = self.parameters.window - 1
        above, outside = self._band(
            prices, np.arange(begin, int(rows.max()) + 1), np.arange(prices.shape[1])
        )
        # the last session on which it left the band, or -1
        left = np.where(outside, np.arange(len(outside))[:, np.newaxis], -1)
        since = np.maximum.accumulate(left, axis=0)[rows - begin]
        known: BoolArray = np.take_along_axis(above, np.maximum(since, 0), axis=0) & (since >= 0)
        return known

    def _last_side(self, prices: FloatArray, row: int) -> BoolArray:
        """The same on one row, shape (N,): it looks back as far as a symbol is in the band."""
        known = np.zeros(prices.shape[1], dtype=np.bool_)
        within = np.arange(known.size)
        stop, size, begin = row + 1, _FIRST_LOOK, self.parameters.window - 1
        while within.size and stop > begin:
            rows = np.arange(max(begin, stop - size), stop)
            above, outside = self._band(prices, rows, within)
            last = len(rows) - 1 - outside[::-1].argmax(axis=0)
            known[within] = above[last, np.arange(within.size)]
            within = within[~outside.any(axis=0)]
            known[within] = False
            stop, size = int(rows[0]), 4 * size
        return known

    def _band(
        self, prices: FloatArray, rows: IndexArray, columns: IndexArray
    ) -> tuple[BoolArray, BoolArray]:
        """Whether prices are above the band, and whether above or below it, shape (K, n)."""
        mean = simple_of_many if self.parameters.average == "simple" else exponential
        level = mean(prices, rows, self.parameters.window, columns)
        price = prices[rows[0] : rows[-1] + 1, columns]
        above: BoolArray = price > level * (1 + self.parameters.tolerance)
        return above, above | (price < level * (1 - self.parameters.tolerance))
