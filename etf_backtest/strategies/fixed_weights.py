"""Go back to the same weights again and again."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from etf_backtest.strategies.fixed_targets import FixedTargets
from etf_backtest.strategies.strategy import Rebalance
from etf_backtest.validated import ValidatedModel


class FixedWeightsParameters(ValidatedModel):
    """Parameters of fixed weights; the weights are the portfolio's allocations."""

    rebalance: Rebalance = Field("monthly", description="How often it goes back to the weights.")


class FixedWeights(FixedTargets):
    """Hold fixed weights and rebalance to them each period: ``w[i] = allocation[i]``.

    Parameters
    ----------
    allocations : mapping of str to float
        Fraction of the value for each symbol, 0 or more. Where their sum is below 1 the rest stays
        in cash; a sum above 1 needs `Rules.max_leverage`.
    rebalance
        See FixedWeightsParameters; the rules can say otherwise.

    Raises
    ------
    AllocationError
        A fraction is negative or no number, or they look like percent.

    References
    ----------
    A. F. Perold and W. F. Sharpe, "Dynamic Strategies for Asset Allocation", Financial Analysts
    Journal 44 (1988), 16-27: the "constant mix".
    """

    name = "fixed_weights"
    Parameters = FixedWeightsParameters

    def __init__(
        self, allocations: Mapping[str, float], *, rebalance: Rebalance = "monthly"
    ) -> None:
        super().__init__(allocations)
        self.parameters = FixedWeightsParameters(rebalance=rebalance)
        self.rebalance = self.parameters.rebalance
