"""Who rose most, with equals in an order that nobody can argue about."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from etf_backtest.typing import FloatArray, IndexArray


@lru_cache(maxsize=64)
def alphabetical(symbols: tuple[str, ...]) -> IndexArray:
    """Columns in the order of their symbols, A to Z; read-only."""
    order = np.array(sorted(range(len(symbols)), key=symbols.__getitem__), dtype=np.intp)
    order.flags.writeable = False
    return order


def growth_between(before: FloatArray, after: FloatArray) -> FloatArray:
    """``after / before`` of prices; what leaves the range of floats is infinite growth."""
    with np.errstate(over="ignore"):
        growth: FloatArray = after / before
    return growth


def best(growth: FloatArray, order: IndexArray, top_n: int) -> IndexArray:
    """The `top_n` columns of `order` that grew most; of equals those that stand first in it."""
    ranked: IndexArray = order[np.argsort(-growth[order], kind="stable")]
    return ranked[:top_n]
