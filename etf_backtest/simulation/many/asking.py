"""Targets of many strategies on the same dates, in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from etf_backtest.market import PricePanel
from etf_backtest.simulation.many.portfolios import Portfolios
from etf_backtest.simulation.planning import asked_once, decided_targets
from etf_backtest.strategies import Strategy
from etf_backtest.strategies.strategy import is_own
from etf_backtest.strategies.weights import SUM_TOLERANCE, check_targets
from etf_backtest.typing import FloatArray, IndexArray

_CELLS = 4_000_000
"""Weights that are held in memory at a time: 32 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Targets of some portfolios.

    Attributes
    ----------
    numbers : ndarray of shape (p,)
    targets : ndarray of shape (p, K, N), or (p, 1, N) where they are the same at each decision
    """

    numbers: IndexArray
    targets: FloatArray

    def without_borrowers(self) -> tuple[Piece, list[int]]:
        """Those whose weights never sum above 1, and the numbers of the others."""
        totals = self.targets.sum(axis=-1).max(axis=-1, initial=0.0)
        # as many as `check_targets` scales to 1
        borrow = totals > 1 + SUM_TOLERANCE
        if not borrow.any():
            return self, []
        return Piece(self.numbers[~borrow], self.targets[~borrow]), self.numbers[borrow].tolist()


def pieces(
    portfolios: Portfolios,
    numbers: Sequence[int],
    history: PricePanel,
    ends: IndexArray,
    *,
    most: int,
    max_leverage: float,
) -> Iterator[Piece]:
    """Ask the portfolios `numbers`, which have the same symbols and dates, for their targets.

    Parameters
    ----------
    portfolios : Portfolios
    numbers : sequence of int
    history : PricePanel
        The traded symbols.
    ends : ndarray of shape (K,)
        Rows of the history that are known at each decision.
    most : int
        Portfolios in a piece.
    max_leverage : float
        The most that a sum of weights may be.

    Raises
    ------
    AllocationError
        A strategy returns weights that no portfolio can have.
    """
    if portfolios.weights is not None:
        for first in range(0, len(numbers), most):
            chosen = np.array(numbers[first : first + most], dtype=np.intp)
            yield Piece(chosen, portfolios.targets(chosen))
        return
    for alike in _alike(portfolios, numbers, ends).values():
        strategies = [portfolios[number] for number in alike]
        same = asked_once(strategies[0], ends)
        decisions = 1 if same else max(1, ends.size)
        cells = max(1, decisions * len(history.symbols))
        step = min(most, max(1, _CELLS // cells))
        for first in range(0, len(alike), step):
            chosen = np.array(alike[first : first + step], dtype=np.intp)
            asked = strategies[first : first + step]
            when = ends[:1] if same else ends
            yield Piece(chosen, _targets(asked, history, when, max_leverage, same=same))


def _alike(
    portfolios: Portfolios, numbers: Sequence[int], ends: IndexArray
) -> dict[Hashable, list[int]]:
    """Numbers of the strategies that are asked together."""
    found: dict[Hashable, list[int]] = {}
    for number in numbers:
        strategy = portfolios[number]
        key: Hashable = "blind"
        if not asked_once(strategy, ends):
            key = strategy.batch_key() if is_own(strategy) else type(strategy)
        found.setdefault(key, []).append(number)
    return found


def _targets(
    strategies: Sequence[Strategy],
    history: PricePanel,
    ends: IndexArray,
    max_leverage: float,
    *,
    same: bool,
) -> FloatArray:
    """Checked targets of shape (p, K, N)."""
    if same or not ends.size or not is_own(strategies[0]):
        return np.stack([decided_targets(one, history, ends, max_leverage) for one in strategies])
    known = history.rows(0, int(ends.max()))
    asked = type(strategies[0]).targets_of_many(strategies, known, ends)
    return check_targets(
        asked,
        history.symbols,
        history.dates[ends - 1],
        name=strategies[0].name,
        max_leverage=max_leverage,
        copy=False,
    )
