"""Metrics of each window of a given number of sessions."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from etf_backtest.errors import InvalidParametersError
from etf_backtest.errors.wording import listed, quoted
from etf_backtest.frozen_mapping import FrozenMapping
from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.metrics.checks import RiskFree
from etf_backtest.metrics.sample import Sample
from etf_backtest.metrics.windows import AGAINST_BENCHMARK, WINDOW_METRICS, Windows
from etf_backtest.typing import DateArray, FloatArray

if TYPE_CHECKING:
    import pandas as pd

ROLLING_METRICS = tuple(WINDOW_METRICS)
"""The names that `rolling` takes."""
BLOCK = 2**17
"""Returns that are looked at in one go: 1 MB, which stays in a processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class RollingMetrics(FrozenArrays):
    """Metrics of each window; `metrics["beta"]` is the array of one.

    Attributes
    ----------
    window : int
        Returns in each window.
    dates : ndarray of shape (n - window + 1,), or None
        The last session of each window, where the dates are known.
    values : mapping of str to ndarray of shape (n - window + 1,)
        Read-only. Number k belongs to the returns k to k + window - 1. NaN where the metric of the
        window is undefined: an array cannot hold None.
    """

    window: int
    dates: DateArray | None
    values: Mapping[str, FloatArray]

    def __post_init__(self) -> None:
        for array in (self.dates, *self.values.values()):
            if array is not None:
                array.flags.writeable = False
        object.__setattr__(self, "values", FrozenMapping(self.values))

    def __reduce__(self) -> tuple[type[RollingMetrics], tuple[object, ...]]:
        return type(self), (self.window, self.dates, dict(self.values))

    def __getitem__(self, metric: str) -> FloatArray:
        if not isinstance(metric, str) or metric not in self.values:
            raise InvalidParametersError(
                "rolling", [f"{quoted(metric)} was not computed"], accepted=tuple(self.values)
            )
        return self.values[metric]

    def to_frame(self) -> pd.DataFrame:
        """One column a metric, by the last session of the window; without dates by the number of
        the window's last return."""
        import pandas as pd  # late: importing it costs more than the metrics

        size = next(iter(self.values.values())).size
        index: pd.Index[int] | pd.DatetimeIndex = (
            pd.RangeIndex(self.window - 1, self.window - 1 + size, name="return")
            if self.dates is None
            else pd.DatetimeIndex(self.dates.astype("datetime64[ns]"), name="date")
        )
        return pd.DataFrame({name: array.copy() for name, array in self.values.items()}, index)


def rolling(
    returns: ArrayLike,
    window: int = 252,
    metrics: str | Sequence[str] | None = None,
    *,
    benchmark: ArrayLike | None = None,
    risk_free: RiskFree = 0.0,
    dates: DateArray | None = None,
) -> RollingMetrics:
    """Compute metrics of each window of `window` returns.

    Each number is that of the plain function on the window's returns alone: value and peak begin
    with the window, and a return before it plays no part. Windows are counted in sessions, so the
    return of a year here is `annual_return`, (1 + total_return)^(252 / window) - 1; of a shorter
    window it is an extrapolation. Metrics that need a calendar are not among them.

    Parameters
    ----------
    returns : array of shape (n,)
        Simple session returns, fractions, without NaN, none below -1.
    window : int
        From 1 to n.
    metrics : str or sequence of str, optional
        Of ROLLING_METRICS; defaults to all that can be computed: those against a benchmark only
        with one.
    benchmark : array of shape (n,), optional
    risk_free : float, DatedRates, mapping of dates or pandas Series
        Annual rate, as for `summary`.
    dates : array of shape (n + 1,), optional
        Sessions, that of the initial value first.

    Raises
    ------
    InvalidParametersError
        A window that does not fit, an unknown metric, or one that needs a benchmark.
    ReturnsError, PriceDataError, RateError
        As for `summary`.
    """
    sample = Sample(returns, benchmark=benchmark, risk_free=risk_free, dates=dates)
    size = _checked_window(window, sample.size)
    names = _checked_names(metrics, has_benchmark=benchmark is not None)
    own = sliding_window_view(sample.returns, size)
    other = None if benchmark is None else sliding_window_view(sample.benchmark, size)
    rate = sample.session_rate
    rates = rate if isinstance(rate, float) else sliding_window_view(rate, size)
    count = sample.size - size + 1
    values = {name: np.empty(count) for name in names}
    rows = max(1, BLOCK // size)
    with np.errstate(all="ignore"):  # what overflows is NaN below
        for first in range(0, count, rows):
            part = slice(first, first + rows)
            windows = Windows(
                own[part],
                rates if isinstance(rates, float) else rates[part],
                None if other is None else other[part],
            )
            for name in names:
                values[name][part] = WINDOW_METRICS[name](windows)
    for array in values.values():
        array[~np.isfinite(array)] = np.nan
    ends = None if sample.known_dates is None else sample.known_dates[size:].copy()
    return RollingMetrics(size, ends, values)


def _checked_window(window: int, returns: int) -> int:
    try:
        size = 0 if isinstance(window, bool) else operator.index(window)
    except TypeError:
        size = 0
    if not 1 <= size <= returns:
        raise InvalidParametersError(
            "rolling",
            [f"window: expected 1 to {returns}, the number of returns, received {quoted(window)}"],
        )
    return size


def _checked_names(metrics: str | Sequence[str] | None, *, has_benchmark: bool) -> tuple[str, ...]:
    if metrics is None:
        return tuple(
            name for name in ROLLING_METRICS if has_benchmark or name not in AGAINST_BENCHMARK
        )
    if not isinstance(metrics, Iterable):
        raise InvalidParametersError(
            "rolling",
            [f"metrics: expected names, received {quoted(metrics)}"],
            accepted=ROLLING_METRICS,
        )
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    unknown = [quoted(name) for name in names if name not in ROLLING_METRICS]
    if unknown or not names:
        raise InvalidParametersError(
            "rolling",
            [f"metrics: {listed(unknown) or 'none'} cannot be computed in windows"],
            accepted=ROLLING_METRICS,
        )
    alone = [name for name in names if name in AGAINST_BENCHMARK and not has_benchmark]
    if alone:
        raise InvalidParametersError(
            "rolling", [f"benchmark: {', '.join(alone)} cannot be computed without one"]
        )
    return names
