"""The float64 kernel against a book-keeper who goes day by day in plain Python and Decimal.

He shares only the inputs with the product: his calendar, his strategies and his arithmetic are his
own. Both must agree to 1e-9 relative on every day.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest.market import PriceBasis, PricePanel
from etf_backtest.simulation import Rules, SimulationResult, simulate
from etf_backtest.strategies import BuyAndHold, Momentum, Rebalance

DIGITS = 34
AGREEMENT = 1e-9

Row = Sequence[Decimal]
Target = Callable[[Sequence[Row]], list[Decimal]]
"""Weights from all rows up to the decision's."""


@dataclass(frozen=True)
class Day:
    equity: Decimal
    cash: Decimal
    shares: tuple[Decimal, ...]


def keep_books(
    dates: Sequence[dt.date],
    rows: Sequence[Row],
    target: Target,
    *,
    first: int,
    lag: int,
    rebalance: Rebalance,
    capital: Decimal,
    cash_rate: Decimal,
) -> list[Day]:
    """Go through the sessions from `first` on, one at a time."""
    with localcontext() as context:
        context.prec = DIGITS
        cash, shares = capital, [Decimal(0)] * len(rows[0])
        orders: dict[int, list[Decimal]] = {}
        book: list[Day] = []
        last = len(dates) - 1
        for t in range(first, last + 1):
            if t > first:
                cash += cash * cash_rate * (dates[t] - dates[t - 1]).days / 365
            if t < last and (t == first or is_period_end(rebalance, dates[t], dates[t + 1])):
                orders[t + lag] = target(rows[: t + 1])
            value = cash + sum(n * p for n, p in zip(shares, rows[t], strict=True))
            if t in orders and t < last:
                weights = orders[t]
                shares = [w * value / p for w, p in zip(weights, rows[t], strict=True)]
                cash = value - sum(w * value for w in weights)
            equity = cash + sum(n * p for n, p in zip(shares, rows[t], strict=True))
            book.append(Day(equity, cash, tuple(shares)))
        return book


def is_period_end(rebalance: Rebalance, day: dt.date, following: dt.date) -> bool:
    """Whether `following`, the next session, is in another period than `day`."""
    new_year = day.year != following.year
    match rebalance:
        case "never":
            return False
        case "daily":
            return True
        case "weekly":
            return day.isocalendar()[:2] != following.isocalendar()[:2]
        case "monthly":
            return new_year or day.month != following.month
        case "quarterly":
            return new_year or (day.month + 2) // 3 != (following.month + 2) // 3
        case "semiannual":
            return new_year or (day.month > 6) != (following.month > 6)
        case "annual":
            return new_year


def fixed(weights: Sequence[float]) -> Target:
    return lambda _: [Decimal(weight) for weight in weights]


def strongest(symbols: Sequence[str], look_back: int, skip: int, top_n: int) -> Target:
    def weights(rows: Sequence[Row]) -> list[Decimal]:
        if len(rows) < look_back + skip + 1:
            return [Decimal(0)] * len(symbols)
        now, before = rows[-1 - skip], rows[-1 - skip - look_back]
        growth = {s: now[i] / before[i] for i, s in enumerate(symbols)}
        best = sorted(symbols, key=lambda symbol: (-growth[symbol], symbol))[:top_n]
        return [Decimal(1) / top_n if symbol in best else Decimal(0) for symbol in symbols]

    return weights


def walk(seed: int, sessions: int, symbols: Sequence[str]) -> PricePanel:
    """Fat-tailed random walks with some drift, on business days."""
    generator = np.random.default_rng(seed)
    steps = generator.standard_t(4, (sessions, len(symbols))) * 0.012 + 0.0003
    dates = pd.bdate_range("1993-02-01", periods=sessions).to_numpy().astype("datetime64[D]")
    return PricePanel(
        dates,
        tuple(symbols),
        40 * np.exp(steps.cumsum(axis=0)),
        (PriceBasis.TOTAL_RETURN,) * len(symbols),
    )


def disagreement(result: SimulationResult, panel: PricePanel, target: Target, first: int) -> float:
    """Largest relative difference of equity, and of cash and holdings to equity, on any day."""
    book = keep_books(
        panel.dates.tolist(),
        [[Decimal(price) for price in row] for row in panel.prices.tolist()],
        target,
        first=first,
        lag=result.lag,
        rebalance=result.rebalance,
        capital=Decimal(result.rules.initial_capital),
        cash_rate=Decimal(result.rules.cash_rate),
    )
    equity = np.array([float(day.equity) for day in book])
    cash = np.array([float(day.cash) for day in book])
    shares = np.array([[float(n) for n in day.shares] for day in book])
    held = np.abs(result.book.shares - shares) * result.panel.prices / equity[:, np.newaxis]
    return float(
        max(
            np.abs(result.book.equity / equity - 1).max(),
            np.abs((result.book.cash - cash) / equity).max(),
            held.max(),
        )
    )


rules = st.builds(
    Rules,
    initial_capital=st.floats(1, 1e9),
    rebalance=st.sampled_from(
        ("never", "daily", "weekly", "monthly", "quarterly", "semiannual", "annual")
    ),
    lag=st.sampled_from((None, 0, 1, 2, 5)),
    cash_rate=st.floats(-0.02, 0.2),
)


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    rules,
    st.lists(st.integers(0, 40), min_size=3, max_size=3).map(lambda w: [x / 120 for x in w]),
    st.integers(0, 50),
)
def test_fixed_weights(seed: int, rules: Rules, weights: list[float], first: int) -> None:
    panel = walk(seed, 160, "ABC")
    strategy = BuyAndHold(dict(zip("ABC", weights, strict=True)))
    result = simulate(panel, strategy, rules, start=panel.dates[first])
    assert disagreement(result, panel, fixed(weights), first) < AGREEMENT


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    rules,
    st.integers(1, 60),
    st.integers(0, 10),
    st.integers(1, 4),
    st.integers(0, 80),
)
def test_momentum(
    seed: int, rules: Rules, look_back: int, skip: int, top_n: int, first: int
) -> None:
    panel = walk(seed, 160, "ABCD")
    strategy = Momentum(["A", "B", "C", "D"], look_back=look_back, skip=skip, top_n=top_n)
    result = simulate(panel, strategy, rules, start=panel.dates[first])
    target = strongest("ABCD", look_back, skip, top_n)
    assert disagreement(result, panel, target, first) < AGREEMENT


@pytest.mark.parametrize("rebalance", ["never", "daily", "monthly"])
def test_thirty_years(rebalance: Rebalance) -> None:
    symbols = ("A", "B", "C", "D")
    panel = walk(2022, 7560, symbols)
    rules = Rules(initial_capital=123_456.78, rebalance=rebalance, cash_rate=0.03)
    # 0.1 + 0.2 + 0.3 + 0.15: a quarter stays in cash
    weights = [0.1, 0.2, 0.3, 0.15]
    result = simulate(panel, BuyAndHold(dict(zip(symbols, weights, strict=True))), rules)
    assert disagreement(result, panel, fixed(weights), 0) < AGREEMENT / 100
    momentum = simulate(panel, Momentum(symbols, top_n=2), rules)
    target = strongest(symbols, 252, 21, 2)
    assert disagreement(momentum, panel, target, 0) < AGREEMENT / 100
