"""Total-return prices of one symbol, and how they follow from what a source knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import PriceDataError
from etf_backtest.market.basis import PriceBasis
from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.market.numbers import float_array
from etf_backtest.market.sessions import as_date, as_sessions, check_ascending
from etf_backtest.market.symbols import check_symbols
from etf_backtest.typing import BoolArray, DateArray, FloatArray

if TYPE_CHECKING:
    from etf_backtest.market.panel import PricePanel
    from etf_backtest.market.splice import Splice

_QUOTES = ("closes", "dividends", "splits")


@dataclass(frozen=True, slots=True, eq=False)
class PriceSeries(FrozenArrays):
    """Total-return prices of one symbol on the sessions it has them.

    Only ratios mean something: `prices[t] / prices[s]` is what one unit of money put in at the
    close of s, with dividends bought at their ex-date's close, is worth at the close of t.

    Attributes
    ----------
    symbol : str
    dates : ndarray of shape (sessions,), datetime64[D]
        Strictly ascending.
    prices : ndarray of shape (sessions,), float64
        Positive and finite, read-only.
    basis : PriceBasis
        What the prices are made of.
    closes, dividends, splits : ndarray of shape (sessions,), float64, or None
        What a share cost and paid, as in `Quotes`; all three, or None of each where only
        total-return prices are known. NaN before the splice date. Read-only.
    splice : Splice, optional
        Where the prices pass from a proxy's to the symbol's own (see `splice.spliced`).

    Raises
    ------
    PriceDataError
        Naming the symbol, the date and the value that cannot be used.
    """

    symbol: str
    dates: DateArray
    prices: FloatArray
    basis: PriceBasis
    closes: FloatArray | None = None
    dividends: FloatArray | None = None
    splits: FloatArray | None = None
    splice: Splice | None = None

    def __post_init__(self) -> None:
        check_symbols((self.symbol,))
        dates = as_sessions(self.dates).copy()
        prices = _values(self.symbol, "price", dates, self.prices)
        _check_prices(self.symbol, dates, prices)
        object.__setattr__(self, "dates", dates)
        quotes = _quotes(
            self.symbol, dates, self.closes, self.dividends, self.splits, self.own_from
        )
        self._set(dates, prices, *quotes)

    def _set(self, dates: DateArray, prices: FloatArray, *quotes: FloatArray | None) -> None:
        for name, array in (
            ("dates", dates),
            ("prices", prices),
            *zip(_QUOTES, quotes, strict=True),
        ):
            if array is not None:
                array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def own_from(self) -> int:
        """The row from which on prices are the symbol's own, and not a proxy's: 0 without one."""
        if self.splice is None:
            return 0
        return int(np.searchsorted(self.dates, np.datetime64(self.splice.date)))

    @classmethod
    def from_adjusted_closes(
        cls, symbol: str, dates: DateArray, adjusted_closes: ArrayLike
    ) -> Self:
        """Take the vendor's back-adjusted closes for total-return prices.

        A simulation that uses them says so in its warnings: the vendor's arithmetic and rounding
        cannot be checked.
        """
        prices = float_array(adjusted_closes, what="adjusted closes", symbol=symbol)
        return cls(symbol, dates, prices, PriceBasis.ADJUSTED_CLOSE)

    @classmethod
    def from_closes(
        cls,
        symbol: str,
        dates: DateArray,
        closes: ArrayLike,
        *,
        dividends: ArrayLike,
        splits: ArrayLike,
        split_adjusted: bool,
    ) -> Self:
        """Build total-return prices from first principles; the first one is the first close.

        Parameters
        ----------
        symbol : str
        dates : array of shape (sessions,)
            The sessions that have a close.
        closes : array of shape (sessions,)
            USD per share.
        dividends : array of shape (sessions,)
            Cash per share with this row as ex-date; 0 where none was paid. NaN is not 0: a source
            that does not know its dividends cannot give a total return.
        splits : array of shape (sessions,)
            New shares per old share, effective at this row's open; 1 where there was none.
        split_adjusted : bool
            Whether the source has already divided closes and dividends by later splits; the splits
            are then not applied again. It must be known; it is not guessed.

        Raises
        ------
        PriceDataError
            A close or split that is not positive, a dividend that is negative or unknown.

        Notes
        -----
        The factor of row t is ``(close * split + dividend * split) / previous close`` for raw
        closes, and ``(close + dividend) / previous close`` for split-adjusted ones: a share held
        overnight becomes `split` shares, each worth the close and the dividend.
        """
        check_symbols((symbol,))
        dates = as_sessions(dates).copy()
        close, dividend, split = _known_quotes(symbol, dates, closes, dividends, splits)
        shares = np.ones_like(split) if split_adjusted else split
        with np.errstate(all="ignore"):  # what overflows is refused with its date
            factors = (close[1:] + dividend[1:]) * shares[1:] / close[:-1]
            prices = np.cumprod(np.concatenate((close[:1], factors)), dtype=np.float64)
        basis = PriceBasis.SPLIT_ADJUSTED_CLOSE if split_adjusted else PriceBasis.CLOSE
        _check_prices(symbol, dates, prices)
        series = object.__new__(cls)  # all of it has been checked, none is anybody else's
        for name, value in (("symbol", symbol), ("basis", basis), ("splice", None)):
            object.__setattr__(series, name, value)
        series._set(dates, prices, close, dividend, shares)
        return series


def series_of(panel: PricePanel, symbol: str) -> PriceSeries:
    """The series of a symbol in a panel, on the sessions on which it has prices."""
    column = panel.symbols.index(symbol)
    rows = np.flatnonzero(~np.isnan(panel.prices[:, column]))
    splice = next((each for each in panel.splices if each.symbol == symbol), None)
    dates, prices, basis = panel.dates[rows], panel.prices[rows, column], panel.basis[column]
    quotes = panel.quotes
    if quotes is None or not quotes.known_at_last[column]:
        return PriceSeries(symbol, dates, prices, basis, splice=splice)
    return PriceSeries(
        symbol,
        dates,
        prices,
        basis,
        quotes.closes[rows, column],
        quotes.dividends[rows, column],
        quotes.splits[rows, column],
        splice,
    )


def _check_prices(symbol: str, dates: DateArray, prices: FloatArray) -> None:
    if not dates.size:
        raise PriceDataError(f"{symbol} has no prices", symbol=symbol, remedy="import its prices")
    check_ascending(dates, symbol=symbol)
    _demand(prices > 0, symbol, "price", "a positive number", dates, prices)


def _quotes(
    symbol: str,
    dates: DateArray,
    closes: FloatArray | None,
    dividends: FloatArray | None,
    splits: FloatArray | None,
    own: int,
) -> tuple[FloatArray, FloatArray, FloatArray] | tuple[None, None, None]:
    """All three of a share's quotes, known from row `own` on, or none."""
    if closes is None and dividends is None and splits is None:
        return None, None, None
    if closes is None or dividends is None or splits is None:
        raise PriceDataError(
            f"{symbol} has some of closes, dividends and splits, expected all of them or none",
            symbol=symbol,
            remedy="give dividends of 0 and splits of 1 where there were none",
        )
    return _known_quotes(symbol, dates, closes, dividends, splits, own)


def _known_quotes(
    symbol: str,
    dates: DateArray,
    closes: ArrayLike,
    dividends: ArrayLike,
    splits: ArrayLike,
    own: int = 0,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    close = _values(symbol, "close", dates, closes)
    dividend = _values(symbol, "dividend", dates, dividends)
    split = _values(symbol, "split ratio", dates, splits)
    for field, values, good, expected in (
        ("close", close, close > 0, "a positive number"),
        ("dividend", dividend, dividend >= 0, "0 or more"),
        ("split ratio", split, split > 0, "a positive number"),
    ):
        _demand(good[own:], symbol, field, expected, dates[own:], values[own:])
        values[:own] = np.nan  # a proxy's shares are no shares of the symbol
    return close, dividend, split


def _values(symbol: str, field: str, dates: DateArray, values: ArrayLike) -> FloatArray:
    """A float64 copy, one value a session."""
    array = float_array(values, what=field, symbol=symbol)
    if array.shape != dates.shape:
        raise PriceDataError(
            f"{symbol} has {dates.size} dates, but its {field} has the shape {array.shape}",
            symbol=symbol,
            remedy="give one value a session",
        )
    return array


def _demand(
    good: BoolArray, symbol: str, field: str, expected: str, dates: DateArray, values: FloatArray
) -> None:
    bad = np.flatnonzero(~(good & np.isfinite(values)))
    if bad.size:
        date, value = as_date(dates[bad[0]]), float(values[bad[0]])
        raise PriceDataError(
            f"{symbol} has the {field} {value} on {date}, expected {expected}",
            symbol=symbol,
            date=date,
            value=value,
            remedy="mend or remove that row",
        )
