"""Series of total-return prices from frames of closes, dividends and splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from etf_backtest.errors import PriceDataError
from etf_backtest.market.series import PriceSeries
from etf_backtest.market.sessions import as_date, as_sessions
from etf_backtest.typing import BoolArray, DateArray, FloatArray

if TYPE_CHECKING:
    import pandas as pd


def frame_values(frame: pd.DataFrame) -> FloatArray:
    """The values of a frame of prices as float64, shape (T, N), NaN where there is none.

    Raises
    ------
    PriceDataError
        It is no frame, or a value is no number: naming the symbol, the date and the value.
    """
    import pandas as pd  # late: importing it costs more than most runs

    if not isinstance(frame, pd.DataFrame):
        raise PriceDataError(
            f"expected a DataFrame of prices, received {type(frame).__name__}",
            remedy="give dates down and one column a symbol",
        )
    values = np.empty(frame.shape)
    for column, (symbol, series) in enumerate(frame.items()):
        numbers = pd.to_numeric(series, errors="coerce")
        wrong = np.flatnonzero((numbers.isna() & series.notna()).to_numpy())
        if wrong.size or (series.size and series.dtype.kind not in "iufO"):
            row = int(wrong[0]) if wrong.size else 0
            raise PriceDataError(
                f"{symbol} has the price {series.iloc[row]!r} on {series.index[row]}, expected a "
                "number",
                symbol=str(symbol),
                value=series.iloc[row],
                remedy="convert the column to numbers, NaN where there is no price",
            )
        values[:, column] = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def series_from_bars(
    symbols: tuple[str, ...],
    closes: pd.DataFrame,
    dividends: pd.DataFrame,
    splits: pd.DataFrame,
    *,
    split_adjusted: bool | Mapping[str, bool],
) -> Iterator[PriceSeries]:
    """Yield the series of each symbol; see `PricePanel.from_bars`."""
    for name, frame in (("dividends", dividends), ("splits", splits)):
        if not frame.index.equals(closes.index) or not frame.columns.equals(closes.columns):
            raise PriceDataError(
                f"the {name} have other dates or symbols than the closes",
                remedy="reindex them to the closes: dividends 0, splits 1 where there were none",
            )
    dates = as_sessions(closes.index)
    for column, symbol in enumerate(symbols):
        close, dividend, split = (
            frame.iloc[:, column].to_numpy(dtype=np.float64, na_value=np.nan)
            for frame in (closes, dividends, splits)
        )
        has_close = ~np.isnan(close)
        _refuse_events_without_close(symbol, dates, has_close, dividend, split)
        yield PriceSeries.from_closes(
            symbol,
            dates[has_close],
            close[has_close],
            dividends=dividend[has_close],
            splits=split[has_close],
            split_adjusted=_adjusted(symbol, split_adjusted),
        )


def _adjusted(symbol: str, split_adjusted: bool | Mapping[str, bool]) -> bool:
    if not isinstance(split_adjusted, Mapping):
        return split_adjusted
    if symbol not in split_adjusted:
        raise PriceDataError(
            f"it is not said whether the closes of {symbol} are split-adjusted", symbol=symbol
        )
    return split_adjusted[symbol]


def _refuse_events_without_close(
    symbol: str, dates: DateArray, has_close: BoolArray, dividend: FloatArray, split: FloatArray
) -> None:
    """A dividend or split on a session without a close would be lost."""
    events = (np.nan_to_num(dividend) != 0) | (np.nan_to_num(split, nan=1.0) != 1)
    lost = np.flatnonzero(events & ~has_close)
    if lost.size:
        date = as_date(dates[lost[0]])
        raise PriceDataError(
            f"{symbol} has a dividend or a split on {date}, but no close",
            symbol=symbol,
            date=date,
            remedy="add the close of that session",
        )
