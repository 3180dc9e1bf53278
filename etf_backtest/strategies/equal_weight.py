"""The same share for everybody."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from etf_backtest.strategies.fixed_targets import FixedTargets
from etf_backtest.strategies.strategy import Rebalance
from etf_backtest.strategies.symbols import check_symbols
from etf_backtest.validated import ValidatedModel


class EqualWeightParameters(ValidatedModel):
    """Parameters of equal weights."""

    rebalance: Rebalance = Field("monthly", description="How often it goes back to 1/N.")


class EqualWeight(FixedTargets):
    """Hold the same fraction of the value in each symbol: ``w[i] = 1 / N``.

    Parameters
    ----------
    symbols : sequence of str
        What to hold; a portfolio's allocations play no part.
    rebalance
        See EqualWeightParameters; the rules can say otherwise.

    Raises
    ------
    InvalidParametersError
        There are no symbols, or one stands twice.

    References
    ----------
    V. DeMiguel, L. Garlappi and R. Uppal, "Optimal Versus Naive Diversification: How Inefficient is
    the 1/N Portfolio Strategy?", Review of Financial Studies 22 (2009), 1915-1953.
    """

    name = "equal_weight"
    uses_allocations = False
    Parameters = EqualWeightParameters

    def __init__(self, symbols: Sequence[str], *, rebalance: Rebalance = "monthly") -> None:
        chosen = check_symbols("EqualWeight", symbols)
        super().__init__(dict.fromkeys(chosen, 1 / len(chosen)))
        self.parameters = EqualWeightParameters(rebalance=rebalance)
        self.rebalance = self.parameters.rebalance
