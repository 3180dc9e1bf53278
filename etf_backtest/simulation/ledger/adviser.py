"""The strategy, as the book-keeper asks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from etf_backtest.simulation.ledger.inputs import Inputs, Row
from etf_backtest.simulation.ledger.precision import NOTHING, ONE, ZERO
from etf_backtest.simulation.ledger.terms import Terms
from etf_backtest.strategies import Strategy
from etf_backtest.strategies.weights import as_weights, check_weights


@dataclass(frozen=True, slots=True)
class Targets:
    """What is wanted: fractions of the value in each symbol, and in cash (below 0: borrowed)."""

    weights: Row
    cash: Decimal


Adviser = Callable[[int], Targets]
"""Targets that are decided on a row of the window."""


def adviser(strategy: Strategy, inputs: Inputs, terms: Terms) -> Adviser:
    """Ask the strategy with what it can know on a row; all cash before it has enough history."""
    before = inputs.history.dates.size - len(inputs.dates)
    span = strategy.history_sessions

    def targets(row: int) -> Targets:
        stop = before + row + 1
        if stop < strategy.needed_sessions:
            return Targets((ZERO,) * len(inputs.symbols), ONE)
        known = inputs.history.rows(0 if span is None else stop - span, stop).detached()
        when = f"that {strategy.name} decided on {inputs.dates[row]}"
        weights = as_weights(strategy.target_weights(known), inputs.symbols, when=when)
        check_weights(weights, inputs.symbols, when=f" {when}", max_leverage=terms.most)
        return _all_of_it(tuple(Decimal(float(weight)) for weight in weights))

    return targets


def _all_of_it(weights: Row) -> Targets:
    """Weights that miss a sum of 1 by rounding alone leave no cash, and borrow none."""
    total = sum(weights, ZERO)
    if abs(total - 1) <= NOTHING:
        return Targets(tuple(weight / total for weight in weights), ZERO)
    return Targets(weights, ONE - total)
