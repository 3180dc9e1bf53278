"""How far another simulator's curves are from the books."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from etf_backtest.simulation.ledger.result import LedgerResult


class Curves(Protocol):
    """What a result has to show, indexed by session."""

    @property
    def equity(self) -> pd.Series[float]:
        """Value at each session's close."""

    @property
    def cash(self) -> pd.Series[float]:
        """Cash at each session's close."""

    @property
    def shares(self) -> pd.DataFrame:
        """Shares of each symbol."""

    @property
    def flows(self) -> pd.Series[float]:
        """Contributions and withdrawals."""

    @property
    def costs(self) -> pd.Series[float]:
        """Commission and slippage."""


def largest_difference(ledger: LedgerResult, result: Curves) -> float:
    """See `LedgerResult.difference`."""
    equity, shares = ledger.equity, ledger.shares
    if not equity.index.equals(result.equity.index):
        return math.inf
    if list(shares.columns) != list(result.shares.columns):
        return math.inf
    prices = np.array([[float(price) for price in row] for row in ledger.prices])
    # on the day the money has run out there is no equity to be relative to
    size = np.where(equity == 0, [float(day.value_before_flow) for day in ledger.days], equity)
    gaps = [
        result.equity.to_numpy() - equity.to_numpy(),
        result.cash.to_numpy() - ledger.cash.to_numpy(),
        *((result.shares.to_numpy() - shares.to_numpy()) * prices).T,
    ]
    for mine, its in ((ledger.flows, result.flows), (ledger.costs, result.costs)):
        gaps.append(its.reindex(equity.index, fill_value=0.0).to_numpy() - mine.to_numpy())
    return float(np.max(np.abs(np.array(gaps) / size)))
