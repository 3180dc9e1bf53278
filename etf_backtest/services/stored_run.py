"""A run as its row has it: what was asked for, both ways, and what came out of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from etf_backtest.errors import InvalidParametersError
from etf_backtest.services.metrics_row import metrics_row
from etf_backtest.services.rules_file import rules_of
from etf_backtest.simulation.result_data import rate_as_data

if TYPE_CHECKING:
    from etf_backtest.database.models import (
        Backtest,
        BacktestCreateInput,
        PerformanceMetricsCreateInput,
    )
    from etf_backtest.database.price_store import DataState
    from etf_backtest.market.rates import DatedRates
    from etf_backtest.services.request import Request
    from etf_backtest.simulation import Rules, SimulationResult
    from etf_backtest.typing import JsonObject

OWNER = "the stored options"
PROXIES = "proxies"
"""In the options of a row: whether proxies stand before young funds; they do where it is absent."""


@dataclass(frozen=True, slots=True)
class StoredOptions:
    """The column `options`: rules, and what was asked for beside them."""

    rules: Rules
    risk_free: float | DatedRates
    proxies: bool

    @classmethod
    def of(cls, row: Backtest) -> StoredOptions:
        """Those of a row: see `read`."""
        return cls.read(cast("Mapping[str, object]", row.options))

    @classmethod
    def read(cls, options: Mapping[str, object]) -> StoredOptions:
        """Those that a row has, whoever wrote it; what is absent is as by default.

        Raises
        ------
        InvalidParametersError
            Naming the key that cannot be used.
        """
        given = dict(options)
        proxies = given.pop(PROXIES, True)
        if not isinstance(proxies, bool):
            raise InvalidParametersError(
                OWNER, [f"{PROXIES}: expected true or false, received {proxies!r}"]
            )
        return cls(*rules_of(given, owner=OWNER), proxies)


def pending_row(request: Request) -> BacktestCreateInput:
    """The row of a run that was asked for and checked."""
    # late: who computes in a child process needs no client
    from etf_backtest.database.models import to_json

    options: JsonObject = {
        **request.rules.to_dict(),
        "risk_free": rate_as_data(request.risk_free),
    }
    if not request.proxies:
        options[PROXIES] = False
    return {
        "userId": request.actor.id,
        "portfolioId": request.portfolio.id,
        "strategyId": request.strategy_row.id,
        "name": request.title,
        "startDate": _midnight(request.start),
        "endDate": _midnight(request.end),
        "initialCapital": request.capital,
        "benchmarkSymbol": request.benchmark,
        "dataRevision": request.prices.number,
        "options": to_json(options),
    }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is stored of a run: a row of performance_metrics, and the column `results`."""

    metrics: PerformanceMetricsCreateInput
    results: JsonObject


def outcome_of(
    backtest_id: str, result: SimulationResult, *, notes: tuple[str, ...], prices: DataState
) -> Outcome:
    """What to store of a result, beside the notes of its request and the state of its prices."""
    metrics, warnings = metrics_row(backtest_id, result)
    results: JsonObject = {
        **result.to_dict(),
        "warnings": [*notes, *result.warnings, *warnings],
        "prices": state_as_data(prices),
    }
    return Outcome(metrics, results)


def state_as_data(state: DataState) -> JsonObject:
    """The state of prices that a run used, for its results."""
    symbols = {symbol: each.revision for symbol, each in state.symbols.items()}
    return {"revision": state.number, "symbols": symbols}


def _midnight(date: dt.date) -> dt.datetime:
    return dt.datetime.combine(date, dt.time(tzinfo=dt.UTC))
