"""Hold the mix that swings least."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from etf_backtest.market import PricePanel
from etf_backtest.strategies.mean_variance import check_skfolio, optimal_weights
from etf_backtest.strategies.moments import moving, session_returns, volatilities
from etf_backtest.strategies.strategy import Rebalance, Strategy
from etf_backtest.strategies.symbols import check_symbols
from etf_backtest.typing import FloatArray
from etf_backtest.validated import ValidatedModel


class MinimumVarianceParameters(ValidatedModel):
    """Parameters of minimum variance."""

    look_back: int = Field(
        252, ge=2, le=2520, description="Returns that the covariance is estimated from."
    )
    rebalance: Rebalance = Field("monthly", description="How often weights are computed anew.")


class MinimumVariance(Strategy):
    """Hold the weights that minimise ``w @ S @ w`` with ``sum(w) = 1`` and ``w >= 0``.

    S is the sample covariance (ddof = 1) of the last `look_back` simple returns; skfolio solves it,
    and its solution is made exact. A symbol that has not moved at all most likely has a stale
    price: it is left out. Where none has moved the money is in cash. Where a singular covariance
    has no exact solution, skfolio's weights for the nearest one that is not singular are taken.

    Parameters
    ----------
    symbols : sequence of str
        What to choose from; a portfolio's allocations play no part.
    look_back, rebalance
        See MinimumVarianceParameters.

    Raises
    ------
    InvalidParametersError
        A value is out of bounds.
    OptionalDependencyError
        The extra `optimize` is not installed.

    References
    ----------
    H. Markowitz, "Portfolio Selection", Journal of Finance 7 (1952), 77-91; R. Clarke, H. de Silva
    and S. Thorley, "Minimum-Variance Portfolios in the U.S. Equity Market", Journal of Portfolio
    Management 33 (2006), 10-24.
    """

    name = "minimum_variance"
    Parameters = MinimumVarianceParameters
    parameters: MinimumVarianceParameters

    def __init__(
        self, symbols: Sequence[str], *, look_back: int = 252, rebalance: Rebalance = "monthly"
    ) -> None:
        self.parameters = MinimumVarianceParameters(look_back=look_back, rebalance=rebalance)
        self.symbols = check_symbols("MinimumVariance", symbols)
        self.rebalance = self.parameters.rebalance
        self.history_sessions = self.parameters.look_back + 1
        check_skfolio("MinimumVariance")

    def target_weights(self, history: PricePanel) -> FloatArray:
        """Weights of the least variance, in sum 1."""
        returns = session_returns(history.prices[-self.parameters.look_back - 1 :])
        alive = moving(volatilities(returns))
        weights = np.zeros(len(self.symbols))
        if alive.any():
            weights[alive] = optimal_weights(
                returns[:, alive], "MINIMIZE_RISK", owner="MinimumVariance"
            )
        return weights
