"""The worst and the best sessions; signed, so a loss is negative."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import InvalidParametersError, UndefinedMetricError
from etf_backtest.errors.wording import quoted
from etf_backtest.metrics.periods import FLAT
from etf_backtest.metrics.sample import Sample, evaluate
from etf_backtest.typing import FloatArray

TAIL = 0.05
"""The part of the sessions that is a tail: 5 %."""


def value_at_risk(returns: ArrayLike, tail: float = TAIL) -> float:
    """Percentile of the session returns at `tail`, linear interpolation.

    Raises
    ------
    InvalidParametersError
        `tail` is no fraction between 0 and 1.
    """
    return evaluate(
        lambda sample: float(percentile(sample.ordered, _checked_tail(tail))), Sample(returns)
    )


def conditional_value_at_risk(returns: ArrayLike, tail: float = TAIL) -> float:
    """Mean of the worst `tail` of the session returns.

    With k = tail * n observations in the tail, the one that k cuts through counts with the part of
    it that lies inside: R. T. Rockafellar and S. Uryasev, "Conditional Value-at-Risk for General
    Loss Distributions", Journal of Banking and Finance 26 (2002), 1443-1471.

    Raises
    ------
    InvalidParametersError
        `tail` is no fraction between 0 and 1.
    """
    return evaluate(
        lambda sample: float(tail_mean(sample.ordered, _checked_tail(tail))), Sample(returns)
    )


def tail_ratio(returns: ArrayLike) -> float:
    """abs(95th percentile / 5th percentile) of the session returns, linear interpolation.

    Raises
    ------
    UndefinedMetricError
        The 5th percentile is 0.
    """
    return evaluate(tail_ratio_of, Sample(returns))


def value_at_risk_of(sample: Sample) -> float:
    """`value_at_risk` of a sample."""
    return float(percentile(sample.ordered, TAIL))


def conditional_value_at_risk_of(sample: Sample) -> float:
    """`conditional_value_at_risk` of a sample."""
    return float(tail_mean(sample.ordered, TAIL))


def tail_ratio_of(sample: Sample) -> float:
    """`tail_ratio` of a sample."""
    low = float(percentile(sample.ordered, TAIL))
    if abs(low) <= FLAT:
        raise UndefinedMetricError("the 5th percentile of the returns is 0")
    return abs(float(percentile(sample.ordered, 1.0 - TAIL)) / low)


def percentile(ordered: FloatArray, fraction: float) -> FloatArray:
    """Linear interpolation between the two order statistics around fraction * (n - 1).

    `ordered` is sorted along its last axis, shape (..., n); the result has the shape (...).
    """
    position = fraction * (ordered.shape[-1] - 1)
    below = math.floor(position)
    above = min(below + 1, ordered.shape[-1] - 1)
    low, high = ordered[..., below], ordered[..., above]
    between: FloatArray = low + (high - low) * (position - below)
    return between


def tail_mean(ordered: FloatArray, tail: float) -> FloatArray:
    """Mean of the lowest `tail` of what is sorted along its last axis, (..., n) -> (...)."""
    weight = tail * ordered.shape[-1]
    whole = min(math.floor(weight), ordered.shape[-1] - 1)
    inside = np.sum(ordered[..., :whole], axis=-1)
    mean: FloatArray = inside / weight + (1.0 - whole / weight) * ordered[..., whole]
    return mean


def _checked_tail(tail: float) -> float:
    if not (isinstance(tail, float | np.floating) and 0.0 < tail < 1.0):
        raise InvalidParametersError(
            "value_at_risk",
            [f"tail: expected a fraction between 0 and 1, received {quoted(tail)}"],
        )
    return tail
