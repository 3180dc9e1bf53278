"""The worst sessions; signed, so a loss is negative."""

from __future__ import annotations

import math

import numpy as np

from etf_backtest.typing import FloatArray


def value_at_risk(returns: FloatArray, tail: float = 0.05) -> float:
    """Percentile of the session returns at `tail`, linear interpolation."""
    return float(np.percentile(returns, 100.0 * tail))


def conditional_value_at_risk(returns: FloatArray, tail: float = 0.05) -> float:
    """Mean of the worst `tail` of the session returns.

    With k = tail * n observations in the tail, the one that k cuts through counts with the part of
    it that lies inside: R. T. Rockafellar and S. Uryasev, "Conditional Value-at-Risk for General
    Loss Distributions", Journal of Banking and Finance 26 (2002), 1443-1471.
    """
    weight = tail * returns.size
    whole = min(math.floor(weight), returns.size - 1)
    worst = np.sort(returns)[: whole + 1]
    return float(worst[:whole].sum() / weight + (1.0 - whole / weight) * worst[whole])
