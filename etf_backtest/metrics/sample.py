"""A series of returns, and what several metrics need of it, each computed once.

Formulas of single metrics stand in the modules beside this one; they take a Sample. A Sample lives
as long as one call; nobody outside this room sees one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import UndefinedMetricError
from etf_backtest.metrics.checks import (
    RiskFree,
    check_index_is_dates,
    check_same_index,
    checked_dates,
    checked_equity,
    checked_money,
    checked_rate,
    checked_returns,
    checked_traded,
)
from etf_backtest.metrics.periods import returns_by_period
from etf_backtest.typing import DateArray, FloatArray

T = TypeVar("T")

SESSIONS_PER_YEAR = 252
"""For annualising statistics of single sessions."""
DAYS_PER_YEAR = 365.25
"""For counting calendar years."""
SHORTEST_YEAR = 365
"""Days that a window must have to be annualised: any calendar year will do."""
NEGLIGIBLE = 1e-14
"""A scatter of returns below this is rounding: the returns are constant."""
NOT_FINITE = "it is not finite"
"""The reason of a metric beyond the range of float64."""


class Sample:
    """Checked returns, shape (n,), and what goes with them. Properties raise UndefinedMetricError
    where something was not given."""

    def __init__(
        self,
        returns: ArrayLike,
        *,
        benchmark: ArrayLike | None = None,
        risk_free: RiskFree = 0.0,
        dates: DateArray | None = None,
        equity: ArrayLike | None = None,
        flows: ArrayLike | None = None,
        traded: float | None = None,
    ) -> None:
        self.returns = checked_returns("returns", returns)
        self.size = self.returns.size
        self._benchmark = None
        if benchmark is not None:
            self._benchmark = checked_returns("benchmark", benchmark, self.size)
            check_same_index(returns, benchmark)
        self.known_dates = None if dates is None else checked_dates(dates, self.size)
        if self.known_dates is not None:
            check_index_is_dates("returns", returns, self.known_dates)
            check_index_is_dates("benchmark", benchmark, self.known_dates)
        self._annual_rates = checked_rate(risk_free, self.known_dates)
        rows = self.size + 1
        self._equity = None if equity is None else checked_equity(equity, rows)
        self._flows = None if flows is None else checked_money("flows", flows, rows)
        self._traded = None if traded is None else checked_traded(traded)

    @property
    def dates(self) -> DateArray:
        """Sessions, shape (n + 1,), that of the initial value first."""
        return _known(self.known_dates, "the dates are not known")

    @property
    def benchmark(self) -> FloatArray:
        """Returns of the benchmark, shape (n,)."""
        return _known(self._benchmark, "there is no benchmark")

    @property
    def equity(self) -> FloatArray:
        """Value in currency at each session, shape (n + 1,)."""
        return _known(self._equity, "the value in currency is not known")

    @property
    def flows(self) -> FloatArray:
        """Money paid in (out: negative) at each session, shape (n + 1,)."""
        return _known(self._flows, "the flows are not known")

    @property
    def traded(self) -> float:
        """Sum of absolute traded notionals, in currency."""
        return _known(self._traded, "the traded notional is not known")

    @cached_property
    def days(self) -> int:
        """Calendar days from the initial value to the last return."""
        return int((self.dates[-1] - self.dates[0]) / np.timedelta64(1, "D"))

    @cached_property
    def session_rate(self) -> float | FloatArray:
        """Rate of one session that compounds to the annual one in 252; (n,) if it is dated."""
        if isinstance(self._annual_rates, float):
            return math.expm1(math.log1p(self._annual_rates) / SESSIONS_PER_YEAR)
        rates: FloatArray = np.expm1(np.log1p(self._annual_rates) / SESSIONS_PER_YEAR)
        return rates

    @cached_property
    def annual_rate(self) -> float:
        """The constant rate, or prod(1 + session rate)^(252 / n) - 1 of a dated one."""
        if isinstance(self._annual_rates, float):
            return self._annual_rates
        return math.expm1(float(np.log1p(self._annual_rates).mean()))

    @cached_property
    def growth(self) -> FloatArray:
        """1 + return, shape (n,)."""
        growth: FloatArray = self.returns + 1.0
        return growth

    @cached_property
    def values(self) -> FloatArray:
        """Value of 1 invested, after each return, shape (n,)."""
        values: FloatArray = np.multiply.accumulate(self.growth)
        return values

    @cached_property
    def drawdowns(self) -> FloatArray:
        """Value / running peak - 1 after each return, shape (n,); the initial value is a peak."""
        below: FloatArray = self.values / np.maximum(np.maximum.accumulate(self.values), 1.0) - 1.0
        return below

    @cached_property
    def ordered(self) -> FloatArray:
        """Returns, lowest first."""
        return np.sort(self.returns)

    @cached_property
    def deviation(self) -> FloatArray:
        """Returns minus their mean."""
        return centred(self.returns)

    @cached_property
    def excess(self) -> FloatArray:
        """Returns minus the risk-free rate."""
        excess: FloatArray = self.returns - self.session_rate
        return excess

    @cached_property
    def market(self) -> FloatArray:
        """Returns of the benchmark minus the risk-free rate."""
        excess: FloatArray = self.benchmark - self.session_rate
        return excess

    @cached_property
    def active(self) -> FloatArray:
        """Returns minus the benchmark's."""
        active: FloatArray = self.returns - self.benchmark
        return active

    @cached_property
    def months(self) -> FloatArray:
        """Return of each calendar month."""
        return returns_by_period(self.growth, self.dates, "M")

    @cached_property
    def benchmark_months(self) -> FloatArray:
        """Return of the benchmark in each calendar month."""
        return returns_by_period(self.benchmark + 1.0, self.dates, "M")


def evaluate(definition: Callable[[Sample], float], sample: Sample) -> float:
    """Value of a metric, finite.

    Raises
    ------
    UndefinedMetricError
        It has no finite value; the message is the reason.
    """
    try:
        with np.errstate(all="ignore"):  # what overflows is refused below
            value = float(definition(sample))
    except OverflowError:
        raise UndefinedMetricError(NOT_FINITE) from None
    if not math.isfinite(value):
        raise UndefinedMetricError(NOT_FINITE)
    return value


def centred(values: FloatArray) -> FloatArray:
    """Values minus their mean."""
    deviation: FloatArray = values - values.mean()
    return deviation


def scatter(values: FloatArray) -> float:
    """Standard deviation of a sample (ddof = 1), one session.

    Raises
    ------
    UndefinedMetricError
        Fewer than two returns.
    """
    if values.size < 2:
        raise UndefinedMetricError("one return has no standard deviation")
    deviation = centred(values)
    return math.sqrt(deviation @ deviation / (values.size - 1))


def varies(values: FloatArray, deviation: float) -> bool:
    """Whether a standard deviation is more than the rounding of the values."""
    return deviation > NEGLIGIBLE * max(1.0, abs(float(values.mean())))


def _known(value: T | None, reason: str) -> T:
    if value is None:
        raise UndefinedMetricError(reason)
    return value
