"""The same portfolios in vectorbt: one wide frame, a group of columns for each portfolio."""

from __future__ import annotations

import numpy as np
import pandas as pd
import vectorbt as vbt  # type: ignore[import-untyped]  # has no types

from benchmarks.alone import Work
from benchmarks.contestants import synthetic
from etf_backtest.typing import FloatArray


def _run(prices: pd.DataFrame, targets: FloatArray, etfs: int) -> vbt.Portfolio:
    return vbt.Portfolio.from_orders(
        prices,
        size=targets,
        size_type="targetpercent",
        group_by=np.arange(prices.shape[1]) // etfs,
        cash_sharing=True,
        call_seq="auto",
        fees=synthetic.COMMISSION_BPS / 10_000,
        slippage=synthetic.SLIPPAGE_BPS / 10_000,
        init_cash=synthetic.CAPITAL,
        freq="1D",
    )


def _measure(book: vbt.Portfolio) -> float:
    book.sharpe_ratio()
    book.max_drawdown()
    return float(np.mean(book.final_value()))


def _fixed(count: int) -> tuple[pd.DataFrame, FloatArray]:
    """A wide frame of prices, and targets of its shape: no number, no order."""
    days, etfs = synthetic.dates(synthetic.SESSIONS), synthetic.ETFS
    prices = synthetic.prices(synthetic.SESSIONS, etfs)
    wide = pd.DataFrame(np.tile(prices, count), pd.DatetimeIndex(days))
    targets = np.full(wide.shape, np.nan)
    targets[synthetic.month_ends(days)] = synthetic.portfolios(count, etfs).ravel()
    return wide, targets


def held(count: int) -> Work:
    """Fixed weights, monthly, with costs: the curves alone."""
    prices, targets = _fixed(count)

    def run() -> float:
        values = _run(prices, targets, synthetic.ETFS).value()
        return float(values.to_numpy()[-1].mean())

    return run


def measured(count: int) -> Work:
    """With final value, Sharpe ratio and drawdown."""
    prices, targets = _fixed(count)
    return lambda: _measure(_run(prices, targets, synthetic.ETFS))


def momentum(look_back: int, skip: int, top_n: int, etfs: int) -> Work:
    """One point of the sweep: signals, run and three metrics."""
    days = synthetic.dates(synthetic.SESSIONS)
    frame = pd.DataFrame(synthetic.prices(synthetic.SESSIONS, etfs), pd.DatetimeIndex(days))
    decisions = synthetic.month_ends(days)

    def run() -> float:
        growth = (frame.shift(skip) / frame.shift(skip + look_back) - 1).iloc[decisions].dropna()
        best = (growth.rank(axis=1, ascending=False) <= top_n) / top_n
        targets = np.full(frame.shape, np.nan)
        targets[frame.index.get_indexer(best.index) + 1] = best.to_numpy()
        targets[-1] = np.nan
        return _measure(_run(frame, targets, etfs))

    return run
