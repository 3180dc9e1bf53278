"""How much of the benchmark's good and bad months the fund took part in."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import UndefinedMetricError
from etf_backtest.metrics.sample import Sample, evaluate
from etf_backtest.typing import BoolArray, DateArray, FloatArray


def up_capture(returns: ArrayLike, benchmark: ArrayLike, dates: DateArray) -> float:
    """Mean return over the benchmark's, both geometric, in the months in which it rose.

    With fund and benchmark f and b in these k months: (prod(1 + f)^(1/k) - 1) over
    (prod(1 + b)^(1/k) - 1). First and last months count as far as they go; a
    return within 1e-12 of 0 is rounding, and the month neither rose nor fell.

    Raises
    ------
    UndefinedMetricError
        The benchmark rose in no month.
    """
    return evaluate(up_capture_of, Sample(returns, benchmark=benchmark, dates=dates))


def down_capture(returns: ArrayLike, benchmark: ArrayLike, dates: DateArray) -> float:
    """As `up_capture`, in the months in which the benchmark fell; below 1 is good.

    Raises
    ------
    UndefinedMetricError
        The benchmark fell in no month.
    """
    return evaluate(down_capture_of, Sample(returns, benchmark=benchmark, dates=dates))


def up_capture_of(sample: Sample) -> float:
    """`up_capture` of a sample."""
    return _capture(sample, sample.benchmark_months > 0.0, "rose")


def down_capture_of(sample: Sample) -> float:
    """`down_capture` of a sample."""
    return _capture(sample, sample.benchmark_months < 0.0, "fell")


def _capture(sample: Sample, chosen: BoolArray, moved: str) -> float:
    if not chosen.any():
        raise UndefinedMetricError(f"the benchmark {moved} in no month")
    own = _geometric_mean(sample.months[chosen])
    return own / _geometric_mean(sample.benchmark_months[chosen])


def _geometric_mean(returns: FloatArray) -> float:
    return float(np.expm1(np.log1p(returns).mean()))
