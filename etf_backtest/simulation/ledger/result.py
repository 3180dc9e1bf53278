"""The books that are kept: a page a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

from etf_backtest.errors import EtfBacktestError
from etf_backtest.simulation.ledger.difference import Curves, largest_difference
from etf_backtest.simulation.ledger.inputs import Row
from etf_backtest.simulation.ledger.precision import CONTEXT, ONE, ZERO
from etf_backtest.simulation.ledger.rounding import RoundingDifference

if TYPE_CHECKING:
    import pandas as pd

LARGEST_ERROR = Decimal("1e-20")
"""Of the identities; 34 digits leave 1e-31 or so, more where debt leaves little of the value."""


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """One session, all in currency but the shares.

    Attributes
    ----------
    date : date
    equity, cash : Decimal
        After the day's flows, orders and costs; on the first day before the costs, which are paid
        then, but count from the second day on.
    shares : tuple of Decimal
        Real shares where closes are known, else units of the total-return prices.
    value_before_flow : Decimal
        After interest, splits and dividends.
    flow : Decimal
        What came in (above 0) or was taken out.
    commission, slippage : Decimal
        Costs of the day's orders.
    dividends, interest : Decimal
        Received (interest paid is below 0).
    price_change : Decimal
        Of what was held since the session before: shares * (close * split - previous close).
    rounding : Decimal
        Value that rounding to cents and millionths of a share made or lost; else 0, but for the
        last of 34 digits.
    """

    date: dt.date
    equity: Decimal
    cash: Decimal
    shares: tuple[Decimal, ...]
    value_before_flow: Decimal
    flow: Decimal
    commission: Decimal
    slippage: Decimal
    dividends: Decimal
    interest: Decimal
    price_change: Decimal
    rounding: Decimal

    @property
    def costs(self) -> Decimal:
        """Commission and slippage."""
        return self.commission + self.slippage


@dataclass(frozen=True, slots=True)
class LedgerTrade:
    """One order, filled at the close.

    Attributes
    ----------
    date : date
    symbol : str
    shares : Decimal
        Sales are below 0.
    price : Decimal
        The close, without slippage.
    notional, commission, slippage : Decimal
        Currency, 0 or more.
    """

    date: dt.date
    symbol: str
    shares: Decimal
    price: Decimal
    notional: Decimal
    commission: Decimal
    slippage: Decimal


class LedgerError(EtfBacktestError):
    """The books do not add up: a bug in the ledger, or absurd prices."""


@dataclass(frozen=True, slots=True, repr=False)
class LedgerResult:
    """All pages, and the prices they were written with.

    Attributes
    ----------
    symbols : tuple of str, N of them
    days : tuple of LedgerDay
        From the first session to the last, or to the day of the ruin.
    prices : tuple of rows, one a day
        What a share costs at the close: closes where known, else total-return prices, after the
        expense ratios.
    trades : tuple of LedgerTrade
    ruin_date : date or None
        When the money ran out.
    rounding_difference : RoundingDifference or None
        To the exact run, if this one was rounded to cents.
    """

    symbols: tuple[str, ...]
    days: tuple[LedgerDay, ...]
    prices: tuple[Row, ...]
    trades: tuple[LedgerTrade, ...]
    ruin_date: dt.date | None
    rounding_difference: RoundingDifference | None = None

    def __repr__(self) -> str:
        first, last = self.days[0], self.days[-1]
        return (
            f"LedgerResult({first.date} to {last.date}, {first.equity:,.2f} -> {last.equity:,.2f})"
        )

    @property
    def equity(self) -> pd.Series[float]:
        """Value at each session's close."""
        return self._series("equity", [day.equity for day in self.days])

    @property
    def cash(self) -> pd.Series[float]:
        """Cash at each session's close."""
        return self._series("cash", [day.cash for day in self.days])

    @property
    def flows(self) -> pd.Series[float]:
        """Contributions and withdrawals of each session."""
        return self._series("flows", [day.flow for day in self.days])

    @property
    def costs(self) -> pd.Series[float]:
        """Commission and slippage of each session's orders."""
        return self._series("costs", [day.costs for day in self.days])

    @property
    def shares(self) -> pd.DataFrame:
        """Shares of each symbol after each session's orders."""
        return self._frame([day.shares for day in self.days])

    @property
    def weights(self) -> pd.DataFrame:
        """Fractions of the value in each symbol; the rest is cash. NaN where there is no value."""
        nothing = (Decimal("NaN"),) * len(self.symbols)
        return self._frame(
            [
                tuple(held / day.equity for held in self._held(day, prices))
                if day.equity
                else nothing
                for day, prices in zip(self.days, self.prices, strict=True)
            ]
        )

    @property
    def total_return(self) -> Decimal:
        """Time-weighted: the product of the session returns, without the flows, less 1.

        The session of a ruin through borrowing counts as -100 %.
        """
        with localcontext(CONTEXT):
            growth = ONE
            for before, day in zip(self.days, self.days[1:], strict=False):
                growth *= max((day.equity - day.flow) / before.equity, ZERO)
            return growth - 1

    def check_identity(self) -> Decimal:
        """The largest relative error of the two identities of docs/conventions.md, on any day.

        equity = cash + sum(shares * price), and the change in equity = price change + dividends +
        interest + flows - costs (+ rounding, to the cent).

        Raises
        ------
        LedgerError
            It is above 1e-20, with the day.
        """
        with localcontext(CONTEXT):
            worst, date = max(self._identity_errors(), key=lambda pair: pair[0])
        if worst > LARGEST_ERROR:
            raise LedgerError(f"the books of {date} do not add up: {worst:.3E} of the value")
        return worst

    def difference(self, result: Curves) -> float:
        """The largest relative disagreement with a run of the kernel, on any day.

        Of the equity relative to the equity; of cash, holdings, flows and costs relative to the
        equity, too. Infinite if the runs have other sessions or symbols.

        Parameters
        ----------
        result : SimulationResult, or anything with its curves
        """
        return largest_difference(self, result)

    def _identity_errors(self) -> Iterator[tuple[Decimal, dt.date]]:
        costs = ZERO
        for number, (day, prices) in enumerate(zip(self.days, self.prices, strict=True)):
            size = max(abs(day.equity), abs(day.flow), abs(day.value_before_flow))
            held = sum(self._held(day, prices), ZERO)
            yield abs(day.cash + held - day.equity) / size, day.date
            if number:
                costs += day.costs
                change = day.price_change + day.dividends + day.interest + day.flow + day.rounding
                before = self.days[number - 1].equity
                yield abs(before + change - costs - day.equity) / size, day.date
                costs = ZERO
            else:
                costs = day.costs

    def _held(self, day: LedgerDay, prices: Row) -> Row:
        return tuple(n * price for n, price in zip(day.shares, prices, strict=True))

    def _index(self) -> pd.DatetimeIndex:
        import pandas as pd  # late: importing it costs more than a run

        return pd.DatetimeIndex([day.date for day in self.days], name="date")

    def _series(self, name: str, values: Sequence[Decimal]) -> pd.Series[float]:
        import pandas as pd  # late: importing it costs more than a run

        return pd.Series([float(value) for value in values], index=self._index(), name=name)

    def _frame(self, rows: Sequence[Row]) -> pd.DataFrame:
        import pandas as pd  # late: importing it costs more than a run

        values = [[float(value) for value in row] for row in rows]
        return pd.DataFrame(values, index=self._index(), columns=list(self.symbols))
