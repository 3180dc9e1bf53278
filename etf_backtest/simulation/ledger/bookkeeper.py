"""The book-keeper: one session after the other, everything in the order of docs/ledger.md."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal

from etf_backtest.errors import CostsError
from etf_backtest.simulation.ledger.adviser import Adviser, Targets
from etf_backtest.simulation.ledger.inputs import Inputs, Row
from etf_backtest.simulation.ledger.precision import NOTHING, YEAR_OF_INTEREST, ZERO, Precision
from etf_backtest.simulation.ledger.result import LedgerDay, LedgerTrade
from etf_backtest.simulation.ledger.terms import Terms, amount_of
from etf_backtest.simulation.ledger.trading import Desk, Order, Trading


@dataclass(slots=True)
class Income:
    """What came from the night and the market, before anybody did anything."""

    interest: Decimal = ZERO
    price_change: Decimal = ZERO
    dividends: Decimal = ZERO
    rounding: Decimal = ZERO


@dataclass(slots=True)
class Bookkeeper:
    """Cash and shares as they are now, and the pages that are written."""

    inputs: Inputs
    terms: Terms
    adviser: Adviser
    precision: Precision
    cash: Decimal = ZERO
    shares: Row = ()
    filled: Targets | None = None
    """Targets of the last decision that was filled."""
    due: dict[int, Targets] = field(default_factory=dict)
    """Targets that are decided, by the row on which they are to be filled."""
    days: list[LedgerDay] = field(default_factory=list)
    trades: list[LedgerTrade] = field(default_factory=list)
    ruin_date: dt.date | None = None

    def keep(self) -> None:
        """Write all pages, up to the end of the window or of the money."""
        self.cash = self.precision.money(self.terms.capital)
        self.shares = (ZERO,) * len(self.inputs.symbols)
        for row in range(len(self.inputs.dates)):
            self._day(row)
            if self.ruin_date is not None:
                return

    def _day(self, row: int) -> None:
        income = self._overnight(row) if row else Income()
        value = self._value(row)
        if value <= 0:
            self.ruin_date = self.inputs.dates[row]
            self._write(row, value, ZERO, income, Trading((), self.cash))
            return
        flow = self._flow(row, value)
        desk = self._desk(row, value, flow)
        self._schedule(row)
        trading = self._trade(row, desk, value, flow)
        if trading is None:
            self.ruin_date = self.inputs.dates[row]
            trading, flow = self._liquidate(desk, value, flow)
        self._write(row, value, flow, income, trading)

    def _overnight(self, row: int) -> Income:
        """Interest, price change, splits and dividends since the session before."""
        inputs, income = self.inputs, Income()
        days = (inputs.dates[row] - inputs.dates[row - 1]).days
        rates = self.terms.lending if self.cash >= 0 else self.terms.borrowing
        income.interest = self.precision.money(self.cash * rates[row - 1] * days / YEAR_OF_INTEREST)
        self.cash += income.interest
        prices, splits = inputs.prices[row], inputs.splits.get(row)
        if splits is not None:
            counts = tuple(n * ratio for n, ratio in zip(self.shares, splits, strict=True))
        else:
            counts = self.shares
        for n, before, count, price in zip(
            self.shares, inputs.prices[row - 1], counts, prices, strict=True
        ):
            income.price_change += count * price - n * before
        self.shares = tuple(self.precision.shares(count) for count in counts)
        for count, kept, price in zip(counts, self.shares, prices, strict=True):
            income.rounding += (kept - count) * price
        if row in inputs.dividends:
            self._collect(inputs.dividends[row], prices, income)
        return income

    def _collect(self, dividends: Row, prices: Row, income: Income) -> None:
        """Dividends, in cash or as new shares at the close; no order and free of costs."""
        shares = list(self.shares)
        for j, dividend in enumerate(dividends):
            paid = self.precision.money(shares[j] * dividend)
            income.dividends += paid
            bought = self._reinvested(paid, prices[j]) if self.terms.reinvest else ZERO
            if bought and self.terms.lot is None:
                income.rounding += bought * prices[j] - paid
            else:
                cost = self.precision.money(bought * prices[j])
                income.rounding += bought * prices[j] - cost
                self.cash += paid - cost
            shares[j] += bought
        self.shares = tuple(shares)

    def _reinvested(self, paid: Decimal, price: Decimal) -> Decimal:
        lot = self.terms.lot
        if lot is None:
            return self.precision.shares(paid / price)
        return (paid / price / lot + NOTHING).to_integral_value(ROUND_FLOOR) * lot

    def _value(self, row: int) -> Decimal:
        prices = self.inputs.prices[row]
        return self.cash + sum((n * p for n, p in zip(self.shares, prices, strict=True)), ZERO)

    def _flow(self, row: int, value: Decimal) -> Decimal:
        days = (self.inputs.dates[row] - self.inputs.dates[0]).days
        amounts = (amount_of(flow, value, days=days) for flow in self.terms.flows.get(row, ()))
        return sum((self.precision.money(amount) for amount in amounts), ZERO)

    def _desk(self, row: int, value: Decimal, flow: Decimal) -> Desk:
        return Desk(
            prices=self.inputs.prices[row],
            shares=self.shares,
            cash=self.cash + flow,
            money=value + flow,
            terms=self.terms,
            precision=self.precision,
        )

    def _schedule(self, row: int) -> None:
        """Decide what the calendar asks for."""
        if row in self.terms.decisions and self._can_fill(row + self.terms.lag):
            self.due[row + self.terms.lag] = self.adviser(row)

    def _can_fill(self, row: int) -> bool:
        return row < len(self.inputs.dates) - 1

    def _trade(self, row: int, desk: Desk, value: Decimal, flow: Decimal) -> Trading | None:
        """What is traded today; None where the money does not last."""
        if flow < 0 and desk.runs_out(value):
            return None
        lag, breached = self.terms.lag, row not in self.due and self._breached(row, value)
        if breached and self._can_fill(row + lag):
            self.due[row + lag] = self.adviser(row)
        targets = self.due.pop(row, None)
        if targets is not None:
            self.filled = targets
            trading = desk.rebalance(targets)
        elif not flow or self.filled is None:
            trading = Trading((), self.cash + flow)
        elif self.terms.rebalancing.cashflow:
            trading = desk.place_new_money(self.filled, flow)
        else:
            trading = desk.rebalance(Targets(self._weights(row, value), self.cash / value))
        if trading is None and flow >= 0:
            raise CostsError(date=self.inputs.dates[row], money=float(desk.money))
        return trading

    def _breached(self, row: int, value: Decimal) -> bool:
        """Whether a weight has left its band, while nothing is on its way."""
        bands = self.terms.rebalancing.bands
        if bands is None or self.filled is None or self.due or row == 0:
            return False
        for weight, target in zip(self._weights(row, value), self.filled.weights, strict=True):
            drift = abs(weight - target)
            if bands.absolute is not None and drift > Decimal(bands.absolute):
                return True
            if bands.relative is not None and drift > Decimal(bands.relative) * target:
                return True
        return False

    def _weights(self, row: int, value: Decimal) -> Row:
        prices = self.inputs.prices[row]
        return tuple(n * price / value for n, price in zip(self.shares, prices, strict=True))

    def _liquidate(self, desk: Desk, value: Decimal, flow: Decimal) -> tuple[Trading, Decimal]:
        """Sell everything and pay out what that brings, but nobody pays in for the costs."""
        sold = desk.sell_everything()
        brought = sold.cash - flow
        if brought >= 0:
            return Trading(sold.orders, ZERO), -brought
        orders: list[Order] = []
        left = value
        for order in sold.orders:
            slippage = min(order.slippage, left)
            commission = min(order.commission, left - slippage)
            left -= slippage + commission
            orders.append(Order(order.symbol, order.shares, order.notional, commission, slippage))
        return Trading(tuple(orders), ZERO), ZERO

    def _trade_of(self, order: Order, row: int) -> LedgerTrade:
        return LedgerTrade(
            date=self.inputs.dates[row],
            symbol=self.inputs.symbols[order.symbol],
            shares=order.shares,
            price=self.inputs.prices[row][order.symbol],
            notional=order.notional,
            commission=order.commission,
            slippage=order.slippage,
        )

    def _write(
        self, row: int, value: Decimal, flow: Decimal, income: Income, trading: Trading
    ) -> None:
        """Book the orders and write the day's page."""
        prices = self.inputs.prices[row]
        shares, rounding = list(self.shares), income.rounding + trading.found
        for order in trading.orders:
            shares[order.symbol] += order.shares
            exact = order.shares * prices[order.symbol]
            rounding += exact - (order.notional if order.shares > 0 else -order.notional)
            self.trades.append(self._trade_of(order, row))
        self.shares, self.cash = tuple(shares), trading.cash
        commission = sum((order.commission for order in trading.orders), ZERO)
        slippage = sum((order.slippage for order in trading.orders), ZERO)
        shown = trading.cash if row else trading.cash + commission + slippage
        held = sum((n * p for n, p in zip(self.shares, prices, strict=True)), ZERO)
        self.days.append(
            LedgerDay(
                date=self.inputs.dates[row],
                equity=shown + held,
                cash=shown,
                shares=self.shares,
                value_before_flow=value,
                flow=flow,
                commission=commission,
                slippage=slippage,
                dividends=income.dividends,
                interest=income.interest,
                price_change=income.price_change,
                rounding=rounding,
            )
        )
