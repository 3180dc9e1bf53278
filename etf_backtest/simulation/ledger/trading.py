"""Orders of one day: to targets, or of new money alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from etf_backtest.simulation.ledger.adviser import Targets
from etf_backtest.simulation.ledger.inputs import Row
from etf_backtest.simulation.ledger.precision import NOTHING, SHARE, ZERO, Precision
from etf_backtest.simulation.ledger.solving import investable_value, part_to_buy, part_to_sell
from etf_backtest.simulation.ledger.terms import Fees, Terms


@dataclass(frozen=True, slots=True)
class Order:
    """Shares bought (above 0) or sold of one symbol, at the close.

    Attributes
    ----------
    symbol : int
        Its number.
    shares : Decimal
    notional, commission, slippage : Decimal
        Currency, 0 or more.
    """

    symbol: int
    shares: Decimal
    notional: Decimal
    commission: Decimal
    slippage: Decimal

    @property
    def cash(self) -> Decimal:
        """What the order does to cash."""
        moved = -self.notional if self.shares > 0 else self.notional
        return moved - self.commission - self.slippage


@dataclass(frozen=True, slots=True)
class Trading:
    """What was ordered on a day, and the cash after it."""

    orders: tuple[Order, ...]
    cash: Decimal
    found: Decimal = ZERO
    """What cash was a hair below 0, and is counted as 0."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The trader on one day: what is held, at which prices, on which terms.

    Attributes
    ----------
    prices, shares : tuple of Decimal, N of each
    cash : Decimal
        With the flows of the day, before any order.
    money : Decimal
        Cash and holdings together.
    """

    prices: Row
    shares: Row
    cash: Decimal
    money: Decimal
    terms: Terms
    precision: Precision

    @property
    def fees(self) -> Fees:
        """What orders cost."""
        return self.terms.fees

    @property
    def held(self) -> Row:
        """Notional of each symbol."""
        return tuple(n * price for n, price in zip(self.shares, self.prices, strict=True))

    def sell_everything(self) -> Trading:
        """One order for each symbol that is held."""
        orders = [self._order(j, -n) for j, n in enumerate(self.shares) if n]
        return Trading(tuple(orders), self.cash + sum((order.cash for order in orders), ZERO))

    def runs_out(self, value: Decimal) -> bool:
        """Whether selling everything would not leave anything of the value before the flows."""
        sold = self.sell_everything()
        costs = sum((order.commission + order.slippage for order in sold.orders), ZERO)
        nothing_left = self.money - costs <= NOTHING * value
        return nothing_left or (self.precision.cents and sold.cash <= 0)

    def rebalance(self, targets: Targets) -> Trading | None:
        """Take the portfolio to its targets; None if the orders cost all there is."""
        held, weights = self.held, targets.weights
        moved = {j: held[j] for j, gap in self._gaps(targets).items() if self._matters(gap)}
        if not moved and self._may_stay(self.cash):
            return Trading((), self.cash)
        if not moved:  # what was taken out was too little for an order, but is not there
            moved = {j: has for j, has in enumerate(held) if has}
        if targets.cash < 0 and self.fees.are_none:  # nothing to solve
            return self._execute({j: weights[j] * self.money for j in moved}, None)
        if targets.cash < 0 and any(weights[j] for j in moved):
            # with debt what is on its weight has to share the costs, too
            moved = {j: has for j, has in enumerate(held) if has or weights[j]}
        free = self.cash + sum(moved.values(), ZERO)
        value = investable_value(targets, moved, self.prices, free, self.fees)
        if value is None or value <= 0:
            return None
        wanted = {j: weights[j] * value for j in moved}
        is_solved = bool(targets.cash or any(wanted.values()))
        return self._execute(wanted, targets.cash * value if is_solved else None)

    def place_new_money(self, targets: Targets, flow: Decimal) -> Trading | None:
        """Buy what is below its target with what came in and is not to stay in cash.

        Or sell what is above its target for what went out and was not in cash.
        """
        sign = 1 if flow > 0 else -1
        need = sign * (self.cash - targets.cash * self.money)
        gaps = {j: abs(gap) for j, gap in self._gaps(targets).items() if sign * gap > 0}
        gaps = {j: gap for j, gap in gaps.items() if self._matters(gap)}
        if not gaps or need <= NOTHING * self.money:
            return Trading((), self.cash) if self._may_stay(self.cash) else self.rebalance(targets)
        held = self.held
        if flow > 0:
            part = part_to_buy(gaps, self.prices, need, self.fees)
            if part is None or part <= 0:
                return Trading((), self.cash)
        else:
            part = part_to_sell(gaps, self.prices, need, self.fees)
            if part is None or any(part * gap > held[j] for j, gap in gaps.items()):
                return self.rebalance(targets)
        wanted = {j: held[j] + sign * part * gap for j, gap in gaps.items()}
        return self._execute(wanted, targets.cash * self.money)

    def _gaps(self, targets: Targets) -> dict[int, Decimal]:
        """What each symbol is short of its target, as if trading were free."""
        pairs = zip(targets.weights, self.held, strict=True)
        return {j: weight * self.money - has for j, (weight, has) in enumerate(pairs)}

    def _may_stay(self, cash: Decimal) -> bool:
        return cash >= 0 or self.terms.may_borrow

    def _matters(self, amount: Decimal) -> bool:
        return abs(amount) > NOTHING * self.money

    def _execute(self, wanted: Mapping[int, Decimal], exact_cash: Decimal | None) -> Trading:
        """Order what leads to these notionals, in lots and cents where they are asked for."""
        orders = {j: self._order(j, self._count(j, n) - self.shares[j]) for j, n in wanted.items()}
        if self.terms.lot is not None or self.precision.cents:
            least = ZERO if self.terms.lot is None else NOTHING * self.terms.lot
            orders = {j: order for j, order in orders.items() if abs(order.shares) > least}
        elif exact_cash is not None:
            return Trading(tuple(orders.values()), exact_cash)
        cash = self._cash_after(orders)
        if self.precision.cents and not self.terms.may_borrow:
            orders, cash = self._within_cash(orders, cash)
        if self._may_stay(cash) or self._matters(cash):
            return Trading(tuple(orders.values()), cash)
        return Trading(tuple(orders.values()), ZERO, found=-cash)

    def _count(self, symbol: int, notional: Decimal) -> Decimal:
        """Shares of a notional; whole lots if there are lots."""
        count, lot = notional / self.prices[symbol], self.terms.lot
        if lot is None:
            return self.precision.shares(count)
        return (count / lot + NOTHING).to_integral_value(ROUND_FLOOR) * lot

    def _order(self, symbol: int, shares: Decimal) -> Order:
        count = abs(shares)
        notional = self.precision.money(count * self.prices[symbol])
        return Order(
            symbol,
            shares,
            notional,
            self.precision.money(self.fees.commission_of(notional, count)),
            self.precision.money(self.fees.slippage * notional),
        )

    def _cash_after(self, orders: Mapping[int, Order]) -> Decimal:
        return self.cash + sum((order.cash for order in orders.values()), ZERO)

    def _within_cash(
        self, orders: dict[int, Order], cash: Decimal
    ) -> tuple[dict[int, Order], Decimal]:
        """Where rounding has spent cents that are not there, buy less of what is bought most.

        A day that only sells sells that much more.
        """
        step = SHARE if self.terms.lot is None else self.terms.lot
        while cash < 0 and (left := [o for o in orders.values() if self._holding(o) > 0]):
            order = max(left, key=lambda each: each.shares * self.prices[each.symbol])
            j = order.symbol
            less = (-cash / self.prices[j] / step).to_integral_value(ROUND_CEILING) * step
            most = order.shares if order.shares > 0 else self._holding(order)
            shares = order.shares - min(less, most)
            orders = {**orders, j: self._order(j, shares)}
            if not shares:
                del orders[j]
            cash = self._cash_after(orders)
        return orders, cash

    def _holding(self, order: Order) -> Decimal:
        return self.shares[order.symbol] + order.shares
