"""Which code runs a batch: numba's machine code where the extra `fast` is installed, or NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from etf_backtest.simulation.many.batch import NOISE, run_batch
from etf_backtest.simulation.many.course import Course
from etf_backtest.simulation.many.totals import Totals
from etf_backtest.simulation.orders import SMALLEST
from etf_backtest.typing import FloatArray

EngineName = Literal["numba", "numpy"]

_WORTH = 100_000
"""Portfolios times sessions below which NumPy is done before numba would be loaded."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What numba offers here: the compiled function, or the reason why there is none."""

    run: Callable[..., None] | None
    lanes: int = 1
    threads: int = 1
    note: str | None = None


def engine_for(cells: int) -> tuple[EngineName, str | None]:
    """The engine for so many portfolios times sessions, and why it is not the faster one."""
    if cells < _WORTH:
        return "numpy", None
    here = machine()
    return ("numpy" if here.run is None else "numba"), here.note


def run_with(
    engine: EngineName, course: Course, targets: FloatArray, curves: FloatArray | None = None
) -> Totals:
    """Run portfolios.

    Parameters
    ----------
    engine : "numba" or "numpy"
        Their answers agree to the rounding of sums.
    course : Course
    targets : ndarray of shape (P, K, N), or (P, 1, N) for the same weights at each fill
    curves : ndarray of shape (T, P), C-contiguous, optional
        Is filled with the values, in units of the initial capital.
    """
    # machine code reads past the end of what is too small
    assert targets.shape[1] in (1, course.fills.size)  # noqa: S101
    assert targets.shape[2] == course.width  # noqa: S101
    rows = np.empty((6, len(targets)))
    totals = Totals(*rows)
    with np.errstate(all="ignore"):  # what overflows is looked at afterwards
        if engine == "numpy":
            run_batch(course, targets, totals, curves)
        else:
            _run_compiled(course, np.ascontiguousarray(targets), rows, curves)
    return totals


@cache
def machine() -> Machine:
    """What numba offers; it is imported, and its code loaded or compiled, the first time."""
    try:
        import numba  # late, and not everywhere: the extra `fast`
    except ModuleNotFoundError as error:
        if error.name == "numba":
            return Machine(None)
        return Machine(None, note=_unusable(error))
    except ImportError as error:  # a NumPy that it does not know yet, for example
        return Machine(None, note=_unusable(error))
    config: Any = numba.config
    if config.DISABLE_JIT:
        return Machine(None, note="numba is switched off (NUMBA_DISABLE_JIT); NumPy is used")
    try:
        from etf_backtest.simulation.many import compiled
    except (RuntimeError, OSError) as error:  # nowhere to keep the machine code
        hint = "set NUMBA_CACHE_DIR to a folder that can be written to"
        return Machine(None, note=f"{_unusable(error)} ({hint})")
    return Machine(compiled.run_portfolios, compiled.LANES, config.NUMBA_NUM_THREADS)


def _unusable(error: Exception) -> str:
    reason = " ".join(str(error).split())
    return f"numba is installed but cannot be used, NumPy is: {reason}"


def _run_compiled(
    course: Course, targets: FloatArray, rows: FloatArray, curves: FloatArray | None
) -> None:
    """Share the portfolios out among threads; the compiled code does not hold the GIL."""
    here = machine()
    assert here.run is not None  # noqa: S101  # the engine was chosen because there is one
    run, count = here.run, len(targets)
    paths = np.empty((0, 0)) if curves is None else curves

    def work(first: int, stop: int) -> None:
        run(
            course.relatives,
            course.fills.astype(np.int64),
            course.rate,
            targets,
            first,
            stop,
            SMALLEST,
            NOISE,
            rows,
            paths,
        )

    # a few pieces for each thread: none waits long for the last one
    blocks = -(-count // here.lanes)
    threads = min(here.threads, blocks)
    if threads == 1:
        work(0, count)
        return
    from concurrent.futures import ThreadPoolExecutor  # late: NumPy does without

    step = max(1, blocks // (4 * threads)) * here.lanes
    firsts = range(0, count, step)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, firsts, (min(first + step, count) for first in firsts)))
