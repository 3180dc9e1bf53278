"""All metrics of a run, with their window, and the reasons for those that are undefined."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from numpy.typing import ArrayLike

from etf_backtest.errors import UndefinedMetricError
from etf_backtest.market.sessions import as_date
from etf_backtest.metrics.checks import RiskFree
from etf_backtest.metrics.definitions import DEFINITIONS, METRIC_NAMES
from etf_backtest.metrics.reasons import Reasons
from etf_backtest.metrics.sample import Sample, evaluate
from etf_backtest.typing import DateArray, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Metrics of one run, fractions and ratios; None where undefined, with the reason.

    `start` is the session of the initial value, `end` the last; both are None where the dates are
    not known. `sessions` counts both. `undefined` says why each metric that is None is. Equal ones
    have the same hash; they can be copied and pickled, and stay frozen.
    """

    start: dt.date | None
    end: dt.date | None
    sessions: int
    total_return: float | None = None
    cagr: float | None = None
    volatility: float | None = None
    sharpe_ratio: float | None = None
    sortino_ratio: float | None = None
    calmar_ratio: float | None = None
    max_drawdown: float | None = None
    ulcer_index: float | None = None
    ulcer_performance_index: float | None = None
    value_at_risk_95: float | None = None
    conditional_value_at_risk_95: float | None = None
    alpha: float | None = None
    beta: float | None = None
    r_squared: float | None = None
    correlation: float | None = None
    information_ratio: float | None = None
    tracking_error: float | None = None
    up_capture: float | None = None
    down_capture: float | None = None
    omega_ratio: float | None = None
    tail_ratio: float | None = None
    skewness: float | None = None
    kurtosis: float | None = None
    win_rate: float | None = None
    money_weighted_return: float | None = None
    turnover: float | None = None
    undefined: Mapping[str, str] = field(default_factory=Reasons)

    def __post_init__(self) -> None:
        object.__setattr__(self, "undefined", Reasons(self.undefined))

    @property
    def annualized_return(self) -> float | None:
        """Another name for `cagr`."""
        return self.cagr

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
    risk_free: RiskFree = 0.0,
    dates: DateArray | None = None,
    *,
    equity: ArrayLike | None = None,
    flows: ArrayLike | None = None,
    traded: float | None = None,
) -> Metrics:
    """Compute all metrics of a series of returns.

    Parameters
    ----------
    returns : array of shape (n,)
        Simple session returns, time-weighted: fractions, without NaN, none below -1.
    benchmark : array of shape (n,), optional
        Returns of the benchmark on the same sessions.
    risk_free : float, DatedRates, mapping of dates or pandas Series
        Annual rate, a fraction; (1 + risk_free)^(1/252) - 1 a session. Of a dated series that of
        the last date up to the session before holds for a return; it needs `dates`.
    dates : array of shape (n + 1,), optional
        Sessions, the one of the initial value first: a window's length is counted from there.
        Without them what needs a calendar is undefined.
    equity : array of shape (n + 1,), optional
        Value in currency at each session, after its flow; for money_weighted_return and turnover.
    flows : array of shape (n + 1,), optional
        Money paid in (out: negative) at each session's close, in currency; the first is not used:
        equity[0] is what was paid in. For money_weighted_return; zeros where there were none.
    traded : float, optional
        Sum of the absolute notionals of all trades, in currency; for turnover.

    Raises
    ------
    ReturnsError
        No returns, NaN, a return below -1, shapes that do not fit, a rate that is none.
    PriceDataError
        Dates that are none or do not ascend.
    RateError
        Dated rates that cannot be used, or begin after the first session.
    """
    sample = Sample(
        returns,
        benchmark=benchmark,
        risk_free=risk_free,
        dates=dates,
        equity=equity,
        flows=flows,
        traded=traded,
    )
    values: dict[str, float] = {}
    undefined: dict[str, str] = {}
    for name, definition in DEFINITIONS.items():
        try:
            values[name] = evaluate(definition, sample)
        except UndefinedMetricError as reason:
            undefined[name] = reason.message
    days = sample.known_dates
    return Metrics(
        start=None if days is None else as_date(days[0]),
        end=None if days is None else as_date(days[-1]),
        sessions=sample.size + 1,
        undefined=undefined,
        **values,
    )
