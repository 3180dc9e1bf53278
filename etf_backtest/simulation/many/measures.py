"""Metrics of the portfolios of a batch: the usual ones from totals, all others from curves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from etf_backtest.errors import InvalidParametersError, UndefinedMetricError
from etf_backtest.market.rates import DatedRates
from etf_backtest.metrics import METRIC_NAMES
from etf_backtest.metrics.definitions import DEFINITIONS
from etf_backtest.metrics.sample import (
    DAYS_PER_YEAR,
    NEGLIGIBLE,
    SESSIONS_PER_YEAR,
    SHORTEST_YEAR,
    Sample,
    evaluate,
)
from etf_backtest.simulation.many.totals import Totals
from etf_backtest.typing import DateArray, FloatArray

QUICK_METRICS = (
    "final_value",
    "total_return",
    "cagr",
    "volatility",
    "sharpe_ratio",
    "max_drawdown",
    "calmar_ratio",
    "turnover",
    "costs",
)
"""Metrics that need no curve: the default of `simulate_many`."""
MANY_METRICS = ("final_value", *METRIC_NAMES, "costs")
"""All metrics of `simulate_many`: `final_value` and `costs` are money, the others as in Metrics."""


def checked_metrics(names: object) -> tuple[str, ...]:
    """Names of metrics, each once.

    Raises
    ------
    InvalidParametersError
        A name is unknown, or they are not names.
    """
    if isinstance(names, str):
        if names == "all":
            return MANY_METRICS
        names = [names]
    problem = None
    if not isinstance(names, list | tuple):
        problem = f"expected a list of names, received {type(names).__name__}"
    elif not names:
        problem = "none is asked"
    elif unknown := [
        str(name) for name in names if not isinstance(name, str) or name not in MANY_METRICS
    ]:
        problem = f"there is no {', '.join(unknown)}"
    else:
        return tuple(dict.fromkeys(map(str, names)))
    raise InvalidParametersError(
        "simulate_many", [f"metrics: {problem}"], accepted=("all", *MANY_METRICS)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """What metrics of a window are computed with.

    Attributes
    ----------
    names : tuple of str
        Of MANY_METRICS.
    dates : ndarray of shape (T,)
    capital : float
        Initial, currency.
    rate : float
        Costs of an order, a fraction.
    risk_free : float or DatedRates
    benchmark : ndarray of shape (T - 1,), or None
        Returns.
    """

    names: tuple[str, ...]
    dates: DateArray
    capital: float
    rate: float
    risk_free: float | DatedRates
    benchmark: FloatArray | None

    @property
    def need_curves(self) -> bool:
        """Whether totals are not enough."""
        dated = isinstance(self.risk_free, DatedRates) and "sharpe_ratio" in self.names
        return dated or not set(self.names) <= set(QUICK_METRICS)

    def from_totals(self, totals: Totals) -> dict[str, FloatArray]:
        """The metrics of QUICK_METRICS that are asked for, each of shape (P,); NaN if undefined.

        The definitions are those of `etf_backtest.metrics`, rearranged; `risk_free` is constant.
        """
        assert isinstance(self.risk_free, float)  # noqa: S101  # else curves are needed
        sessions, days = self.dates.size, _days(self.dates)
        deviation = totals.scatter(sessions)
        session_rate = math.expm1(math.log1p(self.risk_free) / SESSIONS_PER_YEAR)
        excess = totals.returns / (sessions - 1) - session_rate
        depth = 1.0 - totals.lowest
        root = math.sqrt(SESSIONS_PER_YEAR)
        with np.errstate(all="ignore"):
            growth = np.full_like(depth, np.nan)
            if days >= SHORTEST_YEAR:
                growth = totals.final ** (DAYS_PER_YEAR / days) - 1.0
            varies = deviation > NEGLIGIBLE * np.maximum(1.0, np.abs(excess))
            traded_a_year = totals.traded / 2.0 / (days / DAYS_PER_YEAR)
            found = {
                "final_value": totals.final * self.capital,
                "total_return": totals.final - 1.0,
                "cagr": growth,
                "volatility": deviation * root,
                "sharpe_ratio": np.where(varies, excess / deviation * root, np.nan),
                "max_drawdown": -depth,
                "calmar_ratio": np.where(depth > NEGLIGIBLE, growth / depth, np.nan),
                "turnover": traded_a_year / (totals.values / sessions),
                "costs": totals.traded * self.rate * self.capital,
            }
        return {name: _finite(found[name]) for name in self.names}

    def from_curve(self, curve: FloatArray, *, traded: float) -> dict[str, float]:
        """All metrics that are asked for; NaN where undefined.

        Parameters
        ----------
        curve : ndarray of shape (T,)
            Values, in units of the initial capital.
        traded : float
            Sum of the absolute notionals, in the same units.
        """
        equity = curve * self.capital
        sample = Sample(
            equity[1:] / equity[:-1] - 1.0,
            benchmark=self.benchmark,
            risk_free=self.risk_free,
            dates=self.dates,
            equity=equity,
            flows=np.zeros_like(equity),
            traded=traded * self.capital,
        )
        money = {"final_value": float(equity[-1]), "costs": traded * self.rate * self.capital}
        return {name: money[name] if name in money else _value(name, sample) for name in self.names}


def _value(name: str, sample: Sample) -> float:
    try:
        return evaluate(DEFINITIONS[name], sample)
    except UndefinedMetricError:
        return math.nan


def _finite(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values), values, np.nan)


def _days(dates: DateArray) -> int:
    return int((dates[-1] - dates[0]) / np.timedelta64(1, "D"))


LESS_IS_BETTER = frozenset({"volatility", "ulcer_index", "tracking_error", "turnover", "costs"})
"""Metrics of which the lowest is the best."""
