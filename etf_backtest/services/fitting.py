"""What a run goes over, once its prices are there: its window, its rules, and a word about both.

Computing and nothing else: no database and none of its client, so that a child process which
computes jobs need not load them.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etf_backtest.market.rates import rates_in_force
from etf_backtest.services.price_panel import FittedWindow, fit_window
from etf_backtest.simulation.preparation import Prepared, prepare
from etf_backtest.simulation.units import units_of

if TYPE_CHECKING:
    from etf_backtest.market.rates import DatedRates
    from etf_backtest.services.price_panel import LoadedPrices
    from etf_backtest.simulation import Rules
    from etf_backtest.strategies import Strategy


@dataclass(frozen=True, slots=True)
class Fitted:
    """The window of a run, and what somebody has to know who reads its result."""

    window: FittedWindow
    notes: tuple[str, ...]


def fit(
    prices: LoadedPrices,
    strategy: Strategy,
    rules: Rules,
    allocations: Mapping[str, float],
    *,
    benchmark: str | None,
    risk_free: float | DatedRates,
    start: dt.date | None,
    end: dt.date | None,
) -> Fitted:
    """Find the window, and check everything that the run would stumble over.

    Raises
    ------
    NoClosesError, MissingPricesError, UnknownSymbolError, RateError, WindowError, \
    UncoveredWindowError
        What was asked for cannot be.
    """
    window = fit_window(prices.panel, start, end, rules.missing)
    check_inputs(
        prepare(prices.panel, strategy, rules, benchmark, window.start, window.end),
        strategy,
        rules,
        risk_free,
    )
    notes = (
        *allocation_notes(strategy, allocations),
        *prices.notes_from(window.start),
        *window.notes,
    )
    return Fitted(window, notes)


def check_inputs(
    prepared: Prepared, strategy: Strategy, rules: Rules, risk_free: float | DatedRates
) -> None:
    """Refuse inputs with which a run would fail.

    Raises
    ------
    NoClosesError, RateError
    """
    dates = prepared.window.dates
    units_of(prepared.window.select(strategy.symbols), rules)
    for rate in (rules.cash_rate, rules.borrow_rate, risk_free):
        if rate is not None:
            rates_in_force(rate, dates)


def allocation_notes(strategy: Strategy, allocations: Mapping[str, float]) -> Iterator[str]:
    """A word to whoever expects fractions to be kept by a strategy that ignores them."""
    even = len(set(allocations.values())) == 1 and math.isclose(sum(allocations.values()), 1.0)
    if not (strategy.uses_allocations or even):
        yield (
            f"{strategy.name} chooses among the portfolio's symbols and sets their weights itself; "
            "the portfolio's fractions play no part"
        )
