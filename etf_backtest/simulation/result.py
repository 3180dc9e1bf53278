"""What comes out of a run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from etf_backtest.market import PriceBasis, PricePanel
from etf_backtest.market.rates import DatedRates
from etf_backtest.market.sessions import as_date
from etf_backtest.metrics import Metrics, summary
from etf_backtest.simulation.accounting import ChangeOfValue, change_of_value
from etf_backtest.simulation.fingerprint import fingerprint_of, versions
from etf_backtest.simulation.kernel import Book
from etf_backtest.simulation.preparation import Prepared
from etf_backtest.simulation.rebalancing import Rebalancing
from etf_backtest.simulation.rules import Rules
from etf_backtest.simulation.units import Units
from etf_backtest.typing import FloatArray, IndexArray, JsonObject

if TYPE_CHECKING:
    import pandas as pd

CONVENTIONS_VERSION = 1
"""Raised when any definition in docs/conventions.md changes."""
RESULT_SCHEMA = 2
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


@dataclass(frozen=True, eq=False, repr=False)
class SimulationResult:
    """A run: its curves as pandas objects, indexed by session, its metrics and its warnings.

    Shares are real ones where closes are known; else a share is one unit of the symbol's
    total-return prices, and only shares * price, money, compares with a broker's account.

    On the first session equity and cash are before the costs of that day's orders; later ones are
    after the day's flows and costs. Where money ran out, the curves end on that day (`ruin_date`).

    Attributes
    ----------
    panel : PricePanel
        Complete prices of the traded symbols on the sessions of the curves.
    book : Book
        The curves as arrays, in units (see `units`).
    units : Units
    benchmark : str or None
    benchmark_values : ndarray of shape (T,), or None
        The initial capital held in the benchmark all the time.
    prepared : Prepared
        The inputs: the window as asked for, and the history.
    strategy : dict
        Name, symbols, parameters, as `Strategy.to_dict` gives them.
    rules : Rules
        As given.
    rebalance, lag
        As run: the rules', or the strategy's own.
    risk_free : float or DatedRates
        Annual, a fraction.
    notes : tuple of str
        What has to be known about inputs, strategy and rules.
    conventions_version : int
    """

    panel: PricePanel
    book: Book
    units: Units
    benchmark: str | None
    benchmark_values: FloatArray | None
    prepared: Prepared
    strategy: JsonObject
    rules: Rules
    rebalance: Rebalancing
    lag: int
    risk_free: float | DatedRates
    notes: tuple[str, ...]
    conventions_version: int = CONVENTIONS_VERSION

    def __repr__(self) -> str:
        return (
            f"SimulationResult({self.strategy['name']}, {self.window.start} to "
            f"{self.window.end}, {self.book.equity[0]:,.2f} -> {self.book.equity[-1]:,.2f})"
        )

    # -- numbers ---------------------------------------------------------------------------------

    @property
    def window(self) -> Window:
        """The sessions of the curves."""
        dates = self.panel.dates
        return Window(as_date(dates[0]), as_date(dates[-1]), dates.size)

    @property
    def ruin_date(self) -> dt.date | None:
        """The session on which the money ran out and the run ended; None where it did not."""
        return None if self.book.ruin is None else as_date(self.panel.dates[-1])

    @property
    def returns(self) -> FloatArray:
        """Time-weighted session returns, shape (T - 1,): the day's flow, at its close, taken out.

        At least -1: a debt that is left at the end is not a loss of more than everything.
        """
        equity, flows = self.book.equity, self.book.flows
        returns: FloatArray = (equity[1:] - flows[1:]) / equity[:-1] - 1.0
        return np.maximum(returns, -1.0)

    @cached_property
    def metrics(self) -> Metrics:
        """All metrics, with the reasons of those that are undefined."""
        against = self.benchmark_values
        return summary(
            self.returns,
            None if against is None else against[1:] / against[:-1] - 1.0,
            self.risk_free,
            self.panel.dates,
            equity=self.book.equity,
            flows=self.book.flows,
            traded=float(np.abs(self._notionals()).sum()),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What has to be known to read the numbers rightly."""
        return (*self.notes, *self.metrics.notes())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that the result follows from: prices, strategy, rules, conventions.

        Equal for equal inputs in every process and on every machine; another one for any other.
        """
        return fingerprint_of(
            {
                "conventions_version": self.conventions_version,
                "prices": self.price_fingerprints,
                "window": self._asked_window(),
                "strategy": self.strategy,
                "rules": self.rules.to_dict(),
                "lag": self.lag,
                "rebalance": self.rebalance.model_dump(mode="json"),
                "benchmark": self.benchmark,
                "risk_free": self._risk_free_json(),
            }
        )

    @cached_property
    def price_fingerprints(self) -> Mapping[str, str]:
        """SHA-256 of each symbol's prices, those before the window that were looked at included."""
        found = self.prepared.history.fingerprints()
        if self.benchmark is not None and self.benchmark not in found:
            found |= self.prepared.window.select((self.benchmark,)).fingerprints()
        return found

    # -- curves ----------------------------------------------------------------------------------

    @property
    def equity(self) -> pd.Series[float]:
        """Value at each session's close, after its flows and trades."""
        return self._series("equity", self.book.equity)

    @property
    def cash(self) -> pd.Series[float]:
        """Cash at each session's close, after its flows and trades; below 0 is borrowed."""
        return self._series("cash", self.book.cash)

    @property
    def shares(self) -> pd.DataFrame:
        """Shares of each symbol after each session's trades."""
        return self._frame(self._shares())

    @property
    def weights(self) -> pd.DataFrame:
        """Fractions of the value in each symbol after each session's trades; the rest is cash.

        NaN where there is no value any more.
        """
        return self._frame(self._weights())

    @property
    def flows(self) -> pd.Series[float]:
        """Money that came in (above 0) or went out at each session's close."""
        return self._series("flows", self.book.flows)

    @property
    def costs(self) -> pd.Series[float]:
        """Commissions and slippage paid at each session's close."""
        return self._series("costs", self.book.costs)

    @property
    def trades(self) -> pd.DataFrame:
        """One row a trade: date, symbol, shares (sales negative), price, notional, costs.

        `price` is the close of a share and `notional` is shares * price; slippage is money, too.
        """
        import pandas as pd  # late: importing it costs more than a run

        rows, columns, values = self._trade_columns()
        dates = self.panel.dates[rows].astype("datetime64[ns]")
        symbols = [self.panel.symbols[column] for column in columns.tolist()]
        return pd.DataFrame({"date": pd.DatetimeIndex(dates), "symbol": symbols, **values})

    @property
    def benchmark_equity(self) -> pd.Series[float] | None:
        """The initial capital held in the benchmark all the time; None without one."""
        if self.benchmark_values is None:
            return None
        return self._series("benchmark_equity", self.benchmark_values)

    @cached_property
    def change_of_value(self) -> ChangeOfValue:
        """What the value changed by on each session, and why: the parts sum to the change."""
        return change_of_value(self.panel, self.book, self.units)

    @property
    def accounting(self) -> pd.DataFrame:
        """`change_of_value` as a frame: price change, dividends, interest, flows, costs, change."""
        import pandas as pd  # late: importing it costs more than a run

        return pd.DataFrame(self.change_of_value.columns(), index=self._index()[1:])

    # -- as data ---------------------------------------------------------------------------------

    def to_dict(self) -> JsonObject:
        """Everything but the share counts, which follow from the trades, ready for JSON.

        Numbers have full precision and are finite; dates are ISO 8601; curves are lists, one value
        for each of `dates`; flows and costs list the sessions that have some.
        """
        dates = np.datetime_as_string(self.panel.dates, unit="D").tolist()
        weights = np.nan_to_num(self._weights(), nan=0.0)
        against = self.benchmark_values
        asked = self.prepared.window
        return {
            "schema": RESULT_SCHEMA,
            "conventions_version": self.conventions_version,
            "versions": versions(),
            "fingerprint": self.fingerprint,
            "fingerprints": {"prices": dict(self.price_fingerprints)},
            "window": self.window.to_dict(),
            "asked_window": self._asked_window(),
            "ruin": None if self.book.ruin is None else {"date": dates[-1], "by": self.book.ruin},
            "strategy": self.strategy,
            "rules": self.rules.to_dict(),
            "rebalance": self.rebalance.model_dump(mode="json"),
            "lag": self.lag,
            "benchmark": self.benchmark,
            "risk_free": self._risk_free_json(),
            "basis": {
                symbol: PriceBasis(basis).value
                for symbol, basis in zip(asked.symbols, asked.basis, strict=True)
            },
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
            "flows": _on_dates(dates, self.book.flows),
            "costs": _on_dates(dates, self.book.costs),
            "trades": self._trades_as_data(dates),
        }

    def _trades_as_data(self, dates: list[str]) -> list[JsonObject]:
        rows, columns, values = self._trade_columns()
        trades = zip(*(column.tolist() for column in values.values()), strict=True)
        return [
            {
                "date": dates[row],
                "symbol": self.panel.symbols[column],
                **dict(zip(values, trade, strict=True)),
            }
            for row, column, trade in zip(rows.tolist(), columns.tolist(), trades, strict=True)
        ]

    def _asked_window(self) -> JsonObject:
        dates = self.prepared.window.dates
        return Window(as_date(dates[0]), as_date(dates[-1]), dates.size).to_dict()

    def _risk_free_json(self) -> float | dict[str, float]:
        rate = self.risk_free
        return rate.to_dict() if isinstance(rate, DatedRates) else rate

    # -- arrays ----------------------------------------------------------------------------------

    def _notionals(self) -> FloatArray:
        notionals: FloatArray = self.book.traded * self.units.prices[self.book.fills]
        return notionals

    def _trade_columns(self) -> tuple[IndexArray, IndexArray, dict[str, FloatArray]]:
        """Row, symbol and numbers of each trade, by date and then in the order of the symbols."""
        book = self.book
        fills, columns = np.nonzero(book.traded)
        rows = book.fills[fills]
        ratio = 1.0 if self.units.shares is None else self.units.shares[rows, columns]
        shares = book.traded[fills, columns] * ratio
        price = self.units.prices[rows, columns] / ratio
        values = {
            "shares": shares,
            "price": price,
            "notional": shares * price,
            "commission": book.commission[fills, columns],
            "slippage": book.slippage[fills, columns],
        }
        return rows, columns, values

    def _shares(self) -> FloatArray:
        units = self.book.units
        if self.units.shares is None:
            return units
        shares: FloatArray = units * self.units.shares[: len(units)]
        return shares

    def _weights(self) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):  # nothing is left after a ruin
            notionals = self.book.units * self.units.prices[: len(self.book.units)]
            weights: FloatArray = notionals / self.book.equity[:, np.newaxis]
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


def _on_dates(dates: list[str], values: FloatArray) -> JsonObject:
    """The values that are not 0, by date."""
    return {dates[row]: float(values[row]) for row in np.flatnonzero(values).tolist()}
