"""The running costs of a fund, taken out of the prices of what stands in for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from etf_backtest.errors import PriceDataError, UnknownSymbolError
from etf_backtest.errors.wording import quoted
from etf_backtest.market.sessions import as_date
from etf_backtest.typing import DateArray, FloatArray

HIGHEST_RATIO = 0.2


def drag_levels(
    dates: DateArray, symbols: Sequence[str], ratios: Mapping[str, float], *, anchor: int
) -> FloatArray:
    """What is left of one unit of each symbol once its running costs are taken out.

    Parameters
    ----------
    dates : ndarray of shape (T,)
    symbols : sequence of N str
    ratios : mapping of symbols to annual expense ratios
        Fractions, 0 to 0.2; symbols that are not named have none.
    anchor : int
        The row on which each level is 1.

    Returns
    -------
    ndarray of shape (T, N)
        The product of ``1 - ratio * days / 365`` over the sessions since the anchor, days being
        those since the session before (actual/365); before the anchor its inverse.

    Raises
    ------
    UnknownSymbolError
        A ratio's symbol is not among `symbols`.
    PriceDataError
        A ratio is out of range, or uses up all of a price over a gap between two sessions.
    """
    if not isinstance(ratios, Mapping):
        raise PriceDataError(
            f"expected expense ratios by symbol, received {quoted(ratios)}",
            remedy='give a mapping, {"VTI": 0.0003} for one',
        )
    annual = np.zeros(len(symbols))
    for symbol, ratio in ratios.items():
        if symbol not in symbols:
            raise UnknownSymbolError(symbol, known=symbols)
        if not is_ratio(ratio):
            raise PriceDataError(
                f"{symbol} has the expense ratio {quoted(ratio)}, expected a fraction a year from "
                f"0 to {HIGHEST_RATIO}",
                symbol=symbol,
                remedy="write 0.75 % as 0.0075",
            )
        annual[symbols.index(symbol)] = ratio
    days = np.diff(dates).astype(np.float64)
    steps = 1.0 - days[:, np.newaxis] * annual / 365.0
    if (steps <= 0).any():
        row, column = np.argwhere(steps <= 0)[0]
        raise PriceDataError(
            f"{symbols[column]}: {days[row]:.0f} days without a session up to "
            f"{as_date(dates[row + 1])} use up the whole price at the expense ratio "
            f"{annual[column]}",
            symbol=symbols[column],
            date=as_date(dates[row + 1]),
            remedy="leave out what lies before the gap, or import the missing prices",
        )
    levels = np.ones((dates.size, len(symbols)))
    np.cumprod(steps[anchor:], axis=0, out=levels[anchor + 1 :])
    np.divide(1.0, np.cumprod(steps[:anchor][::-1], axis=0)[::-1], out=levels[:anchor])
    return levels


def is_ratio(value: object) -> bool:
    """Whether it is an annual expense ratio: a fraction from 0 to 0.2."""
    if not isinstance(value, int | float | np.integer | np.floating):
        return False
    return bool(0 <= value <= HIGHEST_RATIO)
