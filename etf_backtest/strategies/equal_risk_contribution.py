"""Let every symbol carry the same part of the risk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from etf_backtest.market import PricePanel
from etf_backtest.strategies.inverse_volatility import inverse
from etf_backtest.strategies.moments import covariance, moving, session_returns
from etf_backtest.strategies.risk_budgeting import equal_risk_weights
from etf_backtest.strategies.strategy import Rebalance, Strategy
from etf_backtest.strategies.symbols import check_symbols
from etf_backtest.typing import FloatArray
from etf_backtest.validated import ValidatedModel


class EqualRiskContributionParameters(ValidatedModel):
    """Parameters of equal risk contribution."""

    look_back: int = Field(
        252, ge=2, le=2520, description="Returns that the covariance is estimated from."
    )
    rebalance: Rebalance = Field("monthly", description="How often weights are computed anew.")


class EqualRiskContribution(Strategy):
    """Hold the long-only mix in which ``w[i] * (S @ w)[i]`` is the same for each symbol i.

    S is the sample covariance (ddof = 1) of the last `look_back` simple returns. Contributions are
    equal to 1e-10 of themselves. A symbol that has not moved at all carries no risk whatever its
    weight, and most likely has a stale price: it is left out; where none has moved the money is in
    cash. Where symbols offset each other perfectly, so that some mix has no risk at all, no
    portfolio has equal contributions, and the weights are those of InverseVolatility.

    Parameters
    ----------
    symbols : sequence of str
        What to hold; a portfolio's allocations play no part.
    look_back, rebalance
        See EqualRiskContributionParameters.

    Raises
    ------
    InvalidParametersError
        A value is out of bounds.

    References
    ----------
    S. Maillard, T. Roncalli and J. Teiletche, "The Properties of Equally Weighted Risk Contribution
    Portfolios", Journal of Portfolio Management 36 (2010), 60-70. The solver is in
    `risk_budgeting`.
    """

    name = "equal_risk_contribution"
    Parameters = EqualRiskContributionParameters
    parameters: EqualRiskContributionParameters

    def __init__(
        self, symbols: Sequence[str], *, look_back: int = 252, rebalance: Rebalance = "monthly"
    ) -> None:
        self.parameters = EqualRiskContributionParameters(look_back=look_back, rebalance=rebalance)
        self.symbols = check_symbols("EqualRiskContribution", symbols)
        self.rebalance = self.parameters.rebalance
        self.history_sessions = self.parameters.look_back + 1

    def target_weights(self, history: PricePanel) -> FloatArray:
        """Weights of equal risk contributions, in sum 1."""
        returns = session_returns(history.prices[-self.parameters.look_back - 1 :])
        spread = covariance(returns)
        deviations = np.sqrt(np.diag(spread))
        alive = np.flatnonzero(moving(deviations))
        weights = np.zeros(len(self.symbols))
        if not alive.size:
            return weights
        scale = deviations[alive]
        correlation = spread[np.ix_(alive, alive)] / (scale[:, np.newaxis] * scale)
        solved = equal_risk_weights(correlation, scale)
        weights[alive] = inverse(scale) if solved is None else solved
        return weights
