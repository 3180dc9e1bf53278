"""Many portfolios at once, with NumPy: all values of a stretch between fills are one product.

Without fixed costs, lots and flows everything is proportional to the value. Holdings are money in
units of the initial capital; a row of an array is a symbol (or a session), a column a portfolio.
"""

from __future__ import annotations

import numpy as np

from etf_backtest.simulation.many.course import Course
from etf_backtest.simulation.many.totals import Totals
from etf_backtest.simulation.orders import SMALLEST
from etf_backtest.typing import FloatArray

NOISE = 1e-14
"""A share of cash below this is the rounding of the weights' sum."""
_STRETCH = 32
"""Sessions whose values are looked at together: they stay in the processor's cache."""
_CELLS = 32_768
"""Weights of the portfolios that are run together, for the same reason."""

_ONE_THREAD = 262_144
"""Multiplications up to which OpenBLAS stays in one thread."""


def run_batch(
    course: Course, targets: FloatArray, totals: Totals, curves: FloatArray | None = None
) -> None:
    """Run portfolios block by block.

    Parameters
    ----------
    course : Course
    targets : ndarray of shape (P, K, N), or (P, 1, N) for the same weights at each fill
        Fractions, 0 or more, in sum at most 1.
    totals : Totals of P portfolios
        Is filled.
    curves : ndarray of shape (T, P), optional
        Is filled with the values, in units of the initial capital.
    """
    size = max(64, _CELLS // (course.width + 1))
    for first in range(0, len(targets), size):
        block = slice(first, min(first + size, len(targets)))
        by_fill = np.ascontiguousarray(targets[block].transpose(1, 2, 0))
        ledger = _Ledger(by_fill.shape[2], None if curves is None else curves[:, block])
        _run_block(course, by_fill, ledger)
        totals.final[block] = ledger.value
        totals.returns[block] = ledger.returns
        totals.squares[block] = ledger.squares
        totals.lowest[block] = ledger.lowest
        totals.traded[block] = ledger.traded
        totals.values[block] = ledger.values


class _Ledger:
    """Running totals of the portfolios of a block."""

    def __init__(self, count: int, curves: FloatArray | None) -> None:
        self.value, self.peak, self.lowest = (np.ones(count) for _ in range(3))
        self.returns, self.squares, self.traded = (np.zeros(count) for _ in range(3))
        self.values = np.ones(count)
        self.curves = curves
        if curves is not None:
            curves[0] = 1.0
        self._ratios = np.empty((_STRETCH, count))
        self._peaks = np.empty((_STRETCH, count))

    def note(self, row: int, values: FloatArray) -> None:
        """Take in the values of rows `row` and after; before the first stands the last one.

        `values` has the shape (sessions + 1, B), with room for that one in the first row.
        """
        values[0] = self.value
        count = len(values) - 1
        ratios, peaks = self._ratios[:count], self._peaks[:count]
        np.divide(values[1:], values[:-1], out=ratios)
        ratios -= 1.0
        self.returns += ratios.sum(axis=0)
        self.squares += np.einsum("tp,tp->p", ratios, ratios)
        peak = self.peak
        for value, higher in zip(values[1:], peaks, strict=True):
            peak = np.maximum(value, peak, out=higher)
        np.divide(values[1:], peaks, out=ratios)
        np.minimum(self.lowest, ratios.min(axis=0), out=self.lowest)
        self.peak[:] = peak
        self.values += values[1:].sum(axis=0)
        self.value[:] = values[-1]
        if self.curves is not None:
            self.curves[row : row + count] = values[1:]


def _run_block(course: Course, targets: FloatArray, ledger: _Ledger) -> None:
    """Run one block; `targets` has the shape (K or 1, N, B)."""
    rests = 1.0 - targets.sum(axis=1)
    rests[rests < NOISE] = 0.0
    held = np.zeros((course.width + 1, targets.shape[2]))
    held[-1] = 1.0
    values = np.empty((_STRETCH + 1, targets.shape[2]))
    fixed = len(targets) == 1
    done, last = 0, course.sessions - 1
    for k, fill in enumerate([*course.fills.tolist(), last]):
        # rows done + 1 to fill; the fill itself changes the value of its row
        while done < fill:
            stop = min(fill, done + _STRETCH)
            stretch = values[: stop - done + 1]
            _multiply(course.relatives[done:stop], held, stretch[1:])
            if stop == fill < last:
                held *= course.relatives[fill - 1][:, np.newaxis]
                held, traded = rebalance(
                    held, targets[0 if fixed else k], rests[0 if fixed else k], course.rate
                )
                ledger.traded += traded
                held.sum(axis=0, out=stretch[-1])
            ledger.note(done + 1, stretch)
            done = stop
        if fill == 0:  # the value of row 0 is that before costs
            held, traded = rebalance(held, targets[0], rests[0], course.rate)
            ledger.traded += traded


def _multiply(relatives: FloatArray, held: FloatArray, out: FloatArray) -> None:
    """Values of some sessions, in products that BLAS does not spread over threads.

    On a busy machine those wait for each other longer than they work.
    """
    step = max(1, _ONE_THREAD // relatives.size)
    for first in range(0, held.shape[1], step):
        part = slice(first, first + step)
        np.matmul(relatives, held[:, part], out=out[:, part])


def rebalance(
    held: FloatArray, targets: FloatArray, rest: FloatArray, rate: float
) -> tuple[FloatArray, FloatArray]:
    """Take holdings to target weights of what is left after the costs of doing so.

    Parameters
    ----------
    held : ndarray of shape (N + 1, B)
        Money in each symbol; the last row is cash.
    targets : ndarray of shape (N, B)
    rest : ndarray of shape (B,)
        1 minus the sum of the targets.
    rate : float
        Costs, a fraction of the notional.

    Returns
    -------
    held : ndarray of shape (N + 1, B)
    traded : ndarray of shape (B,)
        Sum of the absolute notionals.
    """
    money = held.sum(axis=0)
    before = held[:-1] / money
    wanted, given = targets, before
    ordered = np.abs(targets - before) > SMALLEST
    some_stay = not ordered.all()
    if some_stay:
        wanted, given = np.where(ordered, targets, 0.0), np.where(ordered, before, 0.0)
    budget = held[-1] / money + given.sum(axis=0)
    slope = rest + wanted.sum(axis=0)
    invested, moves = _investable(wanted, given, budget, slope, rate)
    after = np.empty_like(held)
    np.multiply(wanted, invested, out=after[:-1])
    traded = np.abs(moves, out=moves).sum(axis=0)
    # where nothing is bought and no cash is wanted, cash is what is left over
    after[-1] = np.where(slope > SMALLEST, rest * invested, budget - rate * traded)
    after *= money
    if some_stay:
        np.copyto(after[:-1], held[:-1], where=~ordered)
    traded *= money
    return after, traded


def _investable(
    wanted: FloatArray, given: FloatArray, budget: FloatArray, slope: FloatArray, rate: float
) -> tuple[FloatArray, FloatArray]:
    """Solve slope * v + rate * sum(abs(wanted * v - given)) = budget for v, with the orders.

    The left side is convex, increasing and piecewise linear: Newton's method from above is exact
    once no order changes between buying and selling.
    """
    moves = wanted - given
    sells = np.signbit(moves)
    for _ in range(len(wanted) + 2):
        steepness, level = slope, budget
        if rate:
            signs = np.where(sells, -rate, rate)
            steepness = slope + np.einsum("np,np->p", signs, wanted)
            level = budget + np.einsum("np,np->p", signs, given)
        invested = np.divide(level, steepness, out=np.ones_like(level), where=slope > SMALLEST)
        np.multiply(wanted, invested, out=moves)
        moves -= given
        seen, sells = sells, np.signbit(moves)
        if not rate or np.array_equal(seen, sells):
            break
    return invested, moves
