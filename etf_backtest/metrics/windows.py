"""The metrics of many windows at once: rows of returns in, one number a row out.

Each is the formula of the function of the same name, along the last axis; NaN (or infinite) where
that one is undefined. Two passes over each window, no running sums: nothing cancels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType

import numpy as np

from etf_backtest.errors import UndefinedMetricError
from etf_backtest.metrics.moments import kurtosis_of_deviation, skewness_of_deviation
from etf_backtest.metrics.periods import FLAT
from etf_backtest.metrics.sample import NEGLIGIBLE, SESSIONS_PER_YEAR
from etf_backtest.metrics.tail import TAIL, percentile, tail_mean
from etf_backtest.typing import BoolArray, FloatArray

YEARLY = math.sqrt(SESSIONS_PER_YEAR)


class Windows:
    """Windows of returns, of the session's risk-free rates and of the benchmark, shape (m, w)."""

    def __init__(
        self, returns: FloatArray, rates: float | FloatArray, benchmark: FloatArray | None
    ) -> None:
        # copies: views of overlapping windows would be read, and their results written, by column
        self.returns = np.ascontiguousarray(returns)
        self.rates = rates if isinstance(rates, float) else np.ascontiguousarray(rates)
        self._benchmark = None if benchmark is None else np.ascontiguousarray(benchmark)

    @property
    def size(self) -> int:
        """Returns in a window."""
        size: int = self.returns.shape[1]
        return size

    @property
    def benchmark(self) -> FloatArray:
        """The benchmark's returns."""
        if self._benchmark is None:
            raise UndefinedMetricError("there is no benchmark")
        return self._benchmark

    @cached_property
    def values(self) -> FloatArray:
        """Value of 1 invested before each window."""
        values: FloatArray = np.multiply.accumulate(self.returns + 1.0, axis=1)
        return values

    @cached_property
    def drawdowns(self) -> FloatArray:
        """Value / running peak - 1; the value before the window is a peak."""
        peaks = np.maximum(np.maximum.accumulate(self.values, axis=1), 1.0)
        below: FloatArray = self.values / peaks - 1.0
        return below

    @cached_property
    def ordered(self) -> FloatArray:
        """Returns, lowest first."""
        return np.sort(self.returns, axis=1)

    @cached_property
    def deviation(self) -> FloatArray:
        """Deviation from the mean as a fraction of the window's largest; NaN if all is rounding."""
        deviation = _centred(self.returns)
        largest = np.abs(deviation).max(axis=1)
        largest[~_varies(self.returns, _scatter(self.returns))] = np.nan
        scaled: FloatArray = deviation / largest[:, np.newaxis]
        return scaled

    @cached_property
    def excess(self) -> FloatArray:
        """Returns minus the risk-free rate."""
        excess: FloatArray = self.returns - self.rates
        return excess

    @cached_property
    def market(self) -> FloatArray:
        """The benchmark's returns minus the risk-free rate."""
        excess: FloatArray = self.benchmark - self.rates
        return excess

    @cached_property
    def active(self) -> FloatArray:
        """Returns minus the benchmark's."""
        active: FloatArray = self.returns - self.benchmark
        return active


def _total_return(windows: Windows) -> FloatArray:
    return windows.values[:, -1] - 1.0


def _annual_return(windows: Windows) -> FloatArray:
    growth: FloatArray = windows.values[:, -1] ** (SESSIONS_PER_YEAR / windows.size)
    return growth - 1.0


def _volatility(windows: Windows) -> FloatArray:
    return _scatter(windows.returns) * YEARLY


def _sharpe_ratio(windows: Windows) -> FloatArray:
    return _per_scatter(windows.excess)


def _sortino_ratio(windows: Windows) -> FloatArray:
    downside = np.sqrt(np.mean(np.minimum(windows.excess, 0.0) ** 2, axis=1))
    downside[windows.excess.min(axis=1) >= -FLAT] = np.nan
    ratio: FloatArray = windows.excess.mean(axis=1) * YEARLY / downside
    return ratio


def _max_drawdown(windows: Windows) -> FloatArray:
    deepest: FloatArray = np.minimum(windows.drawdowns.min(axis=1), 0.0)
    return deepest


def _ulcer_index(windows: Windows) -> FloatArray:
    squares = np.square(windows.drawdowns).sum(axis=1)
    index: FloatArray = np.sqrt(squares / (windows.size + 1))
    return index


def _value_at_risk(windows: Windows) -> FloatArray:
    return percentile(windows.ordered, TAIL)


def _conditional_value_at_risk(windows: Windows) -> FloatArray:
    return tail_mean(windows.ordered, TAIL)


def _tail_ratio(windows: Windows) -> FloatArray:
    low = percentile(windows.ordered, TAIL)
    low = np.where(np.abs(low) <= FLAT, np.nan, low)
    ratio: FloatArray = np.abs(percentile(windows.ordered, 1.0 - TAIL) / low)
    return ratio


def _omega_ratio(windows: Windows) -> FloatArray:
    gains = np.maximum(windows.returns, 0.0).sum(axis=1)
    losses = -np.minimum(windows.returns, 0.0).sum(axis=1)
    losses[windows.returns.min(axis=1) >= -FLAT] = np.nan
    ratio: FloatArray = gains / losses
    return ratio


def _skewness(windows: Windows) -> FloatArray:
    if windows.size < 3:
        return _nowhere(windows)
    return skewness_of_deviation(windows.deviation)


def _kurtosis(windows: Windows) -> FloatArray:
    if windows.size < 4:
        return _nowhere(windows)
    return kurtosis_of_deviation(windows.deviation)


def _beta(windows: Windows) -> FloatArray:
    deviation = _centred(windows.market)
    slope: FloatArray = _dot(deviation, windows.excess) / _dot(deviation, deviation)
    slope[~_varies(windows.market, _scatter(windows.market))] = np.nan
    return slope


def _alpha(windows: Windows) -> FloatArray:
    explained = _beta(windows) * windows.market.mean(axis=1)
    intercept: FloatArray = windows.excess.mean(axis=1) - explained
    return intercept * SESSIONS_PER_YEAR


def _r_squared(windows: Windows) -> FloatArray:
    return np.square(_pearson(windows.excess, windows.market))


def _correlation(windows: Windows) -> FloatArray:
    return _pearson(windows.returns, windows.benchmark)


def _tracking_error(windows: Windows) -> FloatArray:
    return _scatter(windows.active) * YEARLY


def _information_ratio(windows: Windows) -> FloatArray:
    return _per_scatter(windows.active)


def _pearson(own: FloatArray, other: FloatArray) -> FloatArray:
    mine, theirs = _centred(own), _centred(other)
    cosine: FloatArray = _dot(mine, theirs) / np.sqrt(_dot(mine, mine))
    cosine /= np.sqrt(_dot(theirs, theirs))
    cosine[~(_varies(own, _scatter(own)) & _varies(other, _scatter(other)))] = np.nan
    return np.clip(cosine, -1.0, 1.0)


def _per_scatter(values: FloatArray) -> FloatArray:
    """Annualised mean over annualised standard deviation."""
    deviation = _scatter(values)
    deviation[~_varies(values, deviation)] = np.nan
    ratio: FloatArray = values.mean(axis=1) / deviation * YEARLY
    return ratio


def _centred(values: FloatArray) -> FloatArray:
    deviation: FloatArray = values - values.mean(axis=1, keepdims=True)
    return deviation


def _dot(left: FloatArray, right: FloatArray) -> FloatArray:
    products: FloatArray = np.vecdot(left, right)
    return products


def _scatter(values: FloatArray) -> FloatArray:
    deviation = _centred(values)
    if values.shape[1] < 2:
        return np.full(values.shape[0], np.nan)
    scatter: FloatArray = np.sqrt(_dot(deviation, deviation) / (values.shape[1] - 1))
    return scatter


def _varies(values: FloatArray, deviation: FloatArray) -> BoolArray:
    limit = NEGLIGIBLE * np.maximum(np.abs(values.mean(axis=1)), 1.0)
    varies: BoolArray = deviation > limit
    return varies


def _nowhere(windows: Windows) -> FloatArray:
    return np.full(windows.returns.shape[0], np.nan)


AGAINST_BENCHMARK = frozenset(
    ("alpha", "beta", "r_squared", "correlation", "tracking_error", "information_ratio")
)
"""The metrics that need a benchmark."""

WINDOW_METRICS: Mapping[str, Callable[[Windows], FloatArray]] = MappingProxyType(
    {
        "total_return": _total_return,
        "annual_return": _annual_return,
        "volatility": _volatility,
        "sharpe_ratio": _sharpe_ratio,
        "sortino_ratio": _sortino_ratio,
        "max_drawdown": _max_drawdown,
        "ulcer_index": _ulcer_index,
        "value_at_risk_95": _value_at_risk,
        "conditional_value_at_risk_95": _conditional_value_at_risk,
        "alpha": _alpha,
        "beta": _beta,
        "r_squared": _r_squared,
        "correlation": _correlation,
        "information_ratio": _information_ratio,
        "tracking_error": _tracking_error,
        "omega_ratio": _omega_ratio,
        "tail_ratio": _tail_ratio,
        "skewness": _skewness,
        "kurtosis": _kurtosis,
    }
)
