"""What is known of one symbol, session by session: what the rules over series look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import PriceDataError
from etf_backtest.market.bars import SCALES, UNKNOWN, Bars
from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.market.sessions import check_ascending
from etf_backtest.typing import BoolArray, DateArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class PriceHistory(FrozenArrays):
    """The rows of one symbol, oldest first, from a store or from a source before its import.

    All arrays have the shape (rows,) and become read-only. NaN is "not said"; it is never 0.

    Attributes
    ----------
    symbol : str
    dates : ndarray of datetime64[D]
        Strictly ascending.
    open, high, low, close, adjusted_close : ndarray of float64
        Currency per share.
    volume : ndarray of float64
        Shares.
    dividend_amount : ndarray of float64
        Currency per share (after this row's split) with this row's date as ex-date.
    split_ratio : ndarray of float64
        New shares per old share, effective at this row's open.
    split_adjusted : ndarray of float64
        Whether the close is divided by later splits: 1, or 0 as traded, or NaN.
    """

    symbol: str
    dates: DateArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    adjusted_close: FloatArray
    volume: FloatArray
    dividend_amount: FloatArray
    split_ratio: FloatArray
    split_adjusted: FloatArray

    def __post_init__(self) -> None:
        for field in fields(self)[2:]:
            shape = getattr(self, field.name).shape
            if shape != self.dates.shape:
                raise PriceDataError(
                    f"{self.symbol} has {self.dates.size} dates, but its {field.name} has the "
                    f"shape {shape}",
                    symbol=self.symbol,
                    remedy="give one value a session",
                )
        check_ascending(self.dates, symbol=self.symbol)
        FrozenArrays.__post_init__(self)

    def __len__(self) -> int:
        return self.dates.size

    @property
    def has_price(self) -> BoolArray:
        """The rows with a close or an adjusted close."""
        return np.isfinite(self.close) | np.isfinite(self.adjusted_close)

    @classmethod
    def from_columns(
        cls,
        symbol: str,
        dates: ArrayLike,
        *,
        split_adjusted: bool | ArrayLike | None = None,
        **numbers: ArrayLike,
    ) -> PriceHistory:
        """A history of the columns that there are, copied; the others are NaN.

        Parameters
        ----------
        symbol : str
        dates : array of datetime64
        split_adjusted : bool, array of 1, 0 and NaN, or None
            For all rows, or one value a row.
        **numbers : array of float
            By the names of `SCALES`.

        Raises
        ------
        PriceDataError
            Dates that do not strictly ascend, or a column of another length.
        """
        if strange := numbers.keys() - SCALES.keys():
            raise TypeError(f"a history has no {', '.join(sorted(strange))}")
        days = np.array(dates, dtype="datetime64[D]")
        columns = {
            field: np.array(numbers.get(field, np.full(days.shape, np.nan)), dtype=np.float64)
            for field in SCALES
        }
        said = np.array(np.nan if split_adjusted is None else split_adjusted, dtype=np.float64)
        flags = np.full(days.shape, said) if said.ndim == 0 else said
        return cls(symbol, days, **columns, split_adjusted=flags)


def histories(
    batches: Iterable[Bars | tuple[Bars, FloatArray]], *, split_adjusted: bool | None = None
) -> tuple[PriceHistory, ...]:
    """The histories of all symbols of some batches, in the order in which they first appear.

    All of it is held in memory, about 100 bytes a row. Rows that cannot be stored should have been
    taken out (`BarCheck.rejected`).

    Parameters
    ----------
    batches : iterable of Bars, or of Bars and their flags
        Flags say of each row whether its close is divided by later splits: 1, 0, or NaN.
    split_adjusted : bool, optional
        The same of all rows without flags; None where the source does not say.

    Raises
    ------
    PriceDataError
        A symbol has a date twice.
    """
    ids: dict[str, int] = {}
    parts = []
    said = []
    for batch in batches:
        bars, flags = (batch, None) if isinstance(batch, Bars) else batch
        default = np.nan if split_adjusted is None else float(split_adjusted)
        said.append(np.full(len(bars), default) if flags is None else flags)
        numbers = np.array([ids.setdefault(name, len(ids)) for name in bars.symbols], np.int64)
        parts.append((numbers[bars.codes], bars))
    if not parts:
        return ()
    codes = np.concatenate([part for part, _bars in parts])
    dates = np.concatenate([bars.dates for _part, bars in parts])
    order = np.lexsort((dates, codes))
    columns = {
        field: np.concatenate([_floats(bars, field) for _part, bars in parts])[order]
        for field in SCALES
    }
    codes, dates, flags = codes[order], dates[order], np.concatenate(said)[order]
    bounds = np.searchsorted(codes, np.arange(len(ids) + 1)).tolist()
    spans = zip(ids, bounds[:-1], bounds[1:], strict=True)
    return tuple(
        PriceHistory.from_columns(
            symbol,
            dates[start:stop],
            split_adjusted=flags[start:stop],
            **{field: column[start:stop] for field, column in columns.items()},
        )
        for symbol, start, stop in spans
        if stop > start
    )


def _floats(bars: Bars, field: str) -> FloatArray:
    numbers = bars.numbers(field)
    return np.where(numbers == UNKNOWN, np.nan, numbers / 10.0 ** SCALES[field])
