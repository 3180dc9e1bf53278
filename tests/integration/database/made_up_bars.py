"""Bars for tests of the store."""

from __future__ import annotations

import numpy as np

from etf_backtest.market.bars import Bars

DAYS = np.arange("2000-01-01", "2040-01-01", dtype="datetime64[D]")


def closes(symbols: dict[str, int], *, plus: int = 0) -> Bars:
    """Closes of 100.0000 on the first day, one ten-thousandth more on each later one."""
    counts = list(symbols.values())
    sessions = np.concatenate([np.arange(count) for count in counts])
    return Bars.from_columns(
        list(symbols),
        np.repeat(np.arange(len(counts)), counts),
        DAYS[sessions],
        close=1_000_000 + plus + sessions,
    )
