"""Runs in which everything is proportional to the value: all segments between fills at once.

Without flows, lots, bands, debt and fixed commissions, what happens to one dollar happens to all of
them. The value at each fill is then a cumulative product, and nothing is gone through one by one.
"""

from __future__ import annotations

import numpy as np

from etf_backtest.simulation.book import Book, Interest
from etf_backtest.simulation.orders import SMALLEST
from etf_backtest.typing import FloatArray, IndexArray

_NOISE = 1e-14
_ITERATIONS = 100


def run_proportional(
    prices: FloatArray,
    interest: Interest,
    fills: IndexArray,
    targets: FloatArray,
    *,
    commission: float,
    slippage: float,
    capital: float,
) -> Book | None:
    """Fill targets on their rows and let everything run in between.

    Parameters
    ----------
    prices : ndarray of shape (T, N)
        Of units that pay nothing out, positive and finite.
    interest : Interest
    fills : ndarray of shape (K,)
        Rows, strictly ascending, K > 0.
    targets : ndarray of shape (K, N)
        Weights, each 0 or more, in sum at most 1.
    commission, slippage : float
        Fractions of an order's notional.
    capital : float
        Cash on row 0.

    Returns
    -------
    Book, or None where an order is too small to be one: then each fill depends on the one before,
    and `run_events` has to go through them.
    """
    price = prices[fills]
    growth = np.concatenate(([1.0], np.cumprod(interest.cash)))
    rest = 1.0 - targets.sum(axis=1)
    rest[np.abs(rest) < _NOISE] = 0.0
    # one dollar of each fill at the next one, before its orders
    grown = targets[:-1] * (price[1:] / price[:-1])
    idle = rest[:-1] * (growth[fills[1:]] / growth[fills[:-1]])
    becomes = grown.sum(axis=1) + idle
    drifted = np.zeros_like(targets)
    drifted[1:] = grown / becomes[:, np.newaxis]
    gaps = np.abs(targets - drifted)
    ordered = gaps > SMALLEST
    if (~ordered & ((targets > 0) | (drifted > 0))).any():
        return None
    rate = commission + slippage
    kept = _after_costs(targets, drifted, rate) if rate else np.ones(fills.size)
    before = (
        capital * growth[fills[0]] * np.cumprod(np.concatenate(([1.0], kept[:-1] * becomes)))
    )  # value at each fill, before its orders
    after = kept * before
    held = targets * after[:, np.newaxis] / price
    moved = np.abs(targets * after[:, np.newaxis] - drifted * before[:, np.newaxis])
    starts, sessions = fills, len(prices)
    first = int(fills[0])
    lengths = np.diff(np.append(starts, sessions))
    units = np.repeat(held, lengths, axis=0)
    cash = np.repeat(rest * after / growth[starts], lengths) * growth[first:]
    if first:
        units = np.concatenate((np.zeros((first, prices.shape[1])), units))
        cash = np.concatenate((capital * growth[:first], cash))
    costs = np.zeros(sessions)
    costs[fills] = rate * moved.sum(axis=1)
    cash[0] += costs[0]  # shown before its costs
    equity = cash + np.einsum("tn,tn->t", units, prices)
    equity[0] = capital  # without the rounding of its parts
    earned = np.zeros(sessions)
    earned[1:] = cash[:-1] * (interest.cash - 1.0)
    if sessions > 1:
        earned[1] -= costs[0] * (interest.cash[0] - 1.0)
    return Book(
        equity=equity,
        cash=cash,
        units=units,
        fills=fills,
        traded=np.diff(held, axis=0, prepend=0.0),
        commission=commission * moved,
        slippage=slippage * moved,
        flows=np.zeros(sessions),
        costs=costs,
        interest=earned,
    )


def _after_costs(targets: FloatArray, drifted: FloatArray, rate: float) -> FloatArray:
    """Fraction v of the value that is left after orders from `drifted` to v * `targets`, (K,).

    Solves v + rate * sum(abs(v * target - drifted)) = 1 for every fill at once; convex and
    piecewise linear, so Newton's method from above is exact after a few steps.
    """
    value = np.ones(len(targets))
    for _ in range(_ITERATIONS):
        moves = targets * value[:, np.newaxis] - drifted
        excess = value + rate * np.abs(moves).sum(axis=1) - 1.0
        step = excess / (1.0 + rate * (targets * np.sign(moves)).sum(axis=1))
        value -= step
        if np.abs(step).max() <= 1e-16:
            break
    return value
