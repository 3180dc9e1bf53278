"""What comes out of a run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from etf_backtest.frozen_mapping import FrozenMapping, plain_json
from etf_backtest.market import PricePanel
from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.market.rates import DatedRates
from etf_backtest.market.sessions import as_date
from etf_backtest.metrics import (
    Metrics,
    contribution_to_return,
    contribution_to_risk,
    drawdown_frame,
    drawdown_table,
    return_table,
    summary,
)
from etf_backtest.simulation.accounting import ChangeOfValue, change_of_value
from etf_backtest.simulation.book import Book
from etf_backtest.simulation.fingerprint import fingerprint_of
from etf_backtest.simulation.preparation import Prepared
from etf_backtest.simulation.proxy_share import ProxyShare, proxy_shares
from etf_backtest.simulation.rebalancing import Rebalancing
from etf_backtest.simulation.result_data import rate_as_data, result_as_data
from etf_backtest.simulation.rules import Rules
from etf_backtest.simulation.units import Units
from etf_backtest.typing import FloatArray, IndexArray, JsonObject, JsonValue

if TYPE_CHECKING:
    import pandas as pd

CONVENTIONS_VERSION = 1
"""Raised when any definition in docs/conventions.md changes."""


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
class SimulationResult(FrozenArrays):
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
    strategy : mapping
        Name, symbols, parameters, as `Strategy.to_dict` gives them.
    rules : Rules
        As given.
    rebalance, lag
        As run: the rules', or the strategy's own.
    decisions : str or None
        SHA-256 of what a strategy from outside this package decided: nobody knows its code.
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
    strategy: Mapping[str, JsonValue]
    rules: Rules
    rebalance: Rebalancing
    lag: int
    decisions: str | None
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

    @cached_property
    def session_returns(self) -> FloatArray:
        """Time-weighted session returns, shape (T - 1,): the day's flow, at its close, taken out.

        At least -1: a debt that is left at the end is not a loss of more than everything.
        """
        equity, flows = self.book.equity, self.book.flows
        with np.errstate(over="ignore"):  # metrics refuse what is not finite
            returns: FloatArray = (equity[1:] - flows[1:]) / equity[:-1] - 1.0
        returns = np.maximum(returns, -1.0)
        returns.flags.writeable = False
        return returns

    @cached_property
    def metrics(self) -> Metrics:
        """All metrics, with the reasons of those that are undefined."""
        against = self.benchmark_values
        return summary(
            self.session_returns,
            None if against is None else against[1:] / against[:-1] - 1.0,
            self.risk_free,
            self.panel.dates,
            equity=self.book.equity,
            flows=self.book.flows,
            traded=float(np.abs(self._notionals()).sum()),
        )

    @cached_property
    def benchmark_metrics(self) -> Metrics | None:
        """The metrics of the benchmark itself; None without one."""
        against = self.benchmark_values
        if against is None:
            return None
        returns = against[1:] / against[:-1] - 1.0
        return summary(returns, None, self.risk_free, self.panel.dates)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What has to be known to read the numbers rightly."""
        return (*self.notes, *self.metrics.notes())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that the result follows from: prices, strategy, rules, conventions.

        Equal for equal inputs in every process and on every machine; another one for any other. Of
        a strategy from outside this package the decisions are a part of it, not only its name.
        """
        return fingerprint_of(
            {
                "conventions_version": self.conventions_version,
                "prices": dict(self.price_fingerprints),
                "window": self.asked_window.to_dict(),
                "strategy": plain_json(self.strategy),
                "decisions": self.decisions,
                "rules": self.rules.to_dict(),
                "lag": self.lag,
                "rebalance": self.rebalance.model_dump(mode="json"),
                "benchmark": self.benchmark,
                "risk_free": rate_as_data(self.risk_free),
            }
        )

    @cached_property
    def price_fingerprints(self) -> Mapping[str, str]:
        """SHA-256 of each symbol's prices, those before the window that were looked at included."""
        found = self.prepared.history.fingerprints()
        if self.benchmark is not None and self.benchmark not in found:
            found |= self.prepared.window.select((self.benchmark,)).fingerprints()
        return FrozenMapping(found)

    @cached_property
    def proxies(self) -> tuple[ProxyShare, ...]:
        """What part of the window, and of what was looked at before, is a proxy's prices."""
        return proxy_shares(self.prepared.window, self.prepared.history)

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
    def returns(self) -> pd.Series[float]:
        """Time-weighted session returns, the first on the second session."""
        import pandas as pd  # late: importing it costs more than a run

        return pd.Series(self.session_returns.copy(), index=self._index()[1:], name="returns")

    @property
    def shares(self) -> pd.DataFrame:
        """Shares of each symbol after each session's trades."""
        return self._frame(self._shares())

    @property
    def weights(self) -> pd.DataFrame:
        """Fractions of the value in each symbol after each session's trades; the rest is cash.

        NaN where there is no value any more; of no use where debts are more than the holdings.
        """
        return self._frame(self.weights_held())

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
        """One row a trade: date, symbol, shares (sales negative), price, notional, what it cost.

        `price` is the close of a share and `notional` is shares * price; `commission` and
        `slippage` are money.
        """
        import pandas as pd  # late: importing it costs more than a run

        rows, columns, values = self.trade_columns()
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

    def contribution_to_return(self) -> pd.Series[float]:
        """Part of the total return that each holding brought; `residual` is interest and costs."""
        return contribution_to_return(*self._holdings_before()).to_series(self.panel.symbols)

    def contribution_to_risk(self) -> pd.Series[float]:
        """Part of the annual volatility that each holding brought."""
        return contribution_to_risk(*self._holdings_before()).to_series(self.panel.symbols)

    def drawdowns(self, limit: int | None = None) -> pd.DataFrame:
        """Drawdowns, the deepest first: peak, trough, recovery, depth, lengths."""
        table = drawdown_table(self.session_returns, self.panel.dates, limit=limit)
        return drawdown_frame(table)

    def monthly_returns(self) -> pd.DataFrame:
        """Returns by year and month, with the year's."""
        return return_table(self.session_returns, self.panel.dates).to_frame()

    def to_dict(self) -> JsonObject:
        """Everything but the share counts, which follow from the trades, ready for JSON.

        Numbers have full precision and are finite; dates are ISO 8601; curves are lists, one value
        for each of `dates`; flows and costs list the sessions that have some.
        """
        return result_as_data(self)

    @property
    def asked_window(self) -> Window:
        """The sessions that the run was to go over; the curves are shorter after a ruin."""
        dates = self.prepared.window.dates
        return Window(as_date(dates[0]), as_date(dates[-1]), dates.size)

    # -- arrays ----------------------------------------------------------------------------------

    def _notionals(self) -> FloatArray:
        notionals: FloatArray = self.book.traded * self.units.prices[self.book.fills]
        return notionals

    def trade_columns(self) -> tuple[IndexArray, IndexArray, dict[str, FloatArray]]:
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

    def weights_held(self) -> FloatArray:
        """`weights` as an array of shape (T, N)."""
        with np.errstate(divide="ignore", invalid="ignore"):  # nothing is left after a ruin
            notionals = self.book.units * self.units.prices[: len(self.book.units)]
            weights: FloatArray = notionals / self.book.equity[:, np.newaxis]
        return weights

    def _holdings_before(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Weights at the start of each session, returns of the holdings, and of the portfolio."""
        prices = self.units.prices[: len(self.book.units)]
        gains = np.diff(prices, axis=0)
        if self.units.payouts is not None:
            gains = gains + self.units.payouts[1 : len(prices)]
        return self.weights_held()[:-1], gains / prices[:-1], self.session_returns

    def _index(self) -> pd.DatetimeIndex:
        import pandas as pd  # late: importing it costs more than a run

        return pd.DatetimeIndex(self.panel.dates.astype("datetime64[ns]"), name="date")

    def _series(self, name: str, values: FloatArray) -> pd.Series[float]:
        import pandas as pd  # late: importing it costs more than a run

        return pd.Series(values.copy(), index=self._index(), name=name)

    def _frame(self, values: FloatArray) -> pd.DataFrame:
        import pandas as pd  # late: importing it costs more than a run

        return pd.DataFrame(values.copy(), index=self._index(), columns=list(self.panel.symbols))
