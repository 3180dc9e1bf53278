"""Whole runs on the sample ETFs, for every simulator that ours is compared with.

A case says it twice: as a strategy with rules, which is ours to understand, and as a table of
target weights on the sessions on which they are filled, which pandas alone has made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

import numpy as np
import pandas as pd

import etf_backtest as eb
from etf_backtest.simulation.costs import Costs
from etf_backtest.typing import FloatArray

CAPITAL = 100_000.0
COMMISSION, SLIPPAGE = 5e-4, 2e-4
"""5 and 2 basis points of the notional."""
COSTS = Costs(commission_bps=5, slippage_bps=2)

Period = Literal["never", "weekly", "monthly", "quarterly", "annual"]
Targets = Callable[[pd.DataFrame], pd.DataFrame]

EQUAL = dict.fromkeys(("MTUM", "QUAL", "SIZE", "USMV", "VLUE"), 0.2)
UNEQUAL = {"MTUM": 0.35, "QUAL": 0.05, "SIZE": 0.25, "USMV": 0.2, "VLUE": 0.15}
WITH_CASH = {"MTUM": 0.3, "USMV": 0.25, "VLUE": 0.1}


@dataclass(frozen=True)
class Case:
    """One run, for us and for the others."""

    strategy: eb.Strategy
    period: Period
    targets: Targets
    """Fractions of the value by symbol (columns) on the sessions (index) that fill them."""

    def ours(self, prices: pd.DataFrame, costs: Costs | None = None) -> FloatArray:
        """Our value on each session; on the first, too, after its costs, as the others count."""
        panel = eb.PricePanel.from_frame(prices, basis=eb.PriceBasis.ADJUSTED_CLOSE)
        rules = eb.Rules(initial_capital=CAPITAL, rebalance=self.period, costs=costs or Costs())
        book = eb.simulate(panel, self.strategy, rules).book
        return np.concatenate((book.equity[:1] - book.costs[:1], book.equity[1:]))


def sample_prices() -> pd.DataFrame:
    """The bundled adjusted closes, read by pandas alone."""
    path = files("etf_backtest.providers") / "sample" / "factor_etfs_2014_2022.csv"
    with path.open() as text:
        return pd.read_csv(text, index_col="Date", parse_dates=True)


def decision_dates(sessions: pd.DatetimeIndex, period: Period) -> pd.DatetimeIndex:
    """The first session, and the last of each period; the last session of all decides nothing."""
    if period == "never":
        return sessions[:1]
    code = {"weekly": "W-SUN", "monthly": "M", "quarterly": "Q", "annual": "Y"}[period]
    dates = sessions.to_series()
    ends = pd.DatetimeIndex(dates.groupby(sessions.to_period(code)).max())
    return sessions[:1].union(ends).difference(sessions[-1:])


def fixed(weights: Mapping[str, float], period: Period) -> Case:
    """The same weights each time."""

    def targets(prices: pd.DataFrame) -> pd.DataFrame:
        dates = decision_dates(pd.DatetimeIndex(prices.index), period)
        row = pd.Series(weights).reindex(prices.columns, fill_value=0.0)
        return pd.DataFrame([row] * len(dates), index=dates)

    return Case(eb.BuyAndHold(weights), period, targets)


def strongest(look_back: int, skip: int, top_n: int, period: Period) -> Case:
    """The `top_n` that rose most, filled one session after the decision."""

    def targets(prices: pd.DataFrame) -> pd.DataFrame:
        growth = prices.shift(skip) / prices.shift(skip + look_back) - 1
        decided = growth.loc[decision_dates(pd.DatetimeIndex(prices.index), period)].dropna()
        weights = (decided.rank(axis=1, ascending=False) <= top_n) / top_n
        fills = prices.index[prices.index.get_indexer(weights.index) + 1]
        return weights.set_index(fills).loc[: prices.index[-2]]

    momentum = eb.Momentum(tuple(EQUAL), look_back=look_back, skip=skip, top_n=top_n)
    return Case(momentum, period, targets)


CASES = {
    "equal weights, held": fixed(EQUAL, "never"),
    "unequal weights, held": fixed(UNEQUAL, "never"),
    "three ETFs and cash, held": fixed(WITH_CASH, "never"),
    "equal weights, weekly": fixed(EQUAL, "weekly"),
    "equal weights, monthly": fixed(EQUAL, "monthly"),
    "unequal weights, monthly": fixed(UNEQUAL, "monthly"),
    "unequal weights, quarterly": fixed(UNEQUAL, "quarterly"),
    "three ETFs and cash, quarterly": fixed(WITH_CASH, "quarterly"),
    "three ETFs and cash, annual": fixed(WITH_CASH, "annual"),
    "the two strongest, monthly": strongest(252, 21, 2, "monthly"),
    "the strongest, weekly": strongest(63, 0, 1, "weekly"),
}


Gaps = Mapping[str, tuple[float, float]]
"""Between which the largest relative difference from ours lies, by case."""


def worst(one: FloatArray, other: FloatArray) -> float:
    """Largest relative difference on any day."""
    assert one.shape == other.shape
    return float(np.abs(one / other - 1).max())


Trade = Callable[[list[float], list[float], float], tuple[list[float], float]]
"""Notionals wanted (before costs), notionals held, cash -> notionals held and cash, afterwards."""


def keep_book(prices: pd.DataFrame, targets: pd.DataFrame, trade: Trade) -> FloatArray:
    """Value after each session of somebody who trades by `trade`; in plain Python."""
    orders = dict(zip(targets.index, targets.to_numpy().tolist(), strict=True))
    shares, cash, values = [0.0] * prices.shape[1], CAPITAL, []
    for day, row in zip(prices.index, prices.to_numpy().tolist(), strict=True):
        held = [n * price for n, price in zip(shares, row, strict=True)]
        if day in orders:
            value = cash + sum(held)
            held, cash = trade([weight * value for weight in orders[day]], held, cash)
            shares = [notional / price for notional, price in zip(held, row, strict=True)]
        values.append(cash + sum(held))
    return np.array(values)
