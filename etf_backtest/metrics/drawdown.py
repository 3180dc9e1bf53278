"""How far below its peak the value fell, and for how long it hurt."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.metrics.sample import Sample, evaluate
from etf_backtest.typing import FloatArray


def drawdowns(returns: ArrayLike) -> FloatArray:
    """Value / running peak - 1 after each return, shape (n,), 0 or less.

    The initial value counts as a peak. NaN where the value itself is beyond float64.
    """
    with np.errstate(all="ignore"):
        return Sample(returns).drawdowns


def max_drawdown(returns: ArrayLike) -> float:
    """Deepest drawdown, a fraction, 0 or less."""
    return evaluate(max_drawdown_of, Sample(returns))


def ulcer_index(returns: ArrayLike) -> float:
    """Root of the mean of the squared drawdowns, a fraction, 0 or more.

    The mean is over all n + 1 values: the initial value is one, and its drawdown is 0. P. G. Martin
    and B. McCann, "The Investor's Guide to Fidelity Funds" (1989), who count in percent.
    """
    return evaluate(ulcer_index_of, Sample(returns))


def max_drawdown_of(sample: Sample) -> float:
    """`max_drawdown` of a sample."""
    return min(0.0, float(sample.drawdowns.min()))


def ulcer_index_of(sample: Sample) -> float:
    """`ulcer_index` of a sample."""
    return math.sqrt(sample.drawdowns @ sample.drawdowns / (sample.size + 1))
