"""Moving averages on some sessions, each computed from as few of them as its definition allows.

An average on a session has the same bits whichever other sessions and symbols are asked for: rows
are put together in blocks that are counted from the first row of the prices, and a symbol's sums
run in one order. So a strategy decides the same on one date alone and on all dates at once.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from etf_backtest.typing import FloatArray, IndexArray

NEGLECTED = 1e-18
"""What weighs less in an exponential average than this, all together, is not looked at."""
_STRIDE = 64
"""An exponential average is summed up on each row of this number, and continued from there."""


def simple(prices: FloatArray, rows: IndexArray, window: int) -> FloatArray:
    """Mean of the last `window` prices on each of `rows`, shape (K, N).

    Summed price by price, and so the same wherever the history begins.
    """
    total = np.zeros((rows.size, prices.shape[1]))
    for back in range(window - 1, -1, -1):
        total += prices[rows - back]
    return total / window


def simple_of_many(
    prices: FloatArray, rows: IndexArray, window: int, columns: IndexArray
) -> FloatArray:
    """Mean of the last `window` prices on `rows`, which ascend without a gap, shape (K, n).

    Two additions a price: a window is the end of one block of `window` rows and the beginning of
    the next. There are no differences of sums, which would forget small prices after large ones.
    """
    begin = (int(rows[0]) - window + 1) // window * window
    known = np.ascontiguousarray(prices[begin : int(rows[-1]) + 1, columns])
    whole = len(known) // window * window
    blocks = known[:whole].reshape(-1, window, columns.size)
    forward = np.concatenate(
        (
            np.add.accumulate(blocks, axis=1).reshape(whole, columns.size),
            np.add.accumulate(known[whole:], axis=0),
        )
    )
    backward = np.add.accumulate(blocks[:, ::-1], axis=1)[:, ::-1].reshape(whole, columns.size)
    last = rows - begin
    total = forward[last]
    two_blocks = (last + 1) % window != 0
    total[two_blocks] += backward[last[two_blocks] - window + 1]
    return total / window


def exponential(
    prices: FloatArray, rows: IndexArray, window: int, columns: IndexArray
) -> FloatArray:
    """``e[t] = alpha * P[t] + (1 - alpha) * e[t-1]``, ``e[0] = P[0]``, on `rows`, shape (K, n).

    ``alpha = 2 / (window + 1)``. It is the recursion from the last row of a multiple of 64, and on
    that row the sum of the prices times their weights. Prices so old that they and all before them
    weigh less than 1e-18 count as the oldest one that is looked at.
    """
    alpha = 2 / (window + 1)
    strides, place = np.unique(rows // _STRIDE, return_inverse=True)
    starts, steps = strides * _STRIDE, rows % _STRIDE
    levels = np.empty((int(steps.max()) + 1, starts.size, columns.size))
    for number, start in enumerate(starts.tolist()):
        levels[0, number] = _summed_up(prices, start, window, columns)
    for step in range(1, len(levels)):
        row = np.minimum(starts + step, len(prices) - 1)  # what is beyond the end is not asked for
        price = prices[row[:, np.newaxis], columns]
        levels[step] = alpha * price + (1 - alpha) * levels[step - 1]
    asked: FloatArray = levels[steps, place]
    return asked


def _summed_up(prices: FloatArray, row: int, window: int, columns: IndexArray) -> FloatArray:
    """The exponential average on one row, shape (n,)."""
    weights = _weights(window)
    reach = min(row, weights.size)
    oldest: FloatArray = prices[row - reach, columns]
    if not reach:
        return oldest
    # a symbol's prices lie side by side, so that its sum does not depend on the other symbols
    latest = np.ascontiguousarray(prices[row - reach + 1 : row + 1, columns].T)
    latest *= weights[weights.size - reach :]
    total: FloatArray = latest.sum(axis=1) + (1 - 2 / (window + 1)) ** reach * oldest
    return total


@lru_cache(maxsize=64)
def _weights(window: int) -> FloatArray:
    """Weights of the prices in an exponential average, the latest one last; read-only."""
    alpha = 2 / (window + 1)
    reach = math.ceil(math.log(NEGLECTED) / math.log1p(-alpha))
    weights = np.asarray(alpha * (1 - alpha) ** np.arange(reach - 1, -1, -1), dtype=np.float64)
    weights.flags.writeable = False
    return weights
