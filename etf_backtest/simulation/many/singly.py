"""Batches that are run one portfolio after the other: costs, flows, lots or bands are not in
proportion to the value."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from etf_backtest.simulation.many.portfolios import Portfolios
from etf_backtest.simulation.many.request import Request
from etf_backtest.simulation.many.table import Curves, Table
from etf_backtest.simulation.run import simulate


def run_singly(
    request: Request, portfolios: Portfolios, table: Table, numbers: Iterable[int]
) -> None:
    """Put down what `simulate` finds of each of the portfolios `numbers`.

    Raises
    ------
    EtfBacktestError
        As `simulate`.
    """
    for number in numbers:
        result = simulate(
            request.panel,
            portfolios[number],
            request.rules,
            benchmark=request.benchmark,
            risk_free=request.risk_free,
            start=request.start,
            end=request.end,
        )
        money = {
            "final_value": float(result.book.equity[-1]),
            "costs": float(result.book.costs.sum()),
        }
        metrics = result.metrics
        found = {
            name: money[name] if name in money else getattr(metrics, name) for name in request.names
        }
        table.set(
            number, {name: math.nan if value is None else value for name, value in found.items()}
        )
        for note in result.notes:
            table.note(note, (number,))
        if request.curves:
            values = result.book.equity[:, np.newaxis].copy()
            table.curves.append(Curves(result.panel.dates, np.array([number]), values))
