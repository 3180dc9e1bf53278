"""Prices and portfolios that all contestants are given: fat-tailed random walks, seeded."""

from __future__ import annotations

import numpy as np

from etf_backtest.typing import DateArray, FloatArray, IndexArray

SESSIONS = 5_040
"""20 years of 252."""
ETFS = 10
CAPITAL = 100_000.0
COMMISSION_BPS, SLIPPAGE_BPS = 5.0, 2.0
COST = (COMMISSION_BPS + SLIPPAGE_BPS) / 10_000
"""Of the notional."""


def dates(sessions: int) -> DateArray:
    """Monday to Friday since 2004."""
    return np.busday_offset(np.datetime64("2004-01-02", "D"), np.arange(sessions), roll="forward")


def prices(sessions: int, etfs: int) -> FloatArray:
    """Total-return prices, shape (sessions, etfs)."""
    random = np.random.default_rng(20)
    market = random.standard_t(5, (sessions, 1)) * 0.006
    own = random.standard_t(5, (sessions, etfs)) * 0.006
    levels: FloatArray = 50 * np.exp(np.cumsum(market + own + 0.0003, axis=0))
    return levels


def symbols(etfs: int) -> tuple[str, ...]:
    """ETF00, ETF01, ..."""
    return tuple(f"ETF{number:02}" for number in range(etfs))


def portfolios(count: int, etfs: int) -> FloatArray:
    """Fractions that sum to 1, shape (count, etfs)."""
    weights: FloatArray = np.random.default_rng(21).dirichlet(np.ones(etfs), count)
    return weights


def month_ends(days: DateArray) -> IndexArray:
    """Row 0, and the last of each month but for the last row of all."""
    months = days.astype("datetime64[M]")
    ends = np.flatnonzero(months[1:] != months[:-1])
    rows: IndexArray = np.unique(np.concatenate(([0], ends)))
    return rows
