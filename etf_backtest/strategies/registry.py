"""The strategies that a stored name can stand for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from etf_backtest.errors import UnknownStrategyError
from etf_backtest.strategies.buy_and_hold import BuyAndHold
from etf_backtest.strategies.equal_weight import EqualWeight
from etf_backtest.strategies.fixed_weights import FixedWeights
from etf_backtest.strategies.momentum import Momentum
from etf_backtest.strategies.strategy import Strategy

STRATEGIES: Mapping[str, type[Strategy]] = MappingProxyType(
    {kind.name: kind for kind in (BuyAndHold, FixedWeights, EqualWeight, Momentum)}
)
"""Class by name; the names are those of the database's enum StrategyType."""


def build_strategy(
    name: str, parameters: Mapping[str, object], allocations: Mapping[str, float]
) -> Strategy:
    """Build a registered strategy from what the database keeps of it.

    Parameters
    ----------
    name : str
        A key of STRATEGIES.
    parameters : mapping
        The strategy's parameters, as JSON; what is left out has its default.
    allocations : mapping of str to float
        Symbols of the portfolio and their fractions. Momentum takes the symbols only.

    Raises
    ------
    UnknownStrategyError
        Listing the known names.
    InvalidParametersError, AllocationError
        Naming the value that is out of bounds.
    """
    if name not in STRATEGIES:
        raise UnknownStrategyError(name, known=tuple(STRATEGIES))
    return STRATEGIES[name].from_stored(parameters, allocations)
