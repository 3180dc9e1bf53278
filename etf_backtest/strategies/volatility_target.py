"""Hold more of a mix while it is calm, less while it is not."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from pydantic import Field

from etf_backtest.market import PricePanel
from etf_backtest.strategies.moments import STILL, session_returns, volatilities
from etf_backtest.strategies.strategy import Rebalance, Strategy
from etf_backtest.strategies.weights import check_allocations
from etf_backtest.typing import FloatArray
from etf_backtest.validated import ValidatedModel

_SESSIONS_A_YEAR = 252


class VolatilityTargetParameters(ValidatedModel):
    """Parameters of a volatility target; the mix is the portfolio's allocations."""

    target: float = Field(
        0.10, ge=0.001, le=2, description="Volatility a year that is aimed at, a fraction."
    )
    look_back: int = Field(
        63, ge=2, le=2520, description="Returns that the volatility is estimated from."
    )
    max_exposure: float = Field(
        1.0,
        ge=0.01,
        le=10,
        description="The most that the weights may sum to; above 1 needs Rules.max_leverage.",
    )
    rebalance: Rebalance = Field("monthly", description="How often the mix is scaled anew.")


class VolatilityTarget(Strategy):
    """Scale a mix so that its latest volatility would have been the target.

    ``w = a * min(target / s, max_exposure / sum(a))`` with the allocations a. s is the volatility a
    year of the mix over the last `look_back` sessions: the standard deviation (ddof = 1) of
    ``returns @ a``, times sqrt(252). The rest is cash, or borrowed. Where the mix has not moved at
    all, s is 0 and the weights sum to `max_exposure`; where s leaves the range of floats, as with
    absurd prices, all is cash.

    Parameters
    ----------
    allocations : mapping of str to float
        The mix: fractions of 0 or more. What they lack to 1 counts as cash of no volatility.
    target, look_back, max_exposure, rebalance
        See VolatilityTargetParameters.

    Raises
    ------
    AllocationError, InvalidParametersError
        A value is out of bounds.

    References
    ----------
    A. Moreira and T. Muir, "Volatility-Managed Portfolios", Journal of Finance 72 (2017),
    1611-1644; C. R. Harvey, E. Hoyle, R. Korgaonkar, S. Rattray, M. Sargaison and O. Van Hemert,
    "The Impact of Volatility Targeting", Journal of Portfolio Management 45 (2018), 14-33.
    """

    name = "volatility_target"
    uses_allocations = True
    Parameters = VolatilityTargetParameters
    parameters: VolatilityTargetParameters

    def __init__(
        self,
        allocations: Mapping[str, float],
        *,
        target: float = 0.10,
        look_back: int = 63,
        max_exposure: float = 1.0,
        rebalance: Rebalance = "monthly",
    ) -> None:
        self.parameters = VolatilityTargetParameters(
            target=target, look_back=look_back, max_exposure=max_exposure, rebalance=rebalance
        )
        self.allocations = check_allocations(allocations)
        self.symbols = tuple(self.allocations)
        self.rebalance = self.parameters.rebalance
        self.history_sessions = self.parameters.look_back + 1
        self._mix = np.array(list(self.allocations.values()))

    def target_weights(self, history: PricePanel) -> FloatArray:
        """The allocations, scaled."""
        exposure = math.fsum(self.allocations.values())
        if exposure == 0:
            return np.zeros(len(self.symbols))
        returns = session_returns(history.prices[-self.parameters.look_back - 1 :])
        with np.errstate(over="ignore", invalid="ignore"):
            mixed = (returns * self._mix).sum(axis=1, keepdims=True)
        deviation = float(volatilities(mixed)[0])
        if not math.isfinite(deviation):
            return np.zeros(len(self.symbols))
        scale = self.parameters.max_exposure / exposure
        if deviation > STILL:
            scale = min(scale, self.parameters.target / (deviation * math.sqrt(_SESSIONS_A_YEAR)))
        return self._mix * scale
