"""What is kept of each portfolio of a batch, and the metrics that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etf_backtest.typing import BoolArray, FloatArray

_CANCELLED = 100.0
"""A mean this many times as large as the scatter (both squared) leaves it too few digits."""


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """Sums and extremes over the sessions of each portfolio, each of shape (P,).

    Money is in units of the initial capital.

    Attributes
    ----------
    final : last value.
    returns : sum of the session returns.
    squares : sum of their squares.
    lowest : lowest value over its running peak, at most 1.
    traded : sum of the absolute notionals of all orders.
    values : sum of the values of all sessions, the first included.
    """

    final: FloatArray
    returns: FloatArray
    squares: FloatArray
    lowest: FloatArray
    traded: FloatArray
    values: FloatArray

    def scatter(self, sessions: int) -> FloatArray:
        """Standard deviation of the session returns (ddof = 1); NaN of one return."""
        count = sessions - 1
        if count < 2:
            return np.full_like(self.final, np.nan)
        with np.errstate(all="ignore"):
            spread = self.squares - self.returns**2 / count
            return np.sqrt(np.maximum(spread, 0.0) / (count - 1))

    def is_exact(self, sessions: int) -> BoolArray:
        """Whether the scatter has all its digits: it has not where returns hardly vary."""
        with np.errstate(all="ignore"):
            square_of_mean = self.returns**2 / (sessions - 1)
            exact: BoolArray = square_of_mean <= _CANCELLED * (self.squares - square_of_mean)
        return exact
