"""The rules of a run as the book-keeper reads them: in Decimal, digit by digit what was given."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from etf_backtest.errors import InvalidParametersError, RateError
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation.cash_flows import CashFlow
from etf_backtest.simulation.costs import Costs
from etf_backtest.simulation.ledger.calendar import decisions, flow_rows
from etf_backtest.simulation.ledger.precision import CALENDAR_YEAR, ONE, ZERO
from etf_backtest.simulation.rebalancing import Rebalancing, as_rebalancing
from etf_backtest.simulation.rules import Rules
from etf_backtest.strategies import Strategy

_BASIS_POINTS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Fees:
    """Costs of an order: fractions of its notional, currency, currency a share."""

    commission: Decimal
    fixed: Decimal
    least: Decimal
    per_share: Decimal
    slippage: Decimal

    @classmethod
    def of(cls, costs: Costs) -> Fees:
        """Take what the rules say, in basis points and currency."""
        return cls(
            commission=Decimal(costs.commission_bps) / _BASIS_POINTS,
            fixed=Decimal(costs.commission_fixed),
            least=Decimal(costs.commission_min),
            per_share=Decimal(costs.commission_per_share),
            slippage=Decimal(costs.slippage_bps) / _BASIS_POINTS,
        )

    @property
    def are_none(self) -> bool:
        """Whether orders cost nothing."""
        return not any((self.commission, self.fixed, self.least, self.per_share, self.slippage))

    def commission_of(self, notional: Decimal, shares: Decimal) -> Decimal:
        """What the broker charges; both are 0 or more."""
        charged = self.fixed + self.commission * notional + self.per_share * shares
        return max(self.least, charged)

    def total(self, notional: Decimal, price: Decimal) -> Decimal:
        """Commission and slippage of an order of this notional at this close."""
        return self.commission_of(notional, notional / price) + self.slippage * notional

    def slope(self, notional: Decimal, price: Decimal) -> Decimal:
        """What one unit more of notional costs."""
        rate = self.commission + self.per_share / price
        is_more_than_least = self.fixed + rate * notional >= self.least
        return self.slippage + (rate if is_more_than_least else ZERO)


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything a run needs but prices and targets.

    Attributes
    ----------
    capital : Decimal
    rebalancing : Rebalancing
    lag : int
    decisions : set of int
        Rows on which the calendar asks for targets.
    flows : mapping of int to tuple of CashFlow
        What arrives on a row.
    fees : Fees
    lot : Decimal or None
    reinvest : bool
    most : float
        The highest sum of weights.
    lending, borrowing : tuple of Decimal, one for each session but the last
        Annual rate for the step from a session to the next.
    """

    capital: Decimal
    rebalancing: Rebalancing
    lag: int
    decisions: frozenset[int]
    flows: dict[int, tuple[CashFlow, ...]]
    fees: Fees
    lot: Decimal | None
    reinvest: bool
    most: float
    lending: tuple[Decimal, ...]
    borrowing: tuple[Decimal, ...]

    @classmethod
    def of(cls, rules: Rules, strategy: Strategy, dates: Sequence[dt.date]) -> Terms:
        """Read the rules, with the strategy's own habits where they say nothing."""
        habit = strategy.rebalance if rules.rebalance is None else rules.rebalance
        rebalancing = as_rebalancing(habit)
        if not isinstance(rebalancing, Rebalancing):
            raise InvalidParametersError("Rules", [f"rebalance: received {habit!r}"])
        flows: dict[int, tuple[CashFlow, ...]] = {}
        for flow in rules.cash_flows:
            for row in flow_rows(dates, flow):
                flows[row] = (*flows.get(row, ()), flow)
        lending = in_force(rules.cash_rate, dates)
        borrow_rate = rules.borrow_rate
        return cls(
            capital=Decimal(rules.initial_capital),
            rebalancing=rebalancing,
            lag=strategy.default_lag if rules.lag is None else rules.lag,
            decisions=decisions(dates, rebalancing),
            flows=flows,
            fees=Fees.of(rules.costs),
            lot=None if rules.lot_size is None else Decimal(rules.lot_size),
            reinvest=rules.dividends == "reinvest",
            most=rules.max_leverage,
            lending=lending,
            borrowing=lending if borrow_rate is None else in_force(borrow_rate, dates),
        )

    @property
    def may_borrow(self) -> bool:
        """Whether cash may be below 0."""
        return self.most > 1


def in_force(rate: float | DatedRates, dates: Sequence[dt.date]) -> tuple[Decimal, ...]:
    """For each session but the last: the last annual rate that was known on it."""
    if not isinstance(rate, DatedRates):
        return (Decimal(rate),) * (len(dates) - 1)
    if rate.dates[0] > dates[0]:
        raise RateError(
            f"the rates begin on {rate.dates[0]}, after the first session {dates[0]}",
            remedy="add the rate that was in force then",
        )
    return tuple(Decimal(rate.rates[bisect_right(rate.dates, day) - 1]) for day in dates[:-1])


def amount_of(flow: CashFlow, value: Decimal, *, days: int) -> Decimal:
    """What a cash flow brings on a day, with the value before the day's flows."""
    if flow.percent is not None:
        return Decimal(flow.percent) * value
    if flow.amount is None:
        return ZERO
    growth: Decimal = (ONE + Decimal(flow.inflation)) ** (Decimal(days) / CALENDAR_YEAR)
    return Decimal(flow.amount) * growth
