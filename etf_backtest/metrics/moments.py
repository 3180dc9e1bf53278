"""The shape of the distribution of session returns, corrected for bias."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import UndefinedMetricError
from etf_backtest.metrics.sample import Sample, evaluate, scatter, varies
from etf_backtest.typing import FloatArray


def skewness(returns: ArrayLike) -> float:
    """Third standardised moment, bias-corrected: G1 of D. N. Joanes and C. A. Gill.

    "Comparing Measures of Sample Skewness and Kurtosis", The Statistician 47 (1998), 183-189.

    Raises
    ------
    UndefinedMetricError
        Fewer than 3 returns, or constant ones.
    """
    return evaluate(skewness_of, Sample(returns))


def kurtosis(returns: ArrayLike) -> float:
    """Fourth standardised moment less 3 (excess), bias-corrected: G2 of Joanes and Gill.

    Raises
    ------
    UndefinedMetricError
        Fewer than 4 returns, or constant ones.
    """
    return evaluate(kurtosis_of, Sample(returns))


def skewness_of(sample: Sample) -> float:
    """`skewness` of a sample."""
    return float(skewness_of_deviation(_deviation(sample, 3, "skewness")))


def kurtosis_of(sample: Sample) -> float:
    """`kurtosis` of a sample."""
    return float(kurtosis_of_deviation(_deviation(sample, 4, "kurtosis")))


def skewness_of_deviation(deviation: FloatArray) -> FloatArray:
    """G1 of what deviates from its mean along the last axis, (..., n) -> (...)."""
    n = deviation.shape[-1]
    square = np.square(deviation)
    second = square.sum(axis=-1)
    third = np.sum(square * deviation, axis=-1)
    skew: FloatArray = n * math.sqrt(n - 1) / (n - 2) * third / second**1.5
    return skew


def kurtosis_of_deviation(deviation: FloatArray) -> FloatArray:
    """G2 of what deviates from its mean along the last axis, (..., n) -> (...)."""
    n = deviation.shape[-1]
    square = np.square(deviation)
    second = square.sum(axis=-1)
    fourth = np.sum(np.square(square), axis=-1)
    scale = (n - 1) / ((n - 2) * (n - 3))
    excess: FloatArray = scale * (n * (n + 1) * fourth / second**2 - 3 * (n - 1))
    return excess


def _deviation(sample: Sample, least: int, name: str) -> FloatArray:
    """Deviation from the mean as a fraction of the largest, so that its powers are in range."""
    if sample.size < least:
        raise UndefinedMetricError(f"{name} needs {least} returns")
    if not varies(sample.returns, scatter(sample.returns)):
        raise UndefinedMetricError("returns do not vary")
    deviation: FloatArray = sample.deviation / np.abs(sample.deviation).max()
    return deviation
