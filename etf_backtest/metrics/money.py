"""What the investor's money did: its own rate of return, and how much of it was traded a year."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import ReturnsError, UndefinedMetricError
from etf_backtest.metrics.checks import as_numbers
from etf_backtest.metrics.sample import DAYS_PER_YEAR, Sample, evaluate
from etf_backtest.typing import DateArray, FloatArray

DAYS_OF_XIRR = 365.0
"""act/365, as spreadsheets count."""
WIDEST = 1e9
"""Log growth over the window beyond which no root is looked for."""
POINTS = 33
"""Points of one stretch of the search for a root; of two roots closer than that none is seen."""
PRECISION = 4.5e-16
"""Step at which a root u is found, relative to it (to 0.01 where it is nearer to 0)."""


def money_weighted_return(equity: ArrayLike, flows: ArrayLike, dates: DateArray) -> float:
    """Annual rate at which all money paid in grew to what was paid out and is left: XIRR, act/365.

    The rate x at which the present value of -equity[0] on dates[0], of -flows[t] on dates[t] and of
    equity[-1] on dates[-1] is 0, each discounted by (1 + x)^(days / 365). Where flows of both signs
    allow several such rates it is the one whose logarithm, log(1 + x), is nearest to 0.

    Parameters
    ----------
    equity : array of shape (n + 1,)
        Value in currency at each session, after that day's flow; its inner values play no part.
    flows : array of shape (n + 1,)
        Money paid in (out: negative) at each session. flows[0] is not used: equity[0] is what was
        paid in.
    dates : array of shape (n + 1,)

    Raises
    ------
    ReturnsError, PriceDataError
        Amounts or dates that are none.
    UndefinedMetricError
        There is no such rate: nothing ever came out.
    """
    return evaluate(money_weighted_return_of, _money(equity, dates, flows=flows))


def turnover(equity: ArrayLike, traded: float, dates: DateArray) -> float:
    """Traded part of the money in a year: traded / 2 / mean(equity) / (days / 365.25).

    Parameters
    ----------
    equity : array of shape (n + 1,)
        Value in currency at each session.
    traded : float
        Sum of the absolute notionals of all trades, purchases and sales, in currency.
    dates : array of shape (n + 1,)

    Raises
    ------
    ReturnsError, PriceDataError
        Amounts or dates that are none.
    UndefinedMetricError
        The mean value is not positive.
    """
    return evaluate(turnover_of, _money(equity, dates, traded=traded))


def _money(
    equity: ArrayLike,
    dates: DateArray,
    flows: ArrayLike | None = None,
    traded: float | None = None,
) -> Sample:
    """The money alone; returns play no part in what is computed of it."""
    rows = as_numbers("equity", equity).size
    if rows < 2:
        raise ReturnsError(
            f"equity: expected two or more, received {rows}",
            remedy="give the value at each session, the initial one first",
        )
    return Sample(np.zeros(rows - 1), dates=dates, equity=equity, flows=flows, traded=traded)


def money_weighted_return_of(sample: Sample) -> float:
    """`money_weighted_return` of a sample."""
    return internal_rate(sample.equity, sample.flows, sample.dates)


def turnover_of(sample: Sample) -> float:
    """`turnover` of a sample."""
    mean = float(sample.equity.mean())
    if not mean > 0.0:
        raise UndefinedMetricError("the mean value is not positive")
    return sample.traded / 2.0 / mean / (sample.days / DAYS_PER_YEAR)


def internal_rate(equity: FloatArray, flows: FloatArray, dates: DateArray) -> float:
    """XIRR of a value and its flows: the checked arguments of `money_weighted_return`."""
    received = -flows
    received[0] = -equity[0]
    received[-1] += equity[-1]
    rows = np.flatnonzero(received)
    days = (dates[rows] - dates[0]) / np.timedelta64(1, "D")
    years = float((dates[-1] - dates[0]) / np.timedelta64(1, "D")) / DAYS_OF_XIRR
    return math.expm1(_PresentValue(received[rows], days / DAYS_OF_XIRR / years).root() / years)


class _PresentValue:
    """Present value of amounts as a function of the log growth u over the whole window.

    `times` are fractions of the window, from 0 to 1, ascending. So that no power overflows, all is
    valued at the first amount for u >= 0 and at the last one for u < 0: the factor between the two
    is positive and moves no root.
    """

    def __init__(self, amounts: FloatArray, times: FloatArray) -> None:
        if not (amounts.size and amounts.min() < 0.0 < amounts.max()):
            raise UndefinedMetricError("money went one way only: there is no rate of return")
        self.amounts = amounts / np.abs(amounts).max()
        self.since_first, self.since_last = times - times[0], times - times[-1]

    def at(self, u: FloatArray) -> FloatArray:
        """Present values at points of the same sign, shape (k,)."""
        times = self.since_last if u[-1] < 0.0 else self.since_first
        values: FloatArray = np.exp(-np.multiply.outer(u, times)) @ self.amounts
        return values

    def root(self) -> float:
        """The root nearest to 0, searched for in ever wider stretches on both sides."""
        near, far = 0.0, 1.0
        while near < WIDEST:
            points = np.linspace(near, far, POINTS)
            roots = [root for side in (points, -points) for root in self._first_root(side)]
            if roots:
                return min(roots, key=abs)
            near, far = far, 4.0 * far
        raise UndefinedMetricError("there is no rate at which the present value is 0")

    def _first_root(self, points: FloatArray) -> list[float]:
        """The first root along the points, or none."""
        signs = np.sign(self.at(points))
        changes = np.flatnonzero(signs[1:] != signs[:-1])
        if not changes.size:
            return []
        k = int(changes[0])
        if signs[k] == 0.0 or signs[k + 1] == 0.0:
            return [float(points[k if signs[k] == 0.0 else k + 1])]
        return [self._polished(float(points[k]), float(points[k + 1]), rising=signs[k] < 0.0)]

    def _polished(self, low: float, high: float, *, rising: bool) -> float:
        """Newton's method between `low` and `high`, with bisection where it is slow."""
        times = self.since_last if low + high < 0.0 else self.since_first
        u, before = (low + high) / 2.0, abs(high - low)
        while True:
            terms = self.amounts * np.exp(-u * times)
            value, slope = float(terms.sum()), -float(terms @ times)
            if value == 0.0:
                return u
            if (value < 0.0) == rising:
                low = u
            else:
                high = u
            step = value / slope if slope else math.inf
            if not (min(low, high) < u - step < max(low, high) and abs(step) < before / 2.0):
                step = u - (low + high) / 2.0
            before = abs(step)
            if abs(step) <= PRECISION * max(abs(u), 0.01):
                return u - step
            u -= step
