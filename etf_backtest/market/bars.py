"""Bars of many symbols as columns: exact decimals as whole numbers of the store's last place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Self

import numpy as np
from numpy.typing import NDArray

from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.typing import BoolArray, DateArray

Whole = NDArray[np.int64]

UNKNOWN = np.iinfo(np.int64).min
"""Stands where the source does not say a value."""

SCALES = {
    "open": 4,
    "high": 4,
    "low": 4,
    "close": 4,
    "adjusted_close": 4,
    "volume": 0,
    "dividend_amount": 6,
    "split_ratio": 12,
}
"""Digits after the point of each number in the table `market_data`."""


@dataclass(frozen=True, slots=True, eq=False)
class Bars(FrozenArrays):
    """What a source says about symbols and sessions, one row each, in the source's order.

    Numbers are decimals times 10 to the power of `SCALES`, rounded half to even, so that nothing
    is lost on the way from a file's text to the database: a close of 12.3456 is 123456. `UNKNOWN`
    stands where the source does not say. All arrays have the shape (rows,) and are read-only.

    Attributes
    ----------
    symbols : tuple of str
        Each symbol once, in the order in which it first appears.
    codes : ndarray of int32
        Which of `symbols` a row is about.
    dates : ndarray of datetime64[D]
    open, high, low, close, adjusted_close : ndarray of int64
        Currency per share, in ten-thousandths.
    volume : ndarray of int64
        Shares.
    dividend_amount : ndarray of int64
        Currency per share with this row's date as ex-date, in millionths.
    split_ratio : ndarray of int64
        New shares per old share, effective at this row's open, in units of 1e-12.
    rows : ndarray of int64
        Where a row stands in its file, as an editor counts lines; 0 where there is no file.
    """

    symbols: tuple[str, ...]
    codes: NDArray[np.int32]
    dates: DateArray
    open: Whole
    high: Whole
    low: Whole
    close: Whole
    adjusted_close: Whole
    volume: Whole
    dividend_amount: Whole
    split_ratio: Whole
    rows: Whole

    def __len__(self) -> int:
        return self.codes.size

    def numbers(self, field: str) -> Whole:
        """The column of one of `SCALES`."""
        column: Whole = getattr(self, field)
        return column

    def symbol(self, row: int) -> str:
        """The symbol of a row."""
        return self.symbols[int(self.codes[row])]

    def value(self, field: str, row: int) -> Decimal | None:
        """One number as a decimal; None where the source does not say it."""
        whole = int(self.numbers(field)[row])
        return None if whole == UNKNOWN else Decimal(whole).scaleb(-SCALES[field])

    def take(self, rows: BoolArray | NDArray[np.intp]) -> Self:
        """Some of the rows: where a mask is true, or by their positions in that order."""
        columns = (getattr(self, field.name)[rows] for field in fields(self)[1:])
        return type(self)(self.symbols, *columns)

    @classmethod
    def from_columns(
        cls,
        symbols: Sequence[str],
        codes: NDArray[np.integer],
        dates: DateArray,
        *,
        rows: NDArray[np.integer] | None = None,
        **numbers: Whole,
    ) -> Self:
        """Bars of the columns that there are; the others are unknown, `rows` 0.

        Parameters
        ----------
        symbols : sequence of str
        codes : array of integers
        dates : array of datetime64[D]
        rows : array of integers, optional
        **numbers : array of int64
            By the names of `SCALES`, in its units.
        """
        count = codes.size
        unknown = np.full(count, UNKNOWN)
        if strange := numbers.keys() - SCALES.keys():
            raise TypeError(f"bars have no {', '.join(sorted(strange))}")
        columns = {field: np.array(numbers.get(field, unknown), dtype=np.int64) for field in SCALES}
        return cls(
            symbols=tuple(symbols),
            codes=codes.astype(np.int32),
            dates=dates.astype("datetime64[D]"),
            rows=np.zeros(count, np.int64) if rows is None else rows.astype(np.int64),
            **columns,
        )
