"""Where a change of value comes from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etf_backtest.market import PricePanel
from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.simulation.book import Book
from etf_backtest.simulation.units import Units
from etf_backtest.typing import FloatArray

_COLUMNS = ("price_change", "dividends", "interest", "flows", "costs", "change")


@dataclass(frozen=True, slots=True, eq=False)
class ChangeOfValue(FrozenArrays):
    """Parts of the change of the equity from each session to the next, shape (T - 1,), currency.

    ``change = price_change + dividends + interest + flows - costs``, to 1e-9 relative. The costs of
    the first session's orders are part of the first change: the first equity is before them.
    Dividends that were reinvested inside total-return prices are price change where nobody knows
    them apart. `largest_value` is the highest equity of the run, which rounding grows with.
    """

    price_change: FloatArray
    dividends: FloatArray
    interest: FloatArray
    flows: FloatArray
    costs: FloatArray
    change: FloatArray
    largest_value: float

    def columns(self) -> dict[str, FloatArray]:
        """The parts by name."""
        return {name: getattr(self, name).copy() for name in _COLUMNS}

    def unexplained(self) -> float:
        """Largest difference between the change and its parts, relative to the highest equity."""
        parts = self.price_change + self.dividends + self.interest + self.flows - self.costs
        return float(np.abs(parts - self.change).max()) / self.largest_value


def change_of_value(panel: PricePanel, book: Book, units: Units) -> ChangeOfValue:
    """Take a run's changes of value apart.

    Parameters
    ----------
    panel : PricePanel
        The traded symbols on the sessions of the book.
    book : Book
    units : Units
    """
    sessions = book.equity.size
    held = book.units[:-1]
    gains = np.einsum("tn,tn->t", held, np.diff(units.prices[:sessions], axis=0))
    dividends = np.zeros(sessions - 1)
    quotes = panel.quotes
    if quotes is not None:
        ratio = 1.0 if units.shares is None else units.shares[: sessions - 1]
        splits = np.nan_to_num(quotes.splits[1:], nan=1.0)
        paid = np.nan_to_num(quotes.dividends[1:], nan=0.0)
        dividends = np.einsum("tn,tn->t", held * ratio, splits * paid)
        if units.payouts is None:  # they are inside the prices of the units
            gains = gains - dividends
    costs = book.costs[1:].copy()
    costs[0] += book.costs[0]
    return ChangeOfValue(
        price_change=gains,
        dividends=dividends,
        interest=book.interest[1:],
        flows=book.flows[1:],
        costs=costs,
        change=np.diff(book.equity),
        largest_value=float(book.equity.max()),
    )
