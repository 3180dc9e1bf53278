"""Buy once, never trade again."""

from __future__ import annotations

from collections.abc import Mapping

from etf_backtest.strategies.fixed_targets import FixedTargets
from etf_backtest.strategies.strategy import Rebalance
from etf_backtest.validated import ValidatedModel


class BuyAndHoldParameters(ValidatedModel):
    """It has none: what to hold are the portfolio's allocations."""


class BuyAndHold(FixedTargets):
    """Buy fixed weights on the first session and let them drift.

    The baseline that everything else has to beat: W. F. Sharpe, "The Arithmetic of Active
    Management", Financial Analysts Journal 47 (1991), 7-9.

    Parameters
    ----------
    allocations : mapping of str to float
        Fraction of the initial capital for each symbol, 0 or more. Where their sum is below 1 the
        rest stays in cash; a sum above 1 needs `Rules.max_leverage`.

    Raises
    ------
    AllocationError
        A fraction is negative or no number, or they look like percent.
    """

    name = "buy_and_hold"
    Parameters = BuyAndHoldParameters
    rebalance: Rebalance = "never"

    def __init__(self, allocations: Mapping[str, float]) -> None:
        super().__init__(allocations)
        self.parameters = BuyAndHoldParameters()
