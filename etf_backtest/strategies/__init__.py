"""Strategies: price history in, target weights out, one strategy a module."""

from etf_backtest.strategies.buy_and_hold import BuyAndHold, BuyAndHoldParameters
from etf_backtest.strategies.checks import check_strategy
from etf_backtest.strategies.dual_momentum import DualMomentum, DualMomentumParameters
from etf_backtest.strategies.equal_risk_contribution import (
    EqualRiskContribution,
    EqualRiskContributionParameters,
)
from etf_backtest.strategies.equal_weight import EqualWeight, EqualWeightParameters
from etf_backtest.strategies.fixed_weights import FixedWeights, FixedWeightsParameters
from etf_backtest.strategies.inverse_volatility import (
    InverseVolatility,
    InverseVolatilityParameters,
)
from etf_backtest.strategies.look_ahead import LookAheadProof, StrategyFactory, prove_no_lookahead
from etf_backtest.strategies.maximum_sharpe import MaximumSharpe, MaximumSharpeParameters
from etf_backtest.strategies.minimum_variance import MinimumVariance, MinimumVarianceParameters
from etf_backtest.strategies.momentum import Momentum, MomentumParameters
from etf_backtest.strategies.moving_average import MovingAverage, MovingAverageParameters
from etf_backtest.strategies.registry import (
    STRATEGIES,
    available_strategies,
    build_strategy,
    find_strategy_class,
    strategy_from_dict,
)
from etf_backtest.strategies.strategy import Rebalance, Strategy
from etf_backtest.strategies.volatility_target import VolatilityTarget, VolatilityTargetParameters

__all__ = [
    "STRATEGIES",
    "BuyAndHold",
    "BuyAndHoldParameters",
    "DualMomentum",
    "DualMomentumParameters",
    "EqualRiskContribution",
    "EqualRiskContributionParameters",
    "EqualWeight",
    "EqualWeightParameters",
    "FixedWeights",
    "FixedWeightsParameters",
    "InverseVolatility",
    "InverseVolatilityParameters",
    "LookAheadProof",
    "MaximumSharpe",
    "MaximumSharpeParameters",
    "MinimumVariance",
    "MinimumVarianceParameters",
    "Momentum",
    "MomentumParameters",
    "MovingAverage",
    "MovingAverageParameters",
    "Rebalance",
    "Strategy",
    "StrategyFactory",
    "VolatilityTarget",
    "VolatilityTargetParameters",
    "available_strategies",
    "build_strategy",
    "check_strategy",
    "find_strategy_class",
    "prove_no_lookahead",
    "strategy_from_dict",
]
