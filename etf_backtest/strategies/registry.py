"""The strategies that a stored name can stand for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from etf_backtest.errors import InvalidParametersError, UnknownStrategyError
from etf_backtest.strategies.buy_and_hold import BuyAndHold
from etf_backtest.strategies.dual_momentum import DualMomentum
from etf_backtest.strategies.entry_points import load, offered
from etf_backtest.strategies.equal_risk_contribution import EqualRiskContribution
from etf_backtest.strategies.equal_weight import EqualWeight
from etf_backtest.strategies.fixed_weights import FixedWeights
from etf_backtest.strategies.inverse_volatility import InverseVolatility
from etf_backtest.strategies.maximum_sharpe import MaximumSharpe
from etf_backtest.strategies.minimum_variance import MinimumVariance
from etf_backtest.strategies.momentum import Momentum
from etf_backtest.strategies.moving_average import MovingAverage
from etf_backtest.strategies.strategy import Strategy, class_name
from etf_backtest.strategies.symbols import shown
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


def available_strategies() -> Mapping[str, type[Strategy]]:
    """Every strategy that a name can stand for: STRATEGIES, and those of other packages.

    Raises
    ------
    EntryPointError
        Naming the entry point that cannot be used.
    """
    others = {name: load(entries, taken=STRATEGIES) for name, entries in offered().items()}
    return MappingProxyType({**STRATEGIES, **others})


def find_strategy_class(name: str) -> type[Strategy]:
    """The class of a name; of other packages' classes only this one is imported.

    Raises
    ------
    UnknownStrategyError
        Listing the known names.
    EntryPointError
        The name is that of an entry point that cannot be used.
    """
    if name in STRATEGIES:
        return STRATEGIES[name]
    others = offered()
    if name not in others:
        raise UnknownStrategyError(name, known=(*STRATEGIES, *others))
    return load(others[name], taken=STRATEGIES)


def build_strategy(
    name: str, parameters: Mapping[str, object], allocations: Mapping[str, float]
) -> Strategy:
    """Build a strategy from what the database keeps of it.

    Parameters
    ----------
    name : str
        A key of `available_strategies()`.
    parameters : mapping
        The strategy's parameters, as JSON; what is left out has its default.
    allocations : mapping of str to float
        Symbols of the portfolio and their fractions. Momentum, for one, takes the symbols only.

    Raises
    ------
    UnknownStrategyError
        Listing the known names.
    EntryPointError
        The name is that of an entry point that cannot be used.
    InvalidParametersError, AllocationError
        Naming the value that is out of bounds.
    """
    return find_strategy_class(name).from_stored(parameters, allocations)


def strategy_from_dict(data: Mapping[str, object]) -> Strategy:
    """Build a strategy again from its `to_dict()`.

    Raises
    ------
    UnknownStrategyError
        Its name, or a class of that name, is not known here.
    InvalidParametersError, AllocationError
        The values are not those of a strategy.
    """
    match data:
        case {"name": str(name), "symbols": [*symbols]}:
            pass
        case _:
            raise InvalidParametersError(
                "strategy_from_dict", [f"expected a name and symbols, received {shown(data)}"]
            )
    parameters, allocations = data.get("parameters", {}), data.get("allocations")
    if not isinstance(parameters, Mapping) or not isinstance(allocations, Mapping | None):
        raise InvalidParametersError(
            "strategy_from_dict",
            [f"parameters, allocations: expected objects, received {shown(data)}"],
        )
    kind, written = find_strategy_class(name), data.get("class")
    if written is not None and written != class_name(kind):
        raise UnknownStrategyError(str(written), known=(class_name(kind),))
    return kind.from_stored(
        parameters, dict.fromkeys(map(str, symbols), 0.0) if allocations is None else allocations
    )
