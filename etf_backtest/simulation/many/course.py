"""What the portfolios of a batch have in common: prices between fills, and the cost of an order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etf_backtest.typing import FloatArray, IndexArray


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Prices of a window relative to the last fill before each session.

    Attributes
    ----------
    relatives : ndarray of shape (T - 1, N + 1)
        Row t - 1 is the price of row t over that of the last fill before row t (of row 0 where
        there is none). The last column is cash with its interest.
    fills : ndarray of shape (K,)
        Rows of the window on which targets are filled, strictly ascending, below T - 1.
    rate : float
        Costs of an order, a fraction of its notional.
    """

    relatives: FloatArray
    fills: IndexArray
    rate: float

    @property
    def sessions(self) -> int:
        """T."""
        return len(self.relatives) + 1

    @property
    def width(self) -> int:
        """N, without cash."""
        return int(self.relatives.shape[1]) - 1


def course_of(prices: FloatArray, growth: FloatArray, fills: IndexArray, *, rate: float) -> Course:
    """Divide the prices by those of the last fill.

    Parameters
    ----------
    prices : ndarray of shape (T, N)
        Total-return prices, positive and finite.
    growth : ndarray of shape (T - 1,)
        What one unit of cash becomes from each session to the next.
    fills : ndarray of shape (K,)
    rate : float
    """
    levels = np.empty((len(prices), prices.shape[1] + 1))
    levels[:, :-1] = prices
    levels[0, -1] = 1.0
    np.cumprod(growth, out=levels[1:, -1])
    last = np.zeros(len(prices) - 1, dtype=np.intp)
    last[fills] = fills
    with np.errstate(over="ignore"):  # what overflows is looked at afterwards
        return Course(levels[1:] / levels[np.maximum.accumulate(last)], fills, rate)
