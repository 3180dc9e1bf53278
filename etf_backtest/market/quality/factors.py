"""Total-return factors of a history, and how far its prices move on an ordinary day."""

from __future__ import annotations

import numpy as np

from etf_backtest.market.quality.history import PriceHistory
from etf_backtest.typing import BoolArray, FloatArray

NORMAL_MAD = 1.4826
"""Standard deviation of a normal distribution, over the median of its absolute values."""

LEAST_MOVES = 20
"""In a shorter history an outlier would be measured by itself."""


def adjustment_is_clear(history: PriceHistory) -> bool:
    """Whether what is said of the closes is enough to apply the splits, or there are none."""
    if not ((history.split_ratio > 0) & (history.split_ratio != 1)).any():
        return True
    flags = history.split_adjusted[np.isfinite(history.close)]
    return not flags.size or bool((flags == flags[0]).all())  # NaN is not itself


def applied_splits(history: PriceHistory) -> FloatArray:
    """By what a row's split multiplies a share's value, as far as its close does not have it.

    The ratio where closes are as traded, 1 where they are divided by later splits. Where that is
    not said, and where it changes from the row before, only a split of 1 is known to do nothing;
    the others, and unknown ratios, are NaN. Shape (rows,).
    """
    splits, flags = history.split_ratio, history.split_adjusted
    applied = np.where(flags == 1, 1.0, np.where((flags == 0) | (splits == 1), splits, np.nan))
    if not adjustment_is_clear(history):
        same = (flags[1:] == flags[:-1]) | (np.isnan(flags[1:]) & np.isnan(flags[:-1]))
        applied[1:][~same] = np.nan
    return applied


def total_return_factors(
    history: PriceHistory, *, splits: FloatArray, dividends: FloatArray
) -> FloatArray:
    """((close + dividend) * split) / previous close of rows 1 and later; NaN where not known."""
    close = history.close
    factors: FloatArray = (close[1:] + dividends[1:]) * splits[1:] / close[:-1]
    return factors


def moves(history: PriceHistory) -> FloatArray:
    """Logarithms of what a holder's value is multiplied by, from row to row; shape (rows - 1,).

    From closes, with dividends and splits as far as they are known (a dividend or a split that is
    not said counts as none here), else from adjusted closes; NaN where there are neither.
    """
    splits = applied_splits(history)
    splits = np.where(np.isnan(history.split_ratio), 1.0, splits)
    factors = total_return_factors(
        history, splits=splits, dividends=np.nan_to_num(history.dividend_amount)
    )
    adjusted = history.adjusted_close[1:] / history.adjusted_close[:-1]
    logarithms: FloatArray = np.log(np.where(np.isnan(factors), adjusted, factors))
    return logarithms


def weekdays(history: PriceHistory) -> FloatArray:
    """Weekdays from row to row, at least 1; shape (rows - 1,)."""
    steps = np.busday_count(history.dates[:-1], history.dates[1:])
    return np.maximum(steps, 1).astype(np.float64)


def daily_volatility(history: PriceHistory) -> float:
    """Of all moves, a weekday, by the median of their absolute values: outliers do not count.

    0 where there are fewer than `LEAST_MOVES` of them.
    """
    steps = moves(history) / np.sqrt(weekdays(history))
    return robust_deviation(steps) if steps.size >= LEAST_MOVES else 0.0


def robust_deviation(values: FloatArray, among: BoolArray | None = None) -> float:
    """Standard deviation around 0 from the median of absolute values; NaN is left out."""
    known = values[np.isfinite(values) if among is None else np.isfinite(values) & among]
    return NORMAL_MAD * float(np.median(np.abs(known))) if known.size else 0.0
