"""The strategies that a stored name can stand for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from etf_backtest.errors import UnknownStrategyError
from etf_backtest.strategies.buy_and_hold import BuyAndHold
from etf_backtest.strategies.dual_momentum import DualMomentum
from etf_backtest.strategies.equal_risk_contribution import EqualRiskContribution
from etf_backtest.strategies.equal_weight import EqualWeight
from etf_backtest.strategies.fixed_weights import FixedWeights
from etf_backtest.strategies.inverse_volatility import InverseVolatility
from etf_backtest.strategies.maximum_sharpe import MaximumSharpe
from etf_backtest.strategies.minimum_variance import MinimumVariance
from etf_backtest.strategies.momentum import Momentum
from etf_backtest.strategies.moving_average import MovingAverage
from etf_backtest.strategies.strategy import Strategy
from etf_backtest.strategies.volatility_target import VolatilityTarget

_BUILT_IN: tuple[type[Strategy], ...] = (
    BuyAndHold,
    FixedWeights,
    EqualWeight,
    Momentum,
    DualMomentum,
    MovingAverage,
    InverseVolatility,
    EqualRiskContribution,
    VolatilityTarget,
    MinimumVariance,
    MaximumSharpe,
)
STRATEGIES: Mapping[str, type[Strategy]] = MappingProxyType({kind.name: kind for kind in _BUILT_IN})
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
