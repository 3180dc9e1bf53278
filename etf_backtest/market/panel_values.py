"""What a panel is made of, one by one: lists, bases, prices that are above 0."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np

from etf_backtest.errors import PriceDataError
from etf_backtest.errors.wording import quoted
from etf_backtest.market.basis import PriceBasis
from etf_backtest.market.series import PriceSeries
from etf_backtest.market.sessions import as_date
from etf_backtest.market.splice import Splice
from etf_backtest.market.symbols import check_symbols
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


def check_shape(
    dates: DateArray, symbols: tuple[str, ...], prices: FloatArray, basis: tuple[PriceBasis, ...]
) -> None:
    """Demand a price for each session and symbol, and a basis for each symbol.

    Raises
    ------
    PriceDataError
        There are none, or more or fewer than that.
    """
    if not dates.size or not symbols:
        raise PriceDataError(
            f"a panel of {dates.size} sessions and {len(symbols)} symbols is empty",
            remedy="give at least one session and one symbol",
        )
    if prices.shape != (dates.size, len(symbols)) or len(basis) != len(symbols):
        raise PriceDataError(
            f"expected prices of the shape {(dates.size, len(symbols))} and a basis for each "
            f"symbol, received {prices.shape} and {len(basis)}",
            remedy="give one row a session and one column a symbol",
        )


def check_series(series: Iterable[PriceSeries]) -> tuple[PriceSeries, ...]:
    """Demand one series or more.

    Raises
    ------
    PriceDataError
        Naming what else was given.
    """
    columns = several("series", series)
    if not columns:
        raise PriceDataError("a panel of 0 symbols is empty", remedy="give at least one series")
    for column in columns:
        if not isinstance(column, PriceSeries):
            raise PriceDataError(
                f"expected a PriceSeries, received {quoted(column)}",
                remedy="use PriceSeries.from_closes, or PricePanel.from_frame",
            )
    return columns


def check_splices(splices: Iterable[Splice], symbols: tuple[str, ...]) -> tuple[Splice, ...]:
    """Demand splices of symbols that are there, one of each at most.

    Raises
    ------
    PriceDataError
        Naming what else was given.
    """
    found = several("splices", splices)
    for splice in found:
        if not isinstance(splice, Splice) or splice.symbol not in symbols:
            raise PriceDataError(
                f"expected splices of the symbols of the panel, received {quoted(splice)}",
                remedy="use PricePanel.spliced",
            )
    check_symbols(tuple(splice.symbol for splice in found))
    return found


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
