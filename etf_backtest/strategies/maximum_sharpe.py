"""Hold the mix that paid most for its swings."""

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

_SESSIONS_A_YEAR = 252
_NO_REWARD = 1e-6
"""A mean excess return of at most this many deviations a session is none."""


class MaximumSharpeParameters(ValidatedModel):
    """Parameters of maximum Sharpe ratio."""

    look_back: int = Field(
        252, ge=2, le=2520, description="Returns that mean and covariance are estimated from."
    )
    risk_free: float = Field(
        0.0, ge=-0.5, le=1, description="Rate a year that returns are measured against, a fraction."
    )
    rebalance: Rebalance = Field("monthly", description="How often weights are computed anew.")


class MaximumSharpe(Strategy):
    """Hold the weights that maximise ``(w @ m - f) / sqrt(w @ S @ w)``, sum(w) = 1, w >= 0.

    m and S are the sample mean and covariance (ddof = 1) of the last `look_back` simple returns and
    f is ``(1 + risk_free)^(1/252) - 1``; skfolio solves it, and its solution is made exact. Where
    no symbol has returned more than f on average the money is in cash. A symbol that has not moved
    at all most likely has a stale price: it is left out. Where a singular covariance has no exact
    solution, skfolio's weights for the nearest one that is not singular are taken.

    Parameters
    ----------
    symbols : sequence of str
        What to choose from; a portfolio's allocations play no part.
    look_back, risk_free, rebalance
        See MaximumSharpeParameters.

    Raises
    ------
    InvalidParametersError
        A value is out of bounds.
    OptionalDependencyError
        The extra `optimize` is not installed.

    References
    ----------
    W. F. Sharpe, "Mutual Fund Performance", Journal of Business 39 (1966), 119-138; J. Tobin,
    "Liquidity Preference as Behavior Towards Risk", Review of Economic Studies 25 (1958), 65-86.
    """

    name = "maximum_sharpe"
    Parameters = MaximumSharpeParameters
    parameters: MaximumSharpeParameters

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        look_back: int = 252,
        risk_free: float = 0.0,
        rebalance: Rebalance = "monthly",
    ) -> None:
        self.parameters = MaximumSharpeParameters(
            look_back=look_back, risk_free=risk_free, rebalance=rebalance
        )
        self.symbols = check_symbols("MaximumSharpe", symbols)
        self.rebalance = self.parameters.rebalance
        self.history_sessions = self.parameters.look_back + 1
        self._hurdle = (1 + self.parameters.risk_free) ** (1 / _SESSIONS_A_YEAR) - 1
        check_skfolio("MaximumSharpe")

    def target_weights(self, history: PricePanel) -> FloatArray:
        """Weights of the highest Sharpe ratio, in sum 1, or all cash."""
        returns = session_returns(history.prices[-self.parameters.look_back - 1 :])
        deviations = volatilities(returns)
        alive = moving(deviations)
        with np.errstate(over="ignore"):  # of what is left out below
            excess = returns.mean(axis=0) - self._hurdle
        weights = np.zeros(len(self.symbols))
        if (excess > _NO_REWARD * deviations)[alive].any():
            weights[alive] = optimal_weights(
                returns[:, alive], "MAXIMIZE_RATIO", owner="MaximumSharpe", risk_free=self._hurdle
            )
        return weights
