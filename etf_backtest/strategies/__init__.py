"""Strategies: price history in, target weights out, one strategy a module."""

from etf_backtest.strategies.buy_and_hold import BuyAndHold, BuyAndHoldParameters
from etf_backtest.strategies.equal_weight import EqualWeight, EqualWeightParameters
from etf_backtest.strategies.fixed_weights import FixedWeights, FixedWeightsParameters
from etf_backtest.strategies.momentum import Momentum, MomentumParameters
from etf_backtest.strategies.registry import STRATEGIES, build_strategy
from etf_backtest.strategies.strategy import Rebalance, Strategy

__all__ = [
    "STRATEGIES",
    "BuyAndHold",
    "BuyAndHoldParameters",
    "EqualWeight",
    "EqualWeightParameters",
    "FixedWeights",
    "FixedWeightsParameters",
    "Momentum",
    "MomentumParameters",
    "Rebalance",
    "Strategy",
    "build_strategy",
]
