"""Small markets whose runs can be computed by hand."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.market import PriceBasis, PricePanel, PriceSeries
from etf_backtest.typing import DateArray

MONDAY = "2024-01-01"
TURN = "2024-01-30"
"""A Tuesday: the second session from here is the last one of January."""


def days(count: int, start: str = MONDAY) -> DateArray:
    """Business days from `start` on."""
    sessions: DateArray = np.busday_offset(start, np.arange(count), roll="forward")
    return sessions


def prices(*, start: str = MONDAY, **columns: Sequence[float]) -> PricePanel:
    """Total-return prices alone."""
    values = np.array(list(columns.values()), dtype=np.float64).T
    basis = (PriceBasis.TOTAL_RETURN,) * len(columns)
    return PricePanel(days(len(values), start), tuple(columns), values, basis)


def shares(
    closes: Sequence[float],
    *,
    dividends: dict[int, float] | None = None,
    splits: dict[int, float] | None = None,
    symbol: str = "A",
    start: str = MONDAY,
) -> PriceSeries:
    """A share with dividends and splits on some rows."""
    paid, ratios = np.zeros(len(closes)), np.ones(len(closes))
    for row, dividend in (dividends or {}).items():
        paid[row] = dividend
    for row, ratio in (splits or {}).items():
        ratios[row] = ratio
    return PriceSeries.from_closes(
        symbol,
        days(len(closes), start),
        closes,
        dividends=paid,
        splits=ratios,
        split_adjusted=False,
    )


def near(actual: ArrayLike, expected: ArrayLike) -> None:
    """Demand equality but for rounding."""
    found, wanted = (np.asarray(values, dtype=np.float64) for values in (actual, expected))
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-11)
