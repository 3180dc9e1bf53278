"""In which order rows of prices come, so that the server need not find it out."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from etf_backtest.market.bars import Bars


class RowOrder:
    """What is known of the rows so far, in memory that grows with the symbols only."""

    def __init__(self) -> None:
        self.ascending = True
        """Each row is behind the one before, by symbol and date."""
        self.may_repeat = False
        """Dates of a symbol have not ascended, so one may be there twice."""
        self.last: dict[str, np.datetime64] = {}
        """The last date of each symbol."""
        self._span: tuple[dt.date, dt.date] | None = None
        self._previous = ("", np.datetime64("0001-01-01", "D"))

    @property
    def span(self) -> tuple[dt.date, dt.date]:
        """The earliest and the latest date; of no rows at all, that of Python's dates."""
        return self._span or (dt.date.min, dt.date.max)

    def follow(self, bars: Bars) -> None:
        """Look at more rows, at least one."""
        days: tuple[dt.date, ...] = (bars.dates.min().item(), bars.dates.max().item())
        days += self._span or ()
        self._span = min(days), max(days)
        order = np.argsort(bars.codes, kind="stable")
        codes, dates = bars.codes[order], bars.dates[order]
        same = codes[1:] == codes[:-1]
        if (dates[1:] <= dates[:-1])[same].any():
            self.may_repeat = True
        starts = np.flatnonzero(np.concatenate(([True], ~same)))
        ends = np.concatenate((starts[1:], [codes.size])) - 1
        for first, end in zip(starts, ends, strict=True):
            symbol = bars.symbols[int(codes[first])]
            if symbol in self.last and dates[first] <= self.last[symbol]:
                self.may_repeat = True
            self.last[symbol] = max(self.last.get(symbol, dates[end]), dates[first : end + 1].max())
        names = [bars.symbols[int(code)] for code in codes[starts]]
        blocks = bool((order == np.arange(order.size)).all()) and names == sorted(names)
        begin = (bars.symbol(0), bars.dates[0])
        self.ascending &= blocks and not self.may_repeat and begin > self._previous
        self._previous = (bars.symbol(-1), bars.dates[-1])
