"""All metrics of a run, with their window, and the reasons for those that are undefined."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import ReturnsError, UndefinedMetricError
from etf_backtest.market.sessions import as_date, as_sessions, check_ascending
from etf_backtest.metrics.benchmark import alpha, beta, information_ratio, tracking_error
from etf_backtest.metrics.drawdown import max_drawdown
from etf_backtest.metrics.ratios import calmar_ratio, sharpe_ratio, sortino_ratio
from etf_backtest.metrics.returns import annualized_return, total_return, volatility, win_rate
from etf_backtest.metrics.tail import conditional_value_at_risk, value_at_risk
from etf_backtest.typing import DateArray, FloatArray, JsonObject

METRIC_NAMES = (
    "total_return",
    "annualized_return",
    "volatility",
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "max_drawdown",
    "value_at_risk_95",
    "conditional_value_at_risk_95",
    "alpha",
    "beta",
    "information_ratio",
    "tracking_error",
    "win_rate",
)
"""The metrics, as attributes of Metrics and columns of the table performance_metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Metrics of one run, fractions and ratios; None where undefined, with the reason.

    `start` is the session of the initial value, `end` the last; both are None where the dates are
    not known. `sessions` counts both. `undefined` says why each metric that is None is.
    """

    start: dt.date | None
    end: dt.date | None
    sessions: int
    total_return: float | None = None
    annualized_return: float | None = None
    volatility: float | None = None
    sharpe_ratio: float | None = None
    sortino_ratio: float | None = None
    calmar_ratio: float | None = None
    max_drawdown: float | None = None
    value_at_risk_95: float | None = None
    conditional_value_at_risk_95: float | None = None
    alpha: float | None = None
    beta: float | None = None
    information_ratio: float | None = None
    tracking_error: float | None = None
    win_rate: float | None = None
    undefined: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def to_dict(self) -> JsonObject:
        """Window, metrics by name and `undefined`, ready for JSON."""
        values: dict[str, float | None] = {name: getattr(self, name) for name in METRIC_NAMES}
        return {
            "start": None if self.start is None else self.start.isoformat(),
            "end": None if self.end is None else self.end.isoformat(),
            "sessions": self.sessions,
            **values,
            "undefined": dict(self.undefined),
        }

    def notes(self) -> tuple[str, ...]:
        """One sentence for each reason why metrics are undefined."""
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.undefined.items():
            by_reason.setdefault(reason, []).append(name)
        return tuple(
            f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} undefined: {reason}"
            for reason, names in by_reason.items()
        )


def summary(
    returns: ArrayLike,
    benchmark: ArrayLike | None = None,
    risk_free: float = 0.0,
    dates: DateArray | None = None,
) -> Metrics:
    """Compute all metrics of a series of returns.

    Parameters
    ----------
    returns : array of shape (n,)
        Simple session returns, fractions, without NaN, none below -1.
    benchmark : array of shape (n,), optional
        Returns of the benchmark on the same sessions.
    risk_free : float
        Annual rate, a fraction; (1 + risk_free)^(1/252) - 1 a session.
    dates : array of shape (n + 1,), optional
        Sessions, the one of the initial value first: a window's length is counted from there.
        Without them what needs a calendar is undefined.

    Raises
    ------
    ReturnsError
        No returns, NaN, a return below -1, or shapes that do not fit.
    """
    own = _checked("returns", returns)
    other = None if benchmark is None else _checked("benchmark", benchmark, own.size)
    days = None if dates is None else _checked_dates(dates, own.size)
    if not risk_free > -1 or math.isinf(risk_free):
        raise ReturnsError(f"the risk-free rate is {risk_free}, expected a fraction above -1")
    values: dict[str, float] = {}
    undefined: dict[str, str] = {}
    for name, compute in _definitions(own, other, risk_free, days).items():
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                value = compute()
        except UndefinedMetricError as reason:
            undefined[name] = reason.message
        except OverflowError:
            undefined[name] = "it is not finite"
        else:
            if math.isfinite(value):
                values[name] = value
            else:
                undefined[name] = "it is not finite"
    return Metrics(
        start=None if days is None else as_date(days[0]),
        end=None if days is None else as_date(days[-1]),
        sessions=own.size + 1,
        undefined=MappingProxyType(undefined),
        **values,
    )


def _definitions(
    returns: FloatArray, benchmark: FloatArray | None, risk_free: float, dates: DateArray | None
) -> dict[str, Callable[[], float]]:
    """What computes each metric."""

    def dated(metric: Callable[[FloatArray, DateArray], float]) -> Callable[[], float]:
        if dates is None:
            return _undefined("the dates are not known")
        return lambda: metric(returns, dates)

    def against(metric: Callable[[FloatArray, FloatArray], float]) -> Callable[[], float]:
        if benchmark is None:
            return _undefined("there is no benchmark")
        return lambda: metric(returns, benchmark)

    return {
        "total_return": lambda: total_return(returns),
        "annualized_return": dated(annualized_return),
        "volatility": lambda: volatility(returns),
        "sharpe_ratio": lambda: sharpe_ratio(returns, risk_free),
        "sortino_ratio": lambda: sortino_ratio(returns, risk_free),
        "calmar_ratio": dated(calmar_ratio),
        "max_drawdown": lambda: max_drawdown(returns),
        "value_at_risk_95": lambda: value_at_risk(returns, 0.05),
        "conditional_value_at_risk_95": lambda: conditional_value_at_risk(returns, 0.05),
        "alpha": against(lambda own, other: alpha(own, other, risk_free)),
        "beta": against(lambda own, other: beta(own, other, risk_free)),
        "information_ratio": against(information_ratio),
        "tracking_error": against(tracking_error),
        "win_rate": dated(win_rate),
    }


def _undefined(reason: str) -> Callable[[], float]:
    def refuse() -> float:
        raise UndefinedMetricError(reason)

    return refuse


def _checked(name: str, values: ArrayLike, size: int | None = None) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size:
        raise ReturnsError(f"{name}: expected one or more in a row, received {array.shape}")
    if size is not None and array.size != size:
        raise ReturnsError(f"{name}: expected {size}, one for each return, received {array.size}")
    bad = np.flatnonzero(~(np.isfinite(array) & (array >= -1.0)))
    if bad.size:
        raise ReturnsError(
            f"{name}: number {bad[0]} is {array[bad[0]]}, expected a fraction of -1 or more",
            remedy="drop or mend it; returns are fractions, 0.01 is 1 %",
        )
    return array


def _checked_dates(dates: DateArray, returns: int) -> DateArray:
    days = as_sessions(dates)
    if days.size != returns + 1:
        raise ReturnsError(
            f"dates: expected {returns + 1}, received {days.size}",
            remedy="give the date of the initial value, then one for each return",
        )
    check_ascending(days)
    return days
