"""Series of total-return prices from frames of closes, dividends and splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from etf_backtest.errors import PriceDataError
from etf_backtest.market.basis import PriceBasis
from etf_backtest.market.series import PriceSeries
from etf_backtest.market.sessions import as_date, as_sessions, check_ascending
from etf_backtest.market.symbols import check_symbols
from etf_backtest.typing import BoolArray, DateArray, FloatArray

if TYPE_CHECKING:
    import pandas as pd


def frame_values(frame: pd.DataFrame, field: str) -> FloatArray:
    """The values of a frame as float64, shape (T, N), NaN where there is none.

    Parameters
    ----------
    frame : DataFrame
        Dates down, one column a symbol. The result may share its memory.
    field : str
        What one value is, in the singular, for messages.

    Raises
    ------
    PriceDataError
        It is no frame, or a value is no number: naming the symbol, the date and the value.
    """
    import pandas as pd  # late: importing it costs more than most runs

    if not isinstance(frame, pd.DataFrame):
        raise PriceDataError(
            f"expected a DataFrame of {field}s, received {type(frame).__name__}",
            remedy="give dates down and one column a symbol",
        )
    if frame.columns.nlevels > 1:
        raise PriceDataError(
            f"the columns have {frame.columns.nlevels} levels, expected symbols",
            remedy=f"choose the level of the {field}s: frame['{field}'], or droplevel()",
        )
    if all(isinstance(dtype, np.dtype) and dtype.kind in "iuf" for dtype in frame.dtypes):
        return frame.to_numpy(dtype=np.float64)
    values = np.empty(frame.shape)
    for column, (symbol, series) in enumerate(frame.items()):
        numbers = pd.to_numeric(series, errors="coerce")
        wrong = np.flatnonzero((numbers.isna() & series.notna()).to_numpy())
        if wrong.size or (series.size and series.dtype.kind not in "iufO"):
            row = int(wrong[0]) if wrong.size else 0
            value = series.iloc[row]
            said = value.item() if isinstance(value, np.generic) else value
            date = str(series.index[row]).removesuffix(" 00:00:00")
            raise PriceDataError(
                f"{symbol} has the {field} {said!r} on {date}, expected a number",
                symbol=str(symbol),
                value=value,
                remedy=f"convert the column to numbers, NaN where there is no {field}",
            )
        values[:, column] = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def series_from_bars(
    closes: pd.DataFrame,
    dividends: pd.DataFrame,
    splits: pd.DataFrame,
    *,
    split_adjusted: bool | Mapping[str, bool],
) -> Iterator[PriceSeries]:
    """Yield the series of each symbol; see `PricePanel.from_bars`."""
    close_values = frame_values(closes, "close")
    symbols = check_symbols(tuple(closes.columns))
    dates = as_sessions(closes.index)
    check_ascending(dates)
    dividend_values = _event_values(dividends, "dividend", closes, nothing=0)
    split_values = _event_values(splits, "split", closes, nothing=1)
    for column, symbol in enumerate(symbols):
        close = close_values[:, column]
        dividend, split = dividend_values[:, column], split_values[:, column]
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


def declared_basis(
    symbols: tuple[str, ...], basis: PriceBasis | Mapping[str, PriceBasis]
) -> tuple[PriceBasis, ...]:
    """The basis of each symbol, from one for all or a mapping.

    Raises
    ------
    PriceDataError
        A mapping leaves a symbol out.
    """
    kinds = basis if isinstance(basis, Mapping) else dict.fromkeys(symbols, basis)
    for symbol in symbols:
        if symbol not in kinds:
            raise PriceDataError(
                f"the basis of {symbol} is not given",
                symbol=symbol,
                remedy=f"one of {', '.join(PriceBasis)}",
            )
    return tuple(kinds[symbol] for symbol in symbols)


def _event_values(
    frame: pd.DataFrame | None, field: str, closes: pd.DataFrame, *, nothing: int
) -> FloatArray:
    """The values of a frame of dividends or splits, which has the index of the closes."""
    none = f"{nothing} where there was no {field}"
    if frame is None:
        raise PriceDataError(
            f"the {field}s are not given, and nothing is guessed",
            remedy=f"give a DataFrame like the closes, {none}",
        )
    values = frame_values(frame, field)
    if not frame.index.equals(closes.index) or not frame.columns.equals(closes.columns):
        raise PriceDataError(
            f"the {field}s have other dates or symbols than the closes",
            remedy=f"reindex them to the closes: {none}",
        )
    return values


def _adjusted(symbol: str, split_adjusted: bool | Mapping[str, bool]) -> bool:
    said = split_adjusted.get(symbol) if isinstance(split_adjusted, Mapping) else split_adjusted
    if isinstance(said, bool | np.bool_):
        return bool(said)
    raise PriceDataError(
        f"it is not said whether the closes of {symbol} are split-adjusted: expected True or "
        f"False, received {said!r}",
        symbol=symbol,
        remedy="ask the source of the prices; it is not guessed",
    )


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
