"""Hold less of what swings more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from etf_backtest.market import PricePanel
from etf_backtest.strategies.moments import moving, session_returns, volatilities
from etf_backtest.strategies.strategy import Rebalance, Strategy
from etf_backtest.strategies.symbols import check_symbols
from etf_backtest.typing import FloatArray
from etf_backtest.validated import ValidatedModel


class InverseVolatilityParameters(ValidatedModel):
    """Parameters of inverse volatility."""

    look_back: int = Field(
        63, ge=2, le=2520, description="Returns that the volatility is estimated from."
    )
    rebalance: Rebalance = Field("monthly", description="How often weights are computed anew.")


class InverseVolatility(Strategy):
    """Weight each symbol by the inverse of its volatility: ``w[i] = (1/s[i]) / sum(1/s[j])``.

    ``s[i]`` is the standard deviation (ddof = 1) of the last `look_back` simple returns. A symbol
    that has not moved at all has no volatility to invert, and most likely a stale price: it is left
    out. Where none has moved the money is in cash.

    Parameters
    ----------
    symbols : sequence of str
        What to hold; a portfolio's allocations play no part.
    look_back, rebalance
        See InverseVolatilityParameters.

    Raises
    ------
    InvalidParametersError
        A value is out of bounds.

    References
    ----------
    R. Leote de Carvalho, X. Lu and P. Moulin, "Demystifying Equity Risk-Based Strategies: A Simple
    Alpha plus Beta Description", Journal of Portfolio Management 38 (2012), 56-70.
    """

    name = "inverse_volatility"
    Parameters = InverseVolatilityParameters
    parameters: InverseVolatilityParameters

    def __init__(
        self, symbols: Sequence[str], *, look_back: int = 63, rebalance: Rebalance = "monthly"
    ) -> None:
        self.parameters = InverseVolatilityParameters(look_back=look_back, rebalance=rebalance)
        self.symbols = check_symbols("InverseVolatility", symbols)
        self.rebalance = self.parameters.rebalance
        self.history_sessions = self.parameters.look_back + 1

    def target_weights(self, history: PricePanel) -> FloatArray:
        """Inverse volatilities, scaled to sum to 1."""
        prices = history.prices[-self.parameters.look_back - 1 :]
        return inverse(volatilities(session_returns(prices)))


def inverse(deviations: FloatArray) -> FloatArray:
    """Weights in proportion to 1/deviation, in sum 1; 0 for what does not move, shape (N,)."""
    weights = np.zeros(deviations.size)
    alive = moving(deviations)
    if alive.any():
        shares = 1.0 / deviations[alive]
        weights[alive] = shares / shares.sum()
    return weights
