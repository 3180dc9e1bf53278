"""A plain NumPy loop over the rebalance dates: what one writes without a library."""

from __future__ import annotations

import numpy as np

from benchmarks.alone import Work
from benchmarks.contestants import synthetic
from etf_backtest.typing import FloatArray, IndexArray


def curves(prices: FloatArray, rows: IndexArray, weights: FloatArray, cost: float) -> FloatArray:
    """Values (P, T) of portfolios (P, N) that go back to their weights on `rows`."""
    equity = np.empty((len(weights), len(prices)))
    equity[:, 0] = money = np.full(len(weights), synthetic.CAPITAL)
    shares = np.zeros(weights.shape)
    for start, stop in zip(rows, [*rows[1:], len(prices) - 1], strict=True):
        held = shares * prices[start]
        left = money
        for _ in range(4):  # what the targets are a fraction of, after costs
            left = money - cost * np.abs(weights * left[:, np.newaxis] - held).sum(axis=1)
        shares = weights * left[:, np.newaxis] / prices[start]
        equity[:, start + 1 : stop + 1] = shares @ prices[start + 1 : stop + 1].T
        money = equity[:, stop]
    return equity


def sharpe_ratio(equity: FloatArray) -> FloatArray:
    """Of each row, a year, without a risk-free rate."""
    returns = equity[:, 1:] / equity[:, :-1] - 1
    ratios: FloatArray = returns.mean(axis=1) / returns.std(axis=1, ddof=1) * np.sqrt(252)
    return ratios


def max_drawdown(equity: FloatArray) -> FloatArray:
    """Of each row, 0 or below."""
    worst: FloatArray = (equity / np.maximum.accumulate(equity, axis=1) - 1).min(axis=1)
    return worst


def held(count: int, sessions: int = synthetic.SESSIONS) -> Work:
    """The curves alone."""
    prices = synthetic.prices(sessions, synthetic.ETFS)
    rows = synthetic.month_ends(synthetic.dates(sessions))
    weights = synthetic.portfolios(count, synthetic.ETFS)
    return lambda: float(curves(prices, rows, weights, synthetic.COST)[:, -1].mean())


def measured(count: int, sessions: int = synthetic.SESSIONS) -> Work:
    """With final value, Sharpe ratio and drawdown."""
    prices = synthetic.prices(sessions, synthetic.ETFS)
    rows = synthetic.month_ends(synthetic.dates(sessions))
    weights = synthetic.portfolios(count, synthetic.ETFS)

    def run() -> float:
        equity = curves(prices, rows, weights, synthetic.COST)
        sharpe_ratio(equity)
        max_drawdown(equity)
        return float(equity[:, -1].mean())

    return run
