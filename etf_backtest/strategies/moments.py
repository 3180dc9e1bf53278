"""What a strategy estimates from its look-back: returns, volatilities, covariances.

The sums run in one order whatever the layout of the prices in memory, and none goes through BLAS:
the same history gives the same bits.
"""

from __future__ import annotations

import numpy as np

from etf_backtest.typing import BoolArray, FloatArray

STILL = 1e-12
"""A symbol whose volatility a session is at most this has not moved; the rest is rounding."""


def session_returns(prices: FloatArray) -> FloatArray:
    """Simple returns of prices of shape (L + 1, N), shape (L, N), as fractions.

    Infinite where they leave the range of floats, as only those of absurd prices do.
    """
    prices = np.ascontiguousarray(prices)
    with np.errstate(over="ignore"):
        returns: FloatArray = prices[1:] / prices[:-1] - 1.0
    return returns


def volatilities(returns: FloatArray) -> FloatArray:
    """Standard deviation a session (ddof = 1) of each column, shape (N,).

    Infinite or NaN where squares of the returns leave the range of floats.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        deviations: FloatArray = returns.std(axis=0, ddof=1)
    return deviations


def moving(deviations: FloatArray) -> BoolArray:
    """Which of these volatilities are above rounding, and numbers, shape (N,)."""
    above: BoolArray = (deviations > STILL) & (deviations < np.inf)
    return above


def covariance(returns: FloatArray) -> FloatArray:
    """Sample covariance a session (ddof = 1), shape (N, N).

    Infinite or NaN where products of the returns leave the range of floats.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        centred = returns - returns.mean(axis=0)
        products: FloatArray = np.einsum("ti,tj->ij", centred, centred)
        return products / (len(returns) - 1)
