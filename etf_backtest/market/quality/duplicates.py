"""Which rows say something about a symbol and a date for the second time, batch after batch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from etf_backtest.market.bars import Bars
from etf_backtest.typing import BoolArray, IndexArray

_FIRST_DAY = np.datetime64("1678-01-01")
_DAYS = int((np.datetime64("2262-04-12") - _FIRST_DAY).astype(int))
"""Every date that can be stored, to 2262-04-11."""

_DAY_BITS = 18  # 2**18 > _DAYS
_PAGE_BITS = 10
_PAGE_DAYS = 1 << _PAGE_BITS
_PAGE_BYTES = _PAGE_DAYS // 8
_PAGES = (_DAYS >> _PAGE_BITS) + 1


class Repeats(NamedTuple):
    """The second rows of a symbol and date.

    Attributes
    ----------
    rows : ndarray of intp
        Their positions in the batch, ascending.
    firsts : ndarray of intp
        The position of the first one in the batch; -1 where it was in an earlier batch.
    """

    rows: IndexArray
    firsts: IndexArray


class SessionsSeen:
    """One bit for each symbol and day that batches have had.

    Days are kept in pages of 1,024 (2.8 years, 128 bytes), made when a symbol first has a day in
    one: 10,000 symbols over 40 years take less than 30 MB, however many rows they come in.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._pages = np.full((0, _PAGES), -1, np.int32)
        self._bits = np.zeros((0, _PAGE_BYTES), np.uint8)
        self._used = 0

    @property
    def size_in_bytes(self) -> int:
        """What the arrays take."""
        return self._pages.nbytes + self._bits.nbytes

    def add(self, bars: Bars, *, except_for: BoolArray | None = None) -> Repeats:
        """Remember the rows of a batch, and tell which of them had been there before.

        Parameters
        ----------
        bars : Bars
        except_for : ndarray of bool, optional
            Rows that do not count: neither as firsts nor as seconds. Dates that cannot be stored
            (outside 1678-01-01 to 2262-04-11) never do.
        """
        days = (bars.dates - _FIRST_DAY).astype(np.int64)
        counts = (days >= 0) & (days < _DAYS)
        if except_for is not None:
            counts &= ~except_for
        rows = np.flatnonzero(counts)
        days = days[rows]
        symbols = self._numbered(bars.symbols)[bars.codes[rows]]
        firsts = _firsts(symbols << _DAY_BITS | days)
        own = firsts == np.arange(rows.size)
        earlier = self._mark(symbols, days, own)[firsts]
        again = earlier | ~own
        return Repeats(rows[again], np.where(earlier, -1, rows[firsts])[again])

    def _numbered(self, symbols: tuple[str, ...]) -> NDArray[np.int64]:
        """A number for each symbol, the same in all batches."""
        numbers = [self._ids.setdefault(symbol, len(self._ids)) for symbol in symbols]
        if len(self._ids) > len(self._pages):
            more = max(len(self._ids) - len(self._pages), len(self._pages))
            self._pages = np.vstack((self._pages, np.full((more, _PAGES), -1, np.int32)))
        return np.array(numbers, np.int64)

    def _mark(
        self, symbols: NDArray[np.int64], days: NDArray[np.int64], own: BoolArray
    ) -> BoolArray:
        """Set the bits of the rows that are the first of their day; which ones were set before."""
        number = self._page_numbers(symbols, days >> _PAGE_BITS)
        place = number * _PAGE_BYTES + ((days & (_PAGE_DAYS - 1)) >> 3)
        bit = np.uint8(1) << (days & 7).astype(np.uint8)
        flat = self._bits.reshape(-1)
        before: BoolArray = (flat[place] & bit) != 0
        new = own & ~before
        np.add.at(flat, place[new], bit[new])  # different bits: their sum is their union
        return before

    def _page_numbers(
        self, symbols: NDArray[np.int64], pages: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        numbers = self._pages[symbols, pages]
        missing = numbers < 0
        if missing.any():
            new = np.unique(symbols[missing] * _PAGES + pages[missing])
            stop = self._used + new.size
            self._pages.reshape(-1)[new] = np.arange(self._used, stop)
            self._used = stop
            if stop > len(self._bits):
                more = max(stop - len(self._bits), len(self._bits))
                self._bits = np.vstack((self._bits, np.zeros((more, _PAGE_BYTES), np.uint8)))
            numbers = self._pages[symbols, pages]
        return numbers.astype(np.int64)


def _firsts(keys: NDArray[np.int64]) -> IndexArray:
    """For each key the position of the first one that equals it."""
    positions = np.arange(keys.size)
    if keys.size < 2 or bool((keys[1:] > keys[:-1]).all()):
        return positions
    order = np.argsort(keys, kind="stable")
    ascending = keys[order]
    starts = np.concatenate(([True], ascending[1:] != ascending[:-1]))
    group = np.cumsum(starts) - 1
    firsts = np.empty_like(positions)
    firsts[order] = order[starts][group]
    return firsts
