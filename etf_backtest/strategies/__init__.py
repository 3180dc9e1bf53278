"""Strategies: price history in, target weights out, one strategy a module."""

from etf_backtest.strategies.buy_and_hold import BuyAndHold, BuyAndHoldParameters
from etf_backtest.strategies.momentum import Momentum, MomentumParameters
from etf_backtest.strategies.registry import STRATEGIES, build_strategy
from etf_backtest.strategies.strategy import Rebalance, Strategy

__all__ = [
    "STRATEGIES",
    "BuyAndHold",
    "BuyAndHoldParameters",
    "Momentum",
    "MomentumParameters",
    "Rebalance",
    "Strategy",
    "build_strategy",
]
