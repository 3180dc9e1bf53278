"""Total-return prices of several symbols on the same sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from etf_backtest.errors import PriceDataError, UnknownSymbolError, WindowError
from etf_backtest.errors.wording import listed
from etf_backtest.market.basis import PriceBasis
from etf_backtest.market.drag import drag_levels
from etf_backtest.market.fingerprint import symbol_fingerprints
from etf_backtest.market.frames import declared_basis, frame_values, series_from_bars
from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.market.numbers import float_array
from etf_backtest.market.panel_values import (
    as_basis,
    check_prices,
    check_series,
    check_shape,
    check_splices,
    several,
)
from etf_backtest.market.quotes import Quotes, check_quotes, quotes_of
from etf_backtest.market.series import PriceSeries, series_of
from etf_backtest.market.sessions import (
    aligned,
    as_date,
    as_session,
    as_sessions,
    check_ascending,
)
from etf_backtest.market.splice import Splice, with_proxy
from etf_backtest.market.symbols import check_symbols
from etf_backtest.market.window import session_row, window_rows
from etf_backtest.typing import DateArray, DateLike, FloatArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PricePanel(FrozenArrays):
    """Total-return prices, sessions x symbols.

    Attributes
    ----------
    dates : ndarray of shape (T,), datetime64[D]
        Exchange sessions, strictly ascending.
    symbols : tuple of str, N of them
    prices : ndarray of shape (T, N), float64
        Positive and finite, or NaN where the symbol has no price on that session. Only the ratios
        of a column mean something (see PriceSeries). Read-only, and row after row in memory
        however a panel came about, so that the same numbers add up to the same sums.
    basis : tuple of PriceBasis, N of them
        What each column is made of.
    quotes : Quotes, optional
        Closes, dividends and splits of the symbols of which they are known; None if of none.
    splices : tuple of Splice
        Of the symbols whose prices are a proxy's before some date (see `spliced`).

    Raises
    ------
    PriceDataError
        Naming the symbol, the date and the value that cannot be used.
    """

    dates: DateArray
    symbols: tuple[str, ...]
    prices: FloatArray
    basis: tuple[PriceBasis, ...]
    quotes: Quotes | None = None
    splices: tuple[Splice, ...] = ()

    def __post_init__(self) -> None:
        dates = as_sessions(self.dates).copy()
        prices = float_array(self.prices, what="prices")
        symbols = several("symbols", self.symbols)
        basis = tuple(as_basis(kind) for kind in several("bases", self.basis))
        check_shape(dates, symbols, prices, basis)
        symbols = check_symbols(symbols)
        check_ascending(dates)
        check_prices(dates, symbols, prices)
        splices = check_splices(self.splices, symbols)
        quotes = self.quotes
        if quotes is not None:
            check_quotes(quotes, dates, symbols, prices, splices)
        known = quotes is not None and quotes.known_at_last.any()
        self._set(dates, symbols, prices, basis, quotes if known else None, splices)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        basis: PriceBasis | Mapping[str, PriceBasis] = PriceBasis.TOTAL_RETURN,
    ) -> Self:
        """Take a frame of total-return prices: dates down, one column a symbol.

        Parameters
        ----------
        frame : DataFrame
            Indexed by dates; NaN is "no price on that session".
        basis : PriceBasis, or a mapping of each symbol to one
            What the prices are. Adjusted closes are declared with PriceBasis.ADJUSTED_CLOSE;
            raw closes are no total-return prices and belong to `from_bars`.
        """
        prices = frame_values(frame, "price")
        symbols = check_symbols(tuple(frame.columns))
        return cls(as_sessions(frame.index), symbols, prices, declared_basis(symbols, basis))

    @classmethod
    def from_bars(
        cls,
        closes: pd.DataFrame,
        *,
        dividends: pd.DataFrame,
        splits: pd.DataFrame,
        split_adjusted: bool | Mapping[str, bool],
    ) -> Self:
        """Build total-return prices from closes, dividends and splits.

        Parameters
        ----------
        closes, dividends, splits : DataFrame
            Of one shape, with the same dates and symbols, in the units of
            `PriceSeries.from_closes`. A NaN close is "no price on that session"; there must be
            no dividend and no split on it. Where there were none the caller says so, with
            dividends of 0 and splits of 1.
        split_adjusted : bool, or a mapping of each symbol to one
            Whether closes and dividends are already adjusted for splits.

        Raises
        ------
        PriceDataError
            Naming the symbol, the date and the value that cannot be used.
        """
        return cls.from_series(
            series_from_bars(closes, dividends, splits, split_adjusted=split_adjusted)
        )

    @classmethod
    def from_series(cls, series: Iterable[PriceSeries]) -> Self:
        """Put series side by side, on every session that any of them has."""
        columns = check_series(series)
        symbols = check_symbols(tuple(column.symbol for column in columns))
        dates, rows = aligned([column.dates for column in columns])
        prices = np.full((dates.size, len(columns)), np.nan)
        for number, column in enumerate(columns):
            prices[rows[number], number] = column.prices
        # a series has been checked when it was made, and what is put beside it changes no value
        panel = object.__new__(cls)
        panel._set(
            dates,
            symbols,
            prices,
            tuple(column.basis for column in columns),
            quotes_of(columns, rows, dates.size),
            tuple(column.splice for column in columns if column.splice is not None),
        )
        return panel

    def __repr__(self) -> str:
        if not self.dates.size:
            return f"PricePanel(0 sessions, {listed(self.symbols)})"
        return (
            f"PricePanel({as_date(self.dates[0])} to {as_date(self.dates[-1])}, "
            f"{self.dates.size} sessions, {listed(self.symbols)})"
        )

    def to_frame(self) -> pd.DataFrame:
        """The prices as a frame, dates down, one column a symbol."""
        import pandas as pd  # late: importing it costs more than most runs

        index = pd.DatetimeIndex(self.dates.astype("datetime64[ns]"), name="date")
        return pd.DataFrame(self.prices.copy(), index=index, columns=list(self.symbols))

    def series(self, symbol: str) -> PriceSeries:
        """The prices of one symbol, on the sessions on which it has some.

        Raises
        ------
        UnknownSymbolError
            It is not in the panel.
        PriceDataError
            It has no prices.
        """
        return series_of(self.select((symbol,)), symbol)

    def spliced(
        self,
        symbol: str,
        *,
        before: str,
        annual_fee: float = 0.0,
        date: DateLike | None = None,
    ) -> Self:
        """The same panel with prices of a proxy before a symbol's own: a history for a young fund.

        `before` is the proxy; `splice.spliced` defines the prices, and what cannot be spliced.
        Every result that uses them says so.

        Raises
        ------
        UnknownSymbolError
            A symbol is not in the panel.
        SpliceError, PriceDataError
            As `splice.spliced`.
        """
        return with_proxy(self, symbol, before=before, annual_fee=annual_fee, date=date)

    def select(self, symbols: Sequence[str]) -> Self:
        """The panel of these symbols, in this order.

        Raises
        ------
        UnknownSymbolError
            A symbol is not in the panel.
        PriceDataError
            There are none, or one stands twice.
        """
        asked = several("symbols", symbols)
        if not asked:
            raise PriceDataError(
                "expected one or more symbols, received none",
                remedy=f"the panel has {listed(self.symbols)}",
            )
        for symbol in asked:
            if symbol not in self.symbols:
                raise UnknownSymbolError(symbol, known=self.symbols)
        chosen = check_symbols(asked)
        if chosen == self.symbols:
            return self
        columns = [self.symbols.index(symbol) for symbol in chosen]
        return self._made(
            self.dates,
            chosen,
            self.prices.take(columns, axis=1),
            tuple(self.basis[column] for column in columns),
            None if self.quotes is None else self.quotes.columns(columns),
        )

    def rows(self, first: int, stop: int | None) -> Self:
        """Rows `first` up to but without `stop`, which share memory with this panel."""
        cut = slice(first, stop)
        quotes = None if self.quotes is None else self.quotes.rows(cut)
        return self._made(self.dates[cut], self.symbols, self.prices[cut], self.basis, quotes)

    def detached(self) -> Self:
        """The same panel in memory of its own, behind which no other rows can be found."""
        quotes = None if self.quotes is None else self.quotes.detached()
        return self._made(self.dates.copy(), self.symbols, self.prices.copy(), self.basis, quotes)

    def priced_sessions(self) -> Self:
        """Without the sessions on which none of the symbols has a price."""
        if not np.isnan(self.prices.min(initial=np.inf)):
            return self
        kept = np.flatnonzero(~np.isnan(self.prices).all(axis=1))
        if kept.size == self.dates.size:
            return self
        quotes = None if self.quotes is None else self.quotes.sessions(kept)
        return self._made(self.dates[kept], self.symbols, self.prices[kept], self.basis, quotes)

    def followed_by(self, later: Self) -> Self:
        """These sessions and then those of `later`, which has the same symbols.

        Closes are known where both panels have them.
        """
        if not self.dates.size:
            return later
        dates = np.concatenate((self.dates, later.dates))
        prices = np.concatenate((self.prices, later.prices))
        quotes = self.quotes
        if quotes is not None:
            spliced = np.isin(self.symbols, [splice.symbol for splice in self.splices])
            if later.quotes is not None:
                quotes = quotes.followed_by(later.quotes, spliced=spliced)
            else:
                quotes = None
        return self._made(dates, self.symbols, prices, self.basis, quotes)

    def with_whole_quotes(self) -> Self:
        """Without quotes of symbols that have some on later sessions only: of their splice date."""
        if not self.splices or self.quotes is None:
            return self
        quotes = self.quotes.throughout()
        return self._made(self.dates, self.symbols, self.prices, self.basis, quotes)

    def with_prices(self, prices: FloatArray, *, closes: FloatArray | None = None) -> Self:
        """The same sessions and symbols with prices, and closes if given, of the same shape."""
        quotes = self.quotes
        if quotes is not None and closes is not None:
            quotes = quotes.with_closes(closes)
        return self._made(self.dates, self.symbols, prices, self.basis, quotes)

    def window(self, start: DateLike | None = None, end: DateLike | None = None) -> Self:
        """The sessions from `start` to `end`, both included.

        Parameters
        ----------
        start : date, optional
            A session of this panel; defaults to the first. See `session_from`.
        end : date, optional
            Any day from `start` to the panel's last session; the last session up to it is meant.
            Defaults to the last.

        Raises
        ------
        WindowError
            `start` is no session, the dates are reversed, outside the panel, or have fewer than
            2 sessions between them.
        """
        first, stop = self.locate(start, end)
        return self.rows(first, stop)

    def locate(self, start: DateLike | None = None, end: DateLike | None = None) -> tuple[int, int]:
        """The rows of a window, first and stop, by the rules of `window`."""
        return window_rows(self.dates, start, end)

    def session_from(self, date: DateLike) -> np.datetime64:
        """The first session on or after `date`.

        Raises
        ------
        WindowError
            The panel has none.
        """
        session: np.datetime64 = self.dates[session_row(self.dates, date)]
        return session

    def with_expense_drag(
        self, ratios: Mapping[str, float], *, anchor: DateLike | None = None
    ) -> Self:
        """The same panel after the running costs that its prices do not know, a proxy's for one.

        Prices, closes and dividends are multiplied by the product of ``1 - ratio * days / 365``
        over the sessions since the anchor; before it they are divided.

        Parameters
        ----------
        ratios : mapping of symbols to annual expense ratios
            Fractions, 0 to 0.2. Symbols that are not named stay as they are.
        anchor : date, optional
            The session whose prices stay as they are; defaults to the first.

        Raises
        ------
        UnknownSymbolError
            A symbol is not in the panel.
        PriceDataError
            A ratio is out of range.
        WindowError
            `anchor` is not a session of the panel.
        """
        row = 0 if anchor is None else session_row(self.dates, anchor)
        if anchor is not None and self.dates[row] != as_session(anchor):
            raise WindowError(
                f"{anchor} is not a session",
                remedy=f"the next session is {as_date(self.dates[row])}",
            )
        levels = drag_levels(self.dates, self.symbols, ratios, anchor=row)
        if not ratios:
            return self
        quotes = None if self.quotes is None else self.quotes.scaled(levels)
        return self._made(self.dates, self.symbols, self.prices * levels, self.basis, quotes)

    def fingerprints(self) -> dict[str, str]:
        """What tells a symbol's prices from any others: a SHA-256 in hexadecimal for each symbol.

        It is the same in every process and on every machine, and does not depend on the other
        symbols of the panel. `fingerprint.symbol_fingerprints` says what is hashed.
        """
        return dict(symbol_fingerprints(self))

    def _made(
        self,
        dates: DateArray,
        symbols: tuple[str, ...],
        prices: FloatArray,
        basis: tuple[PriceBasis, ...],
        quotes: Quotes | None,
    ) -> Self:
        """A panel from parts of this one, which need no second check."""
        panel = object.__new__(type(self))
        splices = tuple(splice for splice in self.splices if splice.symbol in symbols)
        panel._set(dates, symbols, prices, basis, quotes, splices)
        return panel

    def _set(
        self,
        dates: DateArray,
        symbols: tuple[str, ...],
        prices: FloatArray,
        basis: tuple[PriceBasis, ...],
        quotes: Quotes | None,
        splices: tuple[Splice, ...],
    ) -> None:
        dates.flags.writeable = prices.flags.writeable = False
        object.__setattr__(self, "dates", dates)
        object.__setattr__(self, "symbols", symbols)
        object.__setattr__(self, "prices", prices)
        object.__setattr__(self, "basis", basis)
        object.__setattr__(self, "quotes", quotes)
        object.__setattr__(self, "splices", splices)
