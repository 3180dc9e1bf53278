"""Small markets whose books can be kept by hand."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pandas as pd
import pytest

from etf_backtest.market import PricePanel
from etf_backtest.simulation.ledger import LedgerResult

TWO_WEEKS = [
    "2024-01-29",  # Monday
    "2024-01-30",
    "2024-01-31",
    "2024-02-01",
    "2024-02-02",  # Friday
    "2024-02-05",
    "2024-02-06",
]


def frame(values: Mapping[str, Sequence[float]], days: list[str] = TWO_WEEKS) -> pd.DataFrame:
    """One column a symbol, on the first of these days."""
    count = len(next(iter(values.values())))
    return pd.DataFrame(values, index=pd.DatetimeIndex(days[:count]), dtype="float64")


def total_returns(days: list[str] = TWO_WEEKS, **prices: Sequence[float]) -> PricePanel:
    """Symbols with total-return prices alone."""
    return PricePanel.from_frame(frame(prices, days))


def quoted(
    closes: Sequence[float],
    *,
    dividends: Mapping[int, float] | None = None,
    splits: Mapping[int, float] | None = None,
) -> PricePanel:
    """One symbol A with closes; dividends and splits by row."""
    paid = [(dividends or {}).get(row, 0.0) for row in range(len(closes))]
    split = [(splits or {}).get(row, 1.0) for row in range(len(closes))]
    return PricePanel.from_bars(
        frame({"A": closes}),
        dividends=frame({"A": paid}),
        splits=frame({"A": split}),
        split_adjusted=False,
    )


def column(books: LedgerResult, name: str) -> list[float]:
    """One field of each day, as floats."""
    return [float(getattr(day, name)) for day in books.days]


def held(books: LedgerResult, symbol: str = "A") -> list[float]:
    """Shares of one symbol on each day."""
    number = books.symbols.index(symbol)
    return [float(day.shares[number]) for day in books.days]


def close_to(numbers: Sequence[float]) -> object:
    """These numbers, but for the last bits of the floats they are written in."""
    return pytest.approx(list(numbers), rel=1e-14, abs=1e-12)


def add_up(books: LedgerResult) -> None:
    """Both identities hold on every day."""
    assert books.check_identity() < Decimal("1e-30")
