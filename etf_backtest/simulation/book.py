"""What a run is given, beside prices, and what it leaves behind: plan, interest and book."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from etf_backtest.errors import RateError
from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.market.rates import DatedRates, rates_in_force, year_fractions
from etf_backtest.market.sessions import as_date
from etf_backtest.simulation.rebalancing import Bands
from etf_backtest.simulation.schedule import FlowSchedule
from etf_backtest.typing import DateArray, FloatArray, IndexArray

Ruin: TypeAlias = Literal["withdrawal", "borrowing"]
Decide: TypeAlias = Callable[[int], FloatArray]
"""Targets (N,) that are decided on a row of the window."""


@dataclass(frozen=True, slots=True, eq=False)
class Book(FrozenArrays):
    """The book of a run, after each session's trades; T sessions, fewer after a ruin.

    Attributes
    ----------
    equity, cash : ndarray of shape (T,)
        Currency; equity = cash + sum(units * price). Row 0 is before the costs of its orders.
    units : ndarray of shape (T, N)
    fills : ndarray of shape (K,)
        Rows with orders.
    traded, commission, slippage : ndarray of shape (K, N)
        Units bought (above 0) and sold (below 0) on those rows, and what they cost, currency.
    flows, costs : ndarray of shape (T,)
        Money that came in (above 0) or went out, and costs, at each close.
    interest : ndarray of shape (T,)
        What cash earned, and borrowed money cost, since the session before.
    ruin : str or None
        What ended the run on its last row, before the end of the window.
    """

    equity: FloatArray
    cash: FloatArray
    units: FloatArray
    fills: IndexArray
    traded: FloatArray
    commission: FloatArray
    slippage: FloatArray
    flows: FloatArray
    costs: FloatArray
    interest: FloatArray
    ruin: Ruin | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Interest:
    """What one unit of cash, and one of debt, becomes from each session to the next, (T - 1,)."""

    cash: FloatArray
    debt: FloatArray

    @classmethod
    def of(
        cls,
        dates: DateArray,
        cash_rate: float | DatedRates,
        borrow_rate: float | DatedRates | None,
    ) -> Interest:
        """Rates a year, act/365, credited on each session."""
        years = year_fractions(dates)
        cash = _factors(cash_rate, dates, years)
        return cls(cash, cash if borrow_rate is None else _factors(borrow_rate, dates, years))


def _factors(rate: float | DatedRates, dates: DateArray, years: FloatArray) -> FloatArray:
    factors: FloatArray = 1.0 + rates_in_force(rate, dates) * years
    lost = np.flatnonzero(factors <= 0)
    if lost.size:
        row = int(lost[0])
        raise RateError(
            f"a rate of {(factors[row] - 1) / years[row]:.4g} a year takes all of the cash in the "
            f"{years[row] * 365:.0f} days from {as_date(dates[row])} to {as_date(dates[row + 1])}",
            remedy="use a rate nearer to 0, or import the sessions that are missing",
        )
    return factors


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """When what happens, before anything is known of the money.

    Attributes
    ----------
    fills : ndarray of shape (K,)
        Rows on which targets are filled, strictly ascending.
    targets : ndarray of shape (K, N)
        Weights, each 0 or more.
    decisions : ndarray of shape (K,)
        Rows on which they were decided.
    flows : FlowSchedule
    bands : Bands or None
    decide : callable
        Targets that are decided on a row because a band was breached.
    lag : int
    cashflow : bool
        Whether new money buys what is underweight.
    reinvest_lots : bool
        Whether paid out dividends buy whole lots of their symbol.
    """

    fills: IndexArray
    targets: FloatArray
    decisions: IndexArray
    flows: FlowSchedule
    bands: Bands | None
    decide: Decide
    lag: int
    cashflow: bool
    reinvest_lots: bool
