"""Holdings and value from prices, targets and rules: from one event to the next.

Between events (fills, flows, breached bands) units stay as they are, so that only events are gone
through one by one. `proportional.py` does without even that where the rules allow it.
"""

from __future__ import annotations

from bisect import insort

import numpy as np

from etf_backtest.simulation.book import Book, Interest, Plan, Ruin
from etf_backtest.simulation.orders import SMALLEST, Desk, Orders
from etf_backtest.simulation.units import Units
from etf_backtest.typing import BoolArray, FloatArray


class CostsExceedValueError(Exception):
    """Orders would cost more than there is; `row` says when."""

    def __init__(self, row: int, money: float) -> None:
        super().__init__(row, money)
        self.row, self.money = row, money


def run_events(units: Units, interest: Interest, plan: Plan, desk: Desk, capital: float) -> Book:
    """Go from event to event.

    Parameters
    ----------
    units : Units
        Of shape (T, N), positive and finite.
    interest : Interest
    plan : Plan
    desk : Desk
        Costs, lots and borrowing.
    capital : float
        Cash on row 0, before the first fill.

    Raises
    ------
    CostsExceedValueError
        A rebalance would cost all of the value.
    """
    return _Run(units, interest, plan, desk, capital).book()


class _Run:
    """The state between two events."""

    def __init__(
        self, units: Units, interest: Interest, plan: Plan, desk: Desk, capital: float
    ) -> None:
        self.market, self.interest, self.plan, self.desk = units, interest, plan, desk
        self.sessions, width = units.prices.shape
        self.row = 0
        self.cash = capital
        self.held = np.zeros(width)  # units
        self.capital = capital
        self.filled: FloatArray | None = None  # targets of the last fill
        self.ruin: Ruin | None = None
        self.flows, self.costs = np.zeros(self.sessions), np.zeros(self.sessions)
        self.path = np.full(self.sessions, capital)  # cash after each row
        # what was held from each of these rows on
        self.rows: list[int] = [0]
        self.log: list[FloatArray] = [self.held]
        self.trades: list[tuple[int, FloatArray, FloatArray, FloatArray]] = []
        self.due = dict(zip(plan.fills.tolist(), plan.targets, strict=True))
        static = {*self.due, *plan.flows.rows.tolist()}
        if plan.reinvest_lots and units.payouts is not None:
            static |= set(np.flatnonzero(units.payouts.any(axis=1)).tolist())
        self.events = sorted(row for row in static if row < self.sessions - 1)
        self.watched = self._watched_rows()

    def _watched_rows(self) -> BoolArray:
        """Rows on which bands are checked, as far as the calendar says."""
        watched = np.zeros(self.sessions, dtype=np.bool_)
        if self.plan.bands is not None:
            watched[1:-1] = True
            for decision, fill in zip(self.plan.decisions, self.plan.fills, strict=True):
                watched[decision : fill + 1] = False
        return watched

    def book(self) -> Book:
        if self.events and self.events[0] == 0:
            if not self._fill(0, self.due.pop(0)):
                raise CostsExceedValueError(0, self.cash)
            self._note()
            self.events.pop(0)
        while self.ruin is None and self.row < self.sessions - 1:
            row = self._breach(self.events[0] if self.events else self.sessions - 1)
            if self.events and self.events[0] == row:
                self.events.pop(0)
            if self._advance(row):
                self._event(row)
        return self._written()

    # -- time ------------------------------------------------------------------------------------

    def _cash_until(self, row: int) -> FloatArray:
        """Cash on the rows after the last event up to `row`, before anything happens there."""
        steps = slice(self.row, row)
        payouts = self.market.payouts
        factors = self.interest.cash if self.cash >= 0 else self.interest.debt
        growth = np.cumprod(factors[steps], dtype=np.float64)
        grown: FloatArray = growth * self.cash
        if payouts is None:
            return grown
        paid = payouts[self.row + 1 : row + 1] @ self.held
        if self.cash >= 0:
            collected: FloatArray = np.cumsum(paid / growth)
            return grown + growth * collected
        cash, path = self.cash, np.empty(row - self.row)  # dividends may pay off the debt
        for step, payout in enumerate(paid.tolist()):
            rates = self.interest.cash if cash >= 0 else self.interest.debt
            cash = cash * float(rates[self.row + step]) + payout
            path[step] = cash
        return path

    def _advance(self, row: int) -> bool:
        """Let time pass until `row`; False where borrowing has ended the run before."""
        path = self._cash_until(row)
        self.path[self.row + 1 : row + 1] = path
        if path.size and path.min() < 0:
            values = path + self.market.prices[self.row + 1 : row + 1] @ self.held
            ruined = np.flatnonzero(values <= 0)
            if ruined.size:
                self.row += int(ruined[0]) + 1
                self.cash = float(path[ruined[0]])
                self._note()
                self.ruin = "borrowing"
                return False
        self.row, self.cash = row, float(path[-1])
        return True

    def _breach(self, until: int) -> int:
        """The first row before `until` on which a weight has left its band, else `until`."""
        if self.filled is None or not self.watched[self.row + 1 : until].any():
            return until
        start, width = self.row + 1, 16
        while start < until:
            stop = min(start + width, until)
            cash = self._cash_until(stop - 1)[start - self.row - 1 :]
            held = self.market.prices[start:stop] * self.held
            weights = held / (cash + held.sum(axis=1))[:, np.newaxis]
            out = self._outside(weights) & self.watched[start:stop]
            if out.any():
                return start + int(out.argmax())
            start, width = stop, width * 2
        return until

    def _outside(self, weights: FloatArray) -> BoolArray:
        """Whether a weight is outside its band, for each row."""
        bands, targets = self.plan.bands, self.filled
        assert bands is not None  # noqa: S101  # asked before
        assert targets is not None  # noqa: S101
        gaps = np.abs(weights - targets)
        outside = np.zeros(gaps.shape[:-1], dtype=np.bool_)
        if bands.absolute is not None:
            outside |= (gaps > bands.absolute).any(axis=-1)
        if bands.relative is not None:
            outside |= (gaps > bands.relative * targets).any(axis=-1)
        return outside

    # -- what happens on a row -------------------------------------------------------------------

    def _event(self, row: int) -> None:
        if self.plan.reinvest_lots and self.market.payouts is not None:
            self._reinvest(row, self.market.payouts[row] * self.held)
        if row == self.sessions - 1:  # it never trades
            return
        price = self.market.prices[row]
        held = self.held * price
        value = self.cash + float(held.sum())
        flow = float(self.plan.flows.amounts[row] + self.plan.flows.fractions[row] * value)
        targets = self.due.pop(row, None)
        if targets is None and self.watched[row] and self.filled is not None:
            targets = self._decided(row, held / value)
        if flow < 0 and self._runs_out(row, held, value, value + flow):
            self._pay_out(row, held, value)
            return
        self.flows[row] += flow
        self.cash += flow
        traded = True
        if targets is not None:
            traded = self._fill(row, targets)
        elif flow and self.filled is not None:
            traded = self._trade_flow(row, held, held / value, buy=flow > 0)
        if not traded:
            self.flows[row] -= flow
            if flow >= 0:
                raise CostsExceedValueError(row, value + flow)
            self._pay_out(row, held, value)
            return
        self._note()

    def _decided(self, row: int, weights: FloatArray) -> FloatArray | None:
        """Targets to fill at once because a band was breached; later ones are put down as due."""
        if not self._outside(weights):
            return None
        fill = row + self.plan.lag
        if fill >= self.sessions - 1:
            return None
        targets = self.plan.decide(row)
        self.watched[row : fill + 1] = False
        if fill == row:
            return targets
        if fill not in self.events:
            insort(self.events, fill)
        self.due[fill] = targets
        return None

    def _reinvest(self, row: int, paid: FloatArray) -> None:
        """Buy whole lots of each symbol with the dividends it has just paid."""
        if not paid.any():
            return
        lot = self.market.share_prices(row) * (self.desk.lot_size or 1.0)
        money = np.floor(paid / lot + SMALLEST) * lot
        left = self.cash - float(money.sum())
        self.cash = left if self.desk.borrows else max(left, 0.0)
        self.held = self.held + money / self.market.prices[row]
        self._note()

    def _runs_out(self, row: int, held: FloatArray, value: float, left: float) -> bool:
        """Whether a withdrawal leaves nothing, or no more than selling everything would cost.

        What rounding leaves is nothing.
        """
        costs = self.desk.selling_everything(held, self.market.share_prices(row))
        return left - costs <= SMALLEST * value

    def _pay_out(self, row: int, held: FloatArray, value: float) -> None:
        """Sell everything and pay out what it brings: the run ends."""
        some, price = held > 0, self.market.share_prices(row)
        commission = np.where(some, self.desk.commission(held, price), 0.0)
        slippage = np.where(some, self.desk.cost(held, price), 0.0) - commission
        costs = float((commission + slippage).sum())
        if costs > value:  # the broker gets what there is, order after order
            paid = np.diff(np.minimum(np.cumsum(commission + slippage), value), prepend=0.0)
            slippage = np.minimum(slippage, paid)
            commission, costs = paid - slippage, value
        self.trades.append((row, -self.held, commission, slippage))
        self.costs[row] += costs
        self.flows[row] -= value - costs
        self.cash, self.held = 0.0, np.zeros_like(self.held)
        self.ruin = "withdrawal"
        self._note()

    def _fill(self, row: int, targets: FloatArray) -> bool:
        """Fill targets; False where the costs leave nothing."""
        held = self.held * self.market.prices[row]
        orders = self.desk.rebalance(targets, held, self.cash, self.market.share_prices(row))
        if orders is None:
            return False
        self._take(row, orders)
        self.filled = targets
        return True

    def _trade_flow(self, row: int, held: FloatArray, weights: FloatArray, *, buy: bool) -> bool:
        """Put new money to work, or raise what goes out; False where costs leave nothing."""
        price = self.market.share_prices(row)
        orders = None
        if self.plan.cashflow and self.filled is not None:
            weights = self.filled
            orders = self.desk.place(weights, held, self.cash, price, buy=buy)
        if orders is None:
            orders = self.desk.rebalance(weights, held, self.cash, price)
        if orders is None:
            return False
        self._take(row, orders)
        return True

    def _take(self, row: int, orders: Orders) -> None:
        self.cash = orders.cash
        if not orders.ordered.any():
            return
        before = self.held
        after = np.where(orders.ordered, orders.held / self.market.prices[row], before)
        self.held = after
        self.trades.append((row, after - before, orders.commission, orders.slippage))
        self.costs[row] += float(orders.commission.sum() + orders.slippage.sum())

    def _note(self) -> None:
        self.path[self.row] = self.cash
        if self.rows[-1] == self.row:
            self.log[-1] = self.held
        else:
            self.rows.append(self.row)
            self.log.append(self.held)

    # -- the book --------------------------------------------------------------------------------

    def _written(self) -> Book:
        stop = self.row + 1
        rows = np.array(self.rows, dtype=np.intp)
        lengths = np.diff(np.append(rows, stop))
        units = np.repeat(np.array(self.log), lengths, axis=0)
        cash = self.path[:stop].copy()
        interest = self._interest(cash)
        prices = self.market.prices[:stop]
        cash[0] += self.costs[0]  # shown before its costs
        equity = cash + np.einsum("tn,tn->t", units, prices)
        equity[0] = self.capital  # without the rounding of its parts
        width = prices.shape[1]
        nothing = np.zeros((0, width))
        kept = [trade for trade in self.trades if trade[1].any()]
        return Book(
            equity=equity,
            cash=cash,
            units=units,
            fills=np.array([trade[0] for trade in kept], dtype=np.intp),
            traded=np.array([trade[1] for trade in kept]) if kept else nothing,
            commission=np.array([trade[2] for trade in kept]) if kept else nothing,
            slippage=np.array([trade[3] for trade in kept]) if kept else nothing,
            flows=self.flows[:stop],
            costs=self.costs[:stop],
            interest=interest,
            ruin=self.ruin,
        )

    def _interest(self, cash: FloatArray) -> FloatArray:
        """What cash earned, and debt cost, since the row before."""
        interest, before = np.zeros(cash.size), cash[:-1]
        steps = slice(0, before.size)
        rates = np.where(before >= 0, self.interest.cash[steps], self.interest.debt[steps])
        interest[1:] = before * (rates - 1.0)
        return interest
