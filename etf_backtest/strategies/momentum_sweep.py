"""Momentum with many parameters at once: what one look-back and skip have in common is done once.

A row is not ranked but cut: what grew at least as much as the n-th best is held. Only where that
leaves more than n, because of equals at the cut, is the row ranked by symbol.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from etf_backtest.market import PricePanel
from etf_backtest.strategies.ranking import alphabetical, best
from etf_backtest.typing import BoolArray, FloatArray, IndexArray

if TYPE_CHECKING:
    from etf_backtest.strategies.momentum import Momentum


def sweep(strategies: Sequence[Momentum], history: PricePanel, ends: IndexArray) -> FloatArray:
    """Weights of shape (P, K, N), as `Momentum.targets_of_many` promises them."""
    prices = np.ascontiguousarray(history.prices)
    ends = np.asarray(ends, dtype=np.intp)
    order = alphabetical(history.symbols)
    weights = np.zeros((len(strategies), ends.size, prices.shape[1]))
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, strategy in enumerate(strategies):
        alike[strategy.parameters.look_back, strategy.parameters.skip].append(number)
    for (look_back, skip), numbers in alike.items():
        ready = _rows(ends > look_back + skip)
        last = ends[ready] - 1 - skip
        if not last.size:
            continue
        growth = prices[last]
        with np.errstate(over="ignore"):  # infinite growth is growth
            growth /= prices[last - look_back]
        ascending = np.sort(growth, axis=1)
        for number in numbers:
            chosen = strategies[number].parameters
            held = _held(growth, ascending, order, chosen.top_n)
            if chosen.minimum_return is not None:
                held &= growth > 1 + chosen.minimum_return
            weights[number, ready] = held * (1 / chosen.top_n)
    return weights


def _held(growth: FloatArray, ascending: FloatArray, order: IndexArray, top_n: int) -> BoolArray:
    """Which columns are the `top_n` best of each row, shape (K, N)."""
    cut = ascending.shape[1] - top_n
    held: BoolArray = growth >= ascending[:, cut, np.newaxis]
    if cut:
        for row in np.flatnonzero(ascending[:, cut - 1] == ascending[:, cut]):
            held[row] = False
            held[row, best(growth[row], order, top_n)] = True
    return held


def _rows(ready: BoolArray) -> slice | IndexArray:
    """The rows where `ready`; a slice where they are the last ones, which needs no copies."""
    rows = np.flatnonzero(ready)
    return slice(rows[0], None) if rows.size and ready[rows[0] :].all() else rows
