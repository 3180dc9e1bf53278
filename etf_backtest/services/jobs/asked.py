"""What a claimed row asks for, whoever wrote it, and what a child has said about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from etf_backtest.errors import ComputationError
from etf_backtest.services.jobs.computation import StrategyRecord
from etf_backtest.services.request import Asked
from etf_backtest.services.stored_run import StoredOptions

if TYPE_CHECKING:
    from etf_backtest.database.models import PerformanceMetricsCreateInput
    from etf_backtest.services.jobs.claim import Claim
    from etf_backtest.services.request import Chosen

_DATES = frozenset(("windowStart", "windowEnd"))


def asked_by(claimed: Claim) -> Asked:
    """What a row asks for.

    Raises
    ------
    InvalidParametersError
        Its options cannot be used.
    ComputationError
        Its owner may not run anything.
    """
    if not claimed.owner_is_active:
        raise ComputationError("its owner's account is not active")
    options = StoredOptions.read(claimed.options)
    return Asked(
        portfolio=claimed.portfolio,
        strategy=claimed.strategy,
        # two places say what it starts with; the column is the one that has checks
        rules=options.rules.model_copy(update={"initial_capital": float(claimed.initial_capital)}),
        start=dt.date.fromisoformat(claimed.start),
        end=dt.date.fromisoformat(claimed.end),
        benchmark=claimed.benchmark,
        name=claimed.name,
        risk_free=options.risk_free,
        proxies=options.proxies,
    )


def record_of(chosen: Chosen) -> StrategyRecord:
    """The strategy that is to run, as data."""
    row = chosen.strategy_row
    name = str(row.type) if row.implementation is None else row.implementation
    return StrategyRecord(name, dict(row.parameters), chosen.allocations)


def metrics_said(backtest_id: str, said: Mapping[str, Any]) -> PerformanceMetricsCreateInput:
    """The metrics that a child has written.

    Raises
    ------
    ComputationError
        They are none: a strategy has meddled with it.
    """
    try:
        said_metrics = {**said["metrics"]}
        said_metrics.pop("backtestId")
        values = {name: _column(name, value) for name, value in said_metrics.items()}
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        raise ComputationError("its strategy meddles with the metrics") from None
    return cast("PerformanceMetricsCreateInput", {**values, "backtestId": backtest_id})


def _column(name: str, value: Any) -> object:
    if name in _DATES:
        return dt.datetime.fromisoformat(value)
    return value if value is None or isinstance(value, int) else Decimal(value)
