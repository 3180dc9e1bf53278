"""One of each registered strategy, and panels to ask them about."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from etf_backtest.market import PriceBasis, PricePanel
from etf_backtest.strategies import (
    BuyAndHold,
    DualMomentum,
    EqualRiskContribution,
    EqualWeight,
    FixedWeights,
    InverseVolatility,
    MaximumSharpe,
    MinimumVariance,
    Momentum,
    MovingAverage,
    Strategy,
    VolatilityTarget,
)
from etf_backtest.typing import FloatArray

SYMBOLS = ("C", "A", "D", "B")
ALLOCATIONS = {"C": 0.3, "A": 0.1, "D": 0.35, "B": 0.15}

SAMPLES: dict[str, tuple[Callable[[], Strategy], ...]] = {
    "buy_and_hold": (lambda: BuyAndHold(ALLOCATIONS),),
    "fixed_weights": (lambda: FixedWeights(ALLOCATIONS, rebalance="quarterly"),),
    "equal_weight": (lambda: EqualWeight(SYMBOLS),),
    "momentum": (
        lambda: Momentum(SYMBOLS, look_back=9, skip=2, top_n=2),
        lambda: Momentum(SYMBOLS, look_back=5, skip=0, top_n=3, minimum_return=0.01),
    ),
    "dual_momentum": (
        lambda: DualMomentum(SYMBOLS, look_back=10, top_n=2),
        lambda: DualMomentum(SYMBOLS, safe="A", look_back=7, rebalance="weekly"),
    ),
    "moving_average": (
        lambda: MovingAverage(ALLOCATIONS, window=12),
        lambda: MovingAverage(SYMBOLS, window=8, tolerance=0.02),
        lambda: MovingAverage(SYMBOLS, average="exponential", window=6),
    ),
    "inverse_volatility": (lambda: InverseVolatility(SYMBOLS, look_back=11),),
    "equal_risk_contribution": (lambda: EqualRiskContribution(SYMBOLS, look_back=20),),
    "volatility_target": (
        lambda: VolatilityTarget(ALLOCATIONS, target=0.2, look_back=10, max_exposure=1.5),
    ),
    "minimum_variance": (lambda: MinimumVariance(SYMBOLS, look_back=20, rebalance="quarterly"),),
    "maximum_sharpe": (lambda: MaximumSharpe(SYMBOLS, look_back=20, rebalance="quarterly"),),
}
"""Short look-backs, so that short panels have decisions."""
ALL = [sample for samples in SAMPLES.values() for sample in samples]


def panel_of(prices: FloatArray, symbols: tuple[str, ...] = SYMBOLS) -> PricePanel:
    """Total-return prices on business days from 2021-01-04."""
    days = pd.bdate_range("2021-01-04", periods=len(prices)).to_numpy().astype("datetime64[D]")
    return PricePanel(days, symbols, prices, (PriceBasis.TOTAL_RETURN,) * len(symbols))


def walk(seed: int, sessions: int = 90, symbols: tuple[str, ...] = SYMBOLS) -> PricePanel:
    """A random walk with 2 % a session."""
    steps = np.random.default_rng(seed).normal(0, 0.02, (sessions, len(symbols)))
    return panel_of(100 * np.exp(steps.cumsum(axis=0)), symbols)
