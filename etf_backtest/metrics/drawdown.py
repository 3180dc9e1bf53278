"""How far below its peak the value fell."""

from __future__ import annotations

import numpy as np

from etf_backtest.typing import FloatArray


def drawdowns(returns: FloatArray) -> FloatArray:
    """Value / running peak - 1 after each return, shape (n,), 0 or less.

    The initial value counts as a peak.
    """
    values = np.cumprod(np.concatenate(([1.0], returns + 1.0)))
    peaks = np.maximum.accumulate(values)
    below: FloatArray = values[1:] / peaks[1:] - 1.0
    return below


def max_drawdown(returns: FloatArray) -> float:
    """Deepest drawdown, a fraction, 0 or less."""
    return float(min(0.0, drawdowns(returns).min()))
