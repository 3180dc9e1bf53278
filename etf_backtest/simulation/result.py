"""What comes out of a run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from etf_backtest.market import PriceBasis, PricePanel
from etf_backtest.metrics import Metrics
from etf_backtest.simulation.kernel import Holdings
from etf_backtest.simulation.rules import Rules
from etf_backtest.strategies import Rebalance
from etf_backtest.typing import FloatArray, JsonObject

if TYPE_CHECKING:
    import pandas as pd

CONVENTIONS_VERSION = 1
"""Raised when any definition in docs/conventions.md changes."""
RESULT_SCHEMA = 1
"""Raised when the shape of `SimulationResult.to_dict()` changes."""


@dataclass(frozen=True, slots=True)
class Window:
    """The sessions of a run; the first is the one of the initial capital."""

    start: dt.date
    end: dt.date
    sessions: int

    def to_dict(self) -> JsonObject:
        """The window, ready for JSON."""
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "sessions": self.sessions,
        }


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SimulationResult:
    """A run: its curves as pandas objects, indexed by session, its metrics and its warnings.

    A share is one unit of a symbol's total-return prices: dividends are bought at their ex-date's
    close and stay inside it. Where the first price of a symbol is its close, a unit began as one
    real share; else only shares * price, money, compares with a broker's account.

    Attributes
    ----------
    panel : PricePanel
        Complete prices of the traded symbols in the window.
    book : Holdings
        The same curves as arrays.
    benchmark : str or None
    benchmark_values : ndarray of shape (T,), or None
    strategy : dict
        Name, symbols, parameters, as `Strategy.to_dict` gives them.
    rules : Rules
        As given.
    rebalance, lag
        As run: the rules', or the strategy's own.
    risk_free : float
        Annual, a fraction.
    basis : mapping of str to PriceBasis
        What the prices are made of, the benchmark's too.
    window : Window
    metrics : Metrics
    warnings : tuple of str
        What has to be known to read the numbers rightly.
    conventions_version : int
    """

    panel: PricePanel
    book: Holdings
    benchmark: str | None
    benchmark_values: FloatArray | None
    strategy: JsonObject
    rules: Rules
    rebalance: Rebalance
    lag: int
    risk_free: float
    basis: Mapping[str, PriceBasis]
    window: Window
    metrics: Metrics
    warnings: tuple[str, ...]
    conventions_version: int = CONVENTIONS_VERSION

    def __repr__(self) -> str:
        return (
            f"SimulationResult({self.strategy['name']}, {self.window.start} to "
            f"{self.window.end}, {self.book.equity[0]:,.2f} -> {self.book.equity[-1]:,.2f})"
        )

    @property
    def equity(self) -> pd.Series[float]:
        """Value at each session's close, after its trades."""
        return self._series("equity", self.book.equity)

    @property
    def cash(self) -> pd.Series[float]:
        """Cash at each session's close, after its trades."""
        return self._series("cash", self.book.cash)

    @property
    def shares(self) -> pd.DataFrame:
        """Units of each symbol after each session's trades."""
        return self._frame(self.book.shares)

    @property
    def weights(self) -> pd.DataFrame:
        """Fractions of the value in each symbol after each session's trades; the rest is cash."""
        return self._frame(self._weights())

    @property
    def trades(self) -> pd.DataFrame:
        """One row a trade: date, symbol, shares (sales negative), price, notional."""
        import pandas as pd  # late: importing it costs more than a run

        fills, columns = self._trade_cells()
        rows = self.book.fills[fills]
        shares, price = self.book.traded[fills, columns], self.panel.prices[rows, columns]
        return pd.DataFrame(
            {
                "date": pd.DatetimeIndex(self.panel.dates[rows].astype("datetime64[ns]")),
                "symbol": [self.panel.symbols[column] for column in columns],
                "shares": shares,
                "price": price,
                "notional": shares * price,
            }
        )

    @property
    def benchmark_equity(self) -> pd.Series[float] | None:
        """The initial capital held in the benchmark all the time; None without one."""
        if self.benchmark_values is None:
            return None
        return self._series("benchmark_equity", self.benchmark_values)

    def to_dict(self) -> JsonObject:
        """Everything but the share counts, which follow from the trades, ready for JSON.

        Numbers have full precision and are finite; dates are ISO 8601; curves are lists, one value
        for each of `dates`.
        """
        fills, columns = self._trade_cells()
        dates = np.datetime_as_string(self.panel.dates, unit="D").tolist()
        weights = self._weights()
        against = self.benchmark_values
        return {
            "schema": RESULT_SCHEMA,
            "conventions_version": self.conventions_version,
            "window": self.window.to_dict(),
            "strategy": self.strategy,
            "rules": self.rules.to_dict(),
            "rebalance": self.rebalance,
            "lag": self.lag,
            "benchmark": self.benchmark,
            "risk_free": self.risk_free,
            "basis": {symbol: basis.value for symbol, basis in self.basis.items()},
            "metrics": self.metrics.to_dict(),
            "warnings": list(self.warnings),
            "dates": dates,
            "equity": self.book.equity.tolist(),
            "cash": self.book.cash.tolist(),
            "benchmark_equity": None if against is None else against.tolist(),
            "weights": {
                symbol: weights[:, column].tolist()
                for column, symbol in enumerate(self.panel.symbols)
            },
            "trades": [
                self._trade(dates, int(fill), int(column))
                for fill, column in zip(fills, columns, strict=True)
            ],
        }

    def _trade(self, dates: list[str], fill: int, column: int) -> JsonObject:
        row = int(self.book.fills[fill])
        shares, price = float(self.book.traded[fill, column]), float(self.panel.prices[row, column])
        return {
            "date": dates[row],
            "symbol": self.panel.symbols[column],
            "shares": shares,
            "price": price,
            "notional": shares * price,
        }

    def _trade_cells(self) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], ...]:
        """Fill and column of each trade, by date and then in the order of the symbols."""
        return tuple(np.nonzero(self.book.traded))

    def _weights(self) -> FloatArray:
        weights: FloatArray = self.book.shares * self.panel.prices / self.book.equity[:, np.newaxis]
        return weights

    def _index(self) -> pd.DatetimeIndex:
        import pandas as pd  # late: importing it costs more than a run

        return pd.DatetimeIndex(self.panel.dates.astype("datetime64[ns]"), name="date")

    def _series(self, name: str, values: FloatArray) -> pd.Series[float]:
        import pandas as pd  # late: importing it costs more than a run

        return pd.Series(values.copy(), index=self._index(), name=name)

    def _frame(self, values: FloatArray) -> pd.DataFrame:
        import pandas as pd  # late: importing it costs more than a run

        return pd.DataFrame(values.copy(), index=self._index(), columns=list(self.panel.symbols))
