"""What a share really cost and paid, beside its total-return prices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from etf_backtest.errors import PriceDataError
from etf_backtest.errors.wording import quoted
from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.market.numbers import float_array
from etf_backtest.market.sessions import as_date
from etf_backtest.typing import BoolArray, DateArray, FloatArray, IndexArray

if TYPE_CHECKING:
    from etf_backtest.market.series import PriceSeries
    from etf_backtest.market.splice import Splice


@dataclass(frozen=True, slots=True, eq=False)
class Quotes(FrozenArrays):
    """Closes, dividends and splits of the symbols of a panel, sessions x symbols.

    They give share counts a meaning: dividends in cash, lots, commissions per share. Symbols of
    which only total-return prices are known have columns of NaN in all three arrays. So have those
    with proxy history, before their splice date.

    Attributes
    ----------
    closes : ndarray of shape (T, N), float64
        USD per share. NaN where the symbol has no price on that session.
    dividends : ndarray of shape (T, N), float64
        USD per share as counted after that row's split, with that row as ex-date; 0 where none was
        paid, and where the symbol has no price.
    splits : ndarray of shape (T, N), float64
        New shares per old share that are still to be applied, effective at that row's open; 1 where
        there is none, and where the symbol has no price. A source that has adjusted its closes for
        splits leaves none to apply: all are 1, and its shares are today's shares, not those that
        somebody held then. After a gap in the closes the first row has the split of the gap.

    Notes
    -----
    Read-only. PricePanel checks the values: it knows whose they are, and of which session.
    """

    closes: FloatArray
    dividends: FloatArray
    splits: FloatArray

    def __post_init__(self) -> None:
        arrays = [
            float_array(values, what=what)
            for what, values in (
                ("closes", self.closes),
                ("dividends", self.dividends),
                ("splits", self.splits),
            )
        ]
        if arrays[0].ndim != 2 or len({array.shape for array in arrays}) > 1:
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise PriceDataError(
                "expected closes, dividends and splits of one shape, sessions x symbols, "
                f"received {shapes}",
                remedy="give one value a session and symbol, NaN where closes are not known",
            )
        self._set(*arrays)

    @property
    def known(self) -> BoolArray:
        """Of which symbols closes, dividends and splits are known on all rows, shape (N,)."""
        return np.asarray(~np.isnan(self.splits[:1]).any(axis=0))

    @property
    def known_at_last(self) -> BoolArray:
        """Of which symbols they are known on the last row, if not before; shape (N,)."""
        return np.asarray(~np.isnan(self.splits[-1:]).any(axis=0))

    def columns(self, columns: Sequence[int]) -> Self | None:
        """The quotes of these symbols, in this order; None if none of them has any."""
        chosen = self._each(lambda values: values.take(columns, axis=1))
        return chosen if chosen.known_at_last.any() else None

    def rows(self, cut: slice) -> Self:
        """The quotes of these sessions, which share memory with these."""
        return self._made(self.closes[cut], self.dividends[cut], self.splits[cut])

    def detached(self) -> Self:
        """The same quotes in memory of their own."""
        return self._each(np.copy)

    def sessions(self, kept: IndexArray) -> Self:
        """The quotes of some sessions, copied."""
        return self._each(lambda values: values[kept])

    def with_closes(self, closes: FloatArray) -> Self:
        """The same dividends and splits with closes of the same shape."""
        return self._made(closes, self.dividends, self.splits)

    def scaled(self, levels: FloatArray) -> Self:
        """Closes and dividends times `levels`, which broadcasts to (T, N); the same splits."""
        return self._made(self.closes * levels, self.dividends * levels, self.splits)

    def throughout(self) -> Self | None:
        """Only those of the symbols of which they are known on all rows; None if of none."""
        known = self.known
        if (known == self.known_at_last).all():
            return self
        return self._each(lambda values: np.where(known, values, np.nan)) if known.any() else None

    def followed_by(self, later: Quotes, *, spliced: BoolArray) -> Self | None:
        """These sessions and then those of `later`; only symbols known in both stay known.

        Those in `spliced`, shape (N,), stay as they are: not known before their splice date.
        """
        known = later.known & (self.known | spliced)
        if not known.any():
            return None
        whole = [
            np.concatenate(pair)
            for pair in (
                (self.closes, later.closes),
                (self.dividends, later.dividends),
                (self.splits, later.splits),
            )
        ]
        return self._made(*(np.where(known, values, np.nan) for values in whole))

    def _each(self, change: Callable[[FloatArray], FloatArray]) -> Self:
        return self._made(change(self.closes), change(self.dividends), change(self.splits))

    def _made(self, closes: FloatArray, dividends: FloatArray, splits: FloatArray) -> Self:
        """Quotes from parts of these, which need no second check."""
        quotes = object.__new__(type(self))
        quotes._set(closes, dividends, splits)
        return quotes

    def _set(self, closes: FloatArray, dividends: FloatArray, splits: FloatArray) -> None:
        closes.flags.writeable = dividends.flags.writeable = splits.flags.writeable = False
        object.__setattr__(self, "closes", closes)
        object.__setattr__(self, "dividends", dividends)
        object.__setattr__(self, "splits", splits)


def quotes_of(
    series: Sequence[PriceSeries], rows: Sequence[IndexArray | slice], sessions: int
) -> Quotes | None:
    """Quotes of series side by side, each on its rows of the sessions; None if none has any."""
    shape = (sessions, len(series))
    closes, dividends, splits = (np.full(shape, np.nan) for _ in range(3))
    for column, (each, own) in enumerate(zip(series, rows, strict=True)):
        if each.closes is None:
            continue
        closes[own, column] = each.closes
        dividends[:, column], splits[:, column] = 0.0, 1.0
        dividends[own, column], splits[own, column] = each.dividends, each.splits
        if each.splice is not None:
            before = slice(0, each.own_from if isinstance(own, slice) else own[each.own_from])
            dividends[before, column] = splits[before, column] = np.nan
    return None if np.isnan(splits).all() else Quotes(closes, dividends, splits)


def check_quotes(
    quotes: Quotes,
    dates: DateArray,
    symbols: Sequence[str],
    prices: FloatArray,
    splices: Sequence[Splice] = (),
) -> None:
    """Demand quotes that go together with the prices of a panel.

    Raises
    ------
    PriceDataError
        Naming the symbol, the date and the value that breaks a rule of `Quotes`.
    """
    if not isinstance(quotes, Quotes):
        raise PriceDataError(
            f"expected Quotes, received {quoted(quotes)}",
            remedy="give Quotes(closes, dividends, splits), or use PricePanel.from_bars",
        )
    if quotes.closes.shape != prices.shape:
        raise PriceDataError(
            f"expected closes of the shape of the prices, {prices.shape}, "
            f"received {quotes.closes.shape}",
            remedy="give one value a session and symbol, NaN where closes are not known",
        )
    closes, dividends, splits = quotes.closes, quotes.dividends, quotes.splits
    known = np.broadcast_to(quotes.known, prices.shape)
    if splices:
        known = known.copy()
        for splice in splices:
            column = symbols.index(splice.symbol)
            own = dates >= np.datetime64(splice.date)
            known[:, column] = own & quotes.known_at_last[column]
    priced = ~np.isnan(prices)
    for field, values, good, expected in (
        ("close", closes, closes > 0, "a positive number where there is a price"),
        ("dividend", dividends, dividends >= 0, "0 or more"),
        ("split ratio", splits, splits > 0, "a positive number"),
    ):
        _demand(known & priced, good & np.isfinite(values), field, expected, values, dates, symbols)
    for field, values, neutral in (
        ("close", closes, np.nan),
        ("dividend", dividends, 0.0),
        ("split ratio", splits, 1.0),
    ):
        good = np.isnan(values) if np.isnan(neutral) else values == neutral
        expected = f"{neutral:g} where there is no price"
        _demand(known & ~priced, good, field, expected, values, dates, symbols)
        expected = "nan, like all closes, dividends and splits of a symbol without quotes"
        _demand(~known, np.isnan(values), field, expected, values, dates, symbols)


def _demand(
    where: BoolArray,
    good: BoolArray,
    field: str,
    expected: str,
    values: FloatArray,
    dates: DateArray,
    symbols: Sequence[str],
) -> None:
    bad = where & ~good
    if not bad.any():
        return
    row, column = np.argwhere(bad)[0]
    date, value = as_date(dates[row]), float(values[row, column])
    raise PriceDataError(
        f"{symbols[column]} has the {field} {value} on {date}, expected {expected}",
        symbol=symbols[column],
        date=date,
        value=value,
        remedy="mend or remove that row",
    )
