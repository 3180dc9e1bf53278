"""How rules over a history say what they found: a row, or a run of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from etf_backtest.market.quality.finding import Finding
from etf_backtest.market.quality.history import PriceHistory
from etf_backtest.market.quality.rules import SERIES_RULES
from etf_backtest.market.sessions import as_date
from etf_backtest.typing import IndexArray


def runs(positions: IndexArray) -> Iterator[tuple[int, int]]:
    """First and last of each run of positions that follow one another."""
    if positions.size:
        breaks = np.flatnonzero(np.diff(positions) != 1)
        firsts = positions[np.concatenate(([0], breaks + 1))]
        lasts = positions[np.concatenate((breaks, [-1]))]
        yield from zip(firsts.tolist(), lasts.tolist(), strict=True)


def shown(number: float) -> str:
    """A number of a history as people write it: at most ten digits, no zeros behind them."""
    return np.format_float_positional(number, precision=10, fractional=False, trim="-")


def count_of(number: int, noun: str) -> str:
    """1 session, 2 sessions."""
    return f"{number:,} {noun}{'s'[: number != 1]}"


def warning(
    rule: str,
    history: PriceHistory,
    row: int,
    message: str,
    *,
    field: str | None = None,
    value: str | None = None,
    last: int | None = None,
) -> Finding:
    """A finding about a row, or about the rows from it to `last`."""
    return Finding(
        rule=rule,
        level=SERIES_RULES[rule],
        message=message,
        symbol=history.symbol,
        date=as_date(history.dates[row]),
        field=field,
        value=value,
        last=None if last is None else as_date(history.dates[last]),
    )
