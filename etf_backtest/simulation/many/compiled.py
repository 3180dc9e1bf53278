"""Many portfolios at once, compiled by numba: the extra `fast`. Only `engine` imports this module.

The same steps as in `batch`, for `LANES` portfolios at a time. They are the innermost loop
everywhere, so that the processor handles several with each instruction; what a block needs stays in
its fastest memory. The machine code is kept on disk (numba's cache) and is loaded from there.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numba as nb
import numpy as np

from etf_backtest.typing import FloatArray, IndexArray

LANES = 32
"""Portfolios at a time."""
VALUE, LAST, PEAK, LOWEST, VALUES, RETURNS, SQUARES, TRADED = range(8)
"""Rows of what is known of each portfolio; the sums that begin at 0 are the last three."""
SLOPE, BUDGET, INVESTED, PLUS, MINUS = range(5)
"""Rows of what a rebalance needs."""

_READ = [nb.types.Array(nb.float64, dimensions, "C", readonly=True) for dimensions in (1, 2, 3)]
_SIGNATURE = nb.void(
    _READ[1],
    nb.types.Array(nb.int64, 1, "C", readonly=True),
    nb.float64,
    _READ[2],
    nb.int64,
    nb.int64,
    nb.float64,
    nb.float64,
    nb.float64[:, ::1],
    nb.float64[:, ::1],
)
# a product and a sum may be one instruction; nothing else that changes a result is allowed
_compile: Any = partial(nb.njit, nogil=True, error_model="numpy", fastmath={"contract"})
# put into its caller before that is compiled: only there it is seen what does not overlap
_compile_inside: Any = partial(_compile, inline="always")


@_compile
def _load(targets, portfolio, lanes, fill, noise, wanted, held, columns):  # type: ignore[no-untyped-def]
    """Take over the targets of a fill; the number of columns that are wanted or held."""
    width = len(wanted) - 1
    for lane in range(lanes):
        total = 0.0
        for j in range(width):
            weight = targets[portfolio + lane, fill, j]
            wanted[j, lane] = weight
            total += weight
        wanted[width, lane] = 1.0 - total if 1.0 - total >= noise else 0.0
    count = 0
    for j in range(width):
        used = False
        for lane in range(LANES):
            used |= (wanted[j, lane] != 0.0) | (held[j, lane] != 0.0)
        if used:
            columns[count] = j
            count += 1
    return count


@_compile
def _divide_up(held, wanted, columns, value, smallest, work):  # type: ignore[no-untyped-def]
    """What orders come from and go to, as fractions of the value; 0 where there is no order.

    What is ordered is taken out of what is held, all of it: sales leave no dust.
    """
    comes, goes, slope, budget = work[0], work[1], work[2, SLOPE], work[2, BUDGET]
    slope[:] = wanted[len(held) - 1]
    # not 1 less what stays: the rounding of that would be cash, and earn interest
    for i in range(LANES):
        budget[i] = held[len(held) - 1, i] / value[i]
    for j in columns:
        for i in range(LANES):
            before = held[j, i] / value[i]
            ordered = abs(wanted[j, i] - before) > smallest
            weight, share = (wanted[j, i], before) if ordered else (0.0, 0.0)
            held[j, i] = 0.0 if ordered else held[j, i]
            comes[j, i] = weight
            goes[j, i] = share
            slope[i] += weight
            budget[i] += share


@_compile
def _solve(columns, rate, smallest, work):  # type: ignore[no-untyped-def]
    """Fraction of the value that is left after costs, by Newton's method, as in `batch`."""
    comes, goes, slope, budget = work[0], work[1], work[2, SLOPE], work[2, BUDGET]
    invested, plus, minus = work[2, INVESTED], work[2, PLUS], work[2, MINUS]
    invested[:] = 1.0
    for _ in range(len(columns) + 3):
        plus[:] = 0.0
        minus[:] = 0.0
        for j in columns:
            for i in range(LANES):
                sign = 1.0 if comes[j, i] * invested[i] > goes[j, i] else -1.0
                plus[i] += sign * comes[j, i]
                minus[i] += sign * goes[j, i]
        changed = False
        for i in range(LANES):
            found = (budget[i] + rate * minus[i]) / (slope[i] + rate * plus[i])
            found = found if slope[i] > smallest else 1.0
            changed |= found != invested[i]
            invested[i] = found
        if not changed:
            break


@_compile
def _rebalance(held, wanted, columns, rate, smallest, work, value, traded):  # type: ignore[no-untyped-def]
    """Fill the targets; `value` is what there is before, and then after the costs."""
    _divide_up(held, wanted, columns, value, smallest, work)
    _solve(columns, rate, smallest, work)
    comes, goes, slope, budget = work[0], work[1], work[2, SLOPE], work[2, BUDGET]
    invested, moved, after = work[2, INVESTED], work[2, PLUS], work[2, MINUS]
    moved[:] = 0.0
    after[:] = 0.0
    for j in columns:
        for i in range(LANES):
            bought = comes[j, i] * invested[i]
            moved[i] += abs(bought - goes[j, i])
            held[j, i] += bought * value[i]
            after[i] += held[j, i]
    cash, idle = held[len(held) - 1], wanted[len(held) - 1]
    for i in range(LANES):
        rest = idle[i] * invested[i] if slope[i] > smallest else budget[i] - rate * moved[i]
        cash[i] = rest * value[i]
        traded[i] += moved[i] * value[i]
        value[i] = after[i] + cash[i]


@_compile_inside
def _revalue(relative, held, columns, state):  # type: ignore[no-untyped-def]
    """Values of a session; four columns at a time save going to memory and back."""
    count, cash = len(columns), relative[len(held) - 1]
    for i in range(LANES):
        state[VALUE, i] = cash * held[len(held) - 1, i]
    whole = count - count % 4
    for c in range(0, whole, 4):
        ja, jb, jc, jd = columns[c], columns[c + 1], columns[c + 2], columns[c + 3]
        a, b, c_, d = relative[ja], relative[jb], relative[jc], relative[jd]
        for i in range(LANES):
            state[VALUE, i] += (a * held[ja, i] + b * held[jb, i]) + (
                c_ * held[jc, i] + d * held[jd, i]
            )
    for c in range(whole, count):
        j = columns[c]
        ratio = relative[j]
        for i in range(LANES):
            state[VALUE, i] += ratio * held[j, i]


@_compile_inside
def _note(state):  # type: ignore[no-untyped-def]
    """Take in the values of a session. All is in one array: it is seen not to overlap."""
    for i in range(LANES):
        value, peak, lowest = state[VALUE, i], state[PEAK, i], state[LOWEST, i]
        change = value / state[LAST, i] - 1.0
        peak = value if value > peak else peak
        below = value / peak
        state[RETURNS, i] += change
        state[SQUARES, i] += change * change
        state[PEAK, i] = peak
        state[LOWEST, i] = below if below < lowest else lowest
        state[VALUES, i] += value
        state[LAST, i] = value


@_compile
def _run_lanes(relatives, fills, rate, targets, first, lanes, smallest, noise, totals, curves):  # type: ignore[no-untyped-def]
    """Run up to LANES portfolios; the lanes that are left over hold cash."""
    width = relatives.shape[1] - 1
    held, wanted = np.zeros((width + 1, LANES)), np.zeros((width + 1, LANES))
    held[width], wanted[width] = 1.0, 1.0
    work = np.empty((3, max(width, 5), LANES))
    columns, count = np.empty(width, dtype=np.intp), 0
    state = np.ones((8, LANES))
    state[RETURNS : TRADED + 1] = 0.0
    k, same = 0, targets.shape[1] == 1
    # row 0 is noted as 1: the value of the first session is that before costs
    for row in range(len(relatives) + 1):
        if row > 0:
            _revalue(relatives[row - 1], held, columns[:count], state)
        if k < len(fills) and row == fills[k]:
            if row > 0:
                for j in columns[:count]:
                    for i in range(LANES):
                        held[j, i] *= relatives[row - 1, j]
                for i in range(LANES):
                    held[width, i] *= relatives[row - 1, width]
            if k == 0 or not same:
                count = _load(targets, first, lanes, k, noise, wanted, held, columns)
            used, value = columns[:count], state[VALUE]
            _rebalance(held, wanted, used, rate, smallest, work, value, state[TRADED])
            k += 1
        if row > 0:
            _note(state)
        if len(curves):
            for i in range(lanes):
                curves[row, first + i] = state[VALUE, i] if row > 0 else 1.0
    for i in range(lanes):
        totals[0, first + i] = state[LAST, i]
        totals[1, first + i] = state[RETURNS, i]
        totals[2, first + i] = state[SQUARES, i]
        totals[3, first + i] = state[LOWEST, i]
        totals[4, first + i] = state[TRADED, i]
        totals[5, first + i] = state[VALUES, i]


def _run_portfolios(
    relatives: FloatArray,
    fills: IndexArray,
    rate: float,
    targets: FloatArray,
    first: int,
    stop: int,
    smallest: float,
    noise: float,
    totals: FloatArray,
    curves: FloatArray,
) -> None:
    for portfolio in range(first, stop, LANES):
        lanes = min(LANES, stop - portfolio)
        _run_lanes(
            relatives, fills, rate, targets, portfolio, lanes, smallest, noise, totals, curves
        )


run_portfolios = _compile(_SIGNATURE, cache=True)(_run_portfolios)
"""`run_with` of the module `engine`, for portfolios `first` to `stop`; totals have 6 rows."""
