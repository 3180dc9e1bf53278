"""What is bought: units whose prices need no splits and, where they are reinvested, no dividends.

Between trades the number of units stays the same, so a run is vectorised between its trades. What
people see are shares: units times `per_unit`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etf_backtest.market import PricePanel
from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.market.splice import no_closes
from etf_backtest.simulation.rules import Rules
from etf_backtest.typing import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Units(FrozenArrays):
    """Prices of units in a window.

    Attributes
    ----------
    prices : ndarray of shape (T, N)
        Of one unit, currency.
    shares : ndarray of shape (T, N) or None
        Shares that a unit stands for; None is one, always.
    payouts : ndarray of shape (T, N) or None
        Dividends of a unit paid as cash; None where they stay inside the price.
    """

    prices: FloatArray
    shares: FloatArray | None
    payouts: FloatArray | None

    def share_prices(self, row: int) -> FloatArray:
        """Price of one share of each symbol, shape (N,)."""
        price: FloatArray = self.prices[row]
        return price if self.shares is None else price / self.shares[row]


def units_of(panel: PricePanel, rules: Rules) -> Units:
    """Units that fit the rules.

    With fractional shares and reinvested dividends a unit is one of the total-return prices. Else,
    where closes are known, it is what one share of the window's first session has become by
    splits, and pays its dividends out.

    Parameters
    ----------
    panel : PricePanel
        Complete prices of the traded symbols on the sessions of the window.

    Raises
    ------
    NoClosesError
        Dividends shall be kept as cash, and a symbol has no closes to tell them from the price.
    """
    quotes = panel.quotes
    if rules.dividends == "cash":
        known = () if quotes is None else quotes.known
        for number, symbol in enumerate(panel.symbols):
            if quotes is None or not known[number]:
                raise no_closes(panel, symbol)
    if quotes is None:
        return Units(panel.prices, None, None)
    with_closes = quotes.known
    if rules.dividends == "reinvest" and rules.lot_size is None:
        shares = np.where(with_closes, panel.prices / quotes.closes, 1.0)
        return Units(panel.prices, shares, None)
    splits = quotes.splits.copy()
    splits[0] = 1.0  # before the window
    shares = np.where(with_closes, np.cumprod(np.nan_to_num(splits, nan=1.0), axis=0), 1.0)
    prices = np.where(with_closes, quotes.closes * shares, panel.prices)
    payouts = np.where(with_closes, quotes.dividends * shares, 0.0)
    payouts[0] = 0.0
    return Units(prices, shares, payouts if payouts.any() else None)
