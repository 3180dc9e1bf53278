"""A result as JSON: what is stored, and what `--json` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from etf_backtest.frozen_mapping import plain_json
from etf_backtest.market import PriceBasis
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation.fingerprint import versions
from etf_backtest.typing import FloatArray, JsonObject

if TYPE_CHECKING:
    from etf_backtest.simulation.result import SimulationResult

RESULT_SCHEMA = 2
"""Raised when the shape of `result_as_data` changes."""


def result_as_data(result: SimulationResult) -> JsonObject:
    """See `SimulationResult.to_dict`."""
    dates = np.datetime_as_string(result.panel.dates, unit="D").tolist()
    weights = np.nan_to_num(result.weights_held(), nan=0.0, posinf=0.0, neginf=0.0)
    book, against, asked = result.book, result.benchmark_values, result.prepared.window
    own = result.benchmark_metrics
    return {
        "schema": RESULT_SCHEMA,
        "conventions_version": result.conventions_version,
        "versions": versions(),
        "fingerprint": result.fingerprint,
        "fingerprints": {
            "prices": dict(result.price_fingerprints),
            "decisions": result.decisions,
        },
        "window": result.window.to_dict(),
        "asked_window": result.asked_window.to_dict(),
        "ruin": None if book.ruin is None else {"date": dates[-1], "by": book.ruin},
        "strategy": plain_json(result.strategy),
        "rules": result.rules.to_dict(),
        "rebalance": result.rebalance.model_dump(mode="json"),
        "lag": result.lag,
        "benchmark": result.benchmark,
        "risk_free": rate_as_data(result.risk_free),
        "basis": {
            symbol: PriceBasis(basis).value
            for symbol, basis in zip(asked.symbols, asked.basis, strict=True)
        },
        "proxies": [share.to_dict() for share in result.proxies],
        "metrics": result.metrics.to_dict(),
        "benchmark_metrics": None if own is None else own.to_dict(),
        "warnings": list(result.warnings),
        "dates": dates,
        "equity": book.equity.tolist(),
        "cash": book.cash.tolist(),
        "benchmark_equity": None if against is None else against.tolist(),
        "weights": {
            symbol: weights[:, column].tolist()
            for column, symbol in enumerate(result.panel.symbols)
        },
        "flows": _on_dates(dates, book.flows),
        "costs": _on_dates(dates, book.costs),
        "income": {
            "dividends": float(result.change_of_value.dividends.sum()),
            "interest": float(book.interest.sum()),
        },
        "trades": _trades(result, dates),
    }


def rate_as_data(rate: float | DatedRates) -> float | dict[str, float]:
    """A rate, or its dates and rates; `as_rate` takes it back."""
    return rate.to_dict() if isinstance(rate, DatedRates) else rate


def _trades(result: SimulationResult, dates: list[str]) -> list[JsonObject]:
    rows, columns, values = result.trade_columns()
    trades = zip(*(column.tolist() for column in values.values()), strict=True)
    return [
        {
            "date": dates[row],
            "symbol": result.panel.symbols[column],
            **dict(zip(values, trade, strict=True)),
        }
        for row, column, trade in zip(rows.tolist(), columns.tolist(), trades, strict=True)
    ]


def _on_dates(dates: list[str], values: FloatArray) -> JsonObject:
    """The values that are not 0, by date."""
    return {dates[row]: float(values[row]) for row in np.flatnonzero(values).tolist()}
