"""What a panel is made of, one by one: lists, bases, prices that are above 0."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np

from etf_backtest.errors import PriceDataError
from etf_backtest.errors.wording import quoted
from etf_backtest.market.basis import PriceBasis
from etf_backtest.market.sessions import as_date
from etf_backtest.typing import DateArray, FloatArray

T = TypeVar("T")


def several(what: str, values: Iterable[T]) -> tuple[T, ...]:
    """The values of a list or the like; a text would fall into its letters.

    Raises
    ------
    PriceDataError
        A text, or nothing that has values.
    """
    if isinstance(values, str):
        raise PriceDataError(
            f"expected several {what}, received the text {quoted(values)}",
            remedy=f"give a list: [{quoted(values)}]",
        )
    if not isinstance(values, Iterable):
        raise PriceDataError(
            f"expected several {what}, received {quoted(values)}", remedy="give a list"
        )
    return tuple(values)


def as_basis(kind: str) -> PriceBasis:
    """What prices are made of, by its name.

    Raises
    ------
    PriceDataError
        There is no basis of this name.
    """
    try:
        return PriceBasis(kind)
    except ValueError:
        raise PriceDataError(
            f"{quoted(kind)} is not what prices can be made of",
            remedy=f"one of {', '.join(PriceBasis)}",
        ) from None


def check_prices(dates: DateArray, symbols: tuple[str, ...], prices: FloatArray) -> None:
    """Demand positive, finite prices, or NaN.

    Raises
    ------
    PriceDataError
        Naming the symbol, the date and the value.
    """
    if ((prices > 0) & (prices < np.inf)).all():
        return
    bad = np.argwhere(~(np.isnan(prices) | (np.isfinite(prices) & (prices > 0))))
    if bad.size:
        row, column = bad[0]
        date, value = as_date(dates[row]), float(prices[row, column])
        raise PriceDataError(
            f"{symbols[column]} has the price {value} on {date}, expected a positive number",
            symbol=symbols[column],
            date=date,
            value=value,
            remedy="mend it, or leave it empty (NaN) and choose a policy for missing prices",
        )
