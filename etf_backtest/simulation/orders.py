"""Orders that meet a target after their own costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etf_backtest.simulation.costs import BASIS_POINT, Costs
from etf_backtest.typing import BoolArray, FloatArray

SMALLEST = 1e-9
"""Fraction of the value; an order below it is rounding, not an order."""
_NOISE = 1e-14
_CONVERGED = 4e-16
_ITERATIONS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """What is held after orders, and what they cost, each of shape (N,), currency."""

    held: FloatArray
    ordered: BoolArray
    commission: FloatArray
    slippage: FloatArray
    cash: float


class Desk:
    """Takes orders: knows costs, lots and whether money may be borrowed.

    Parameters
    ----------
    costs : Costs
    lot_size : float or None
        Shares.
    borrows : bool
        Whether cash may be negative.
    """

    __slots__ = ("_bps", "_fixed", "_minimum", "_per_share", "_slippage", "borrows", "lot_size")

    def __init__(self, costs: Costs, *, lot_size: float | None, borrows: bool) -> None:
        self._bps = costs.commission_bps * BASIS_POINT
        self._fixed, self._minimum = costs.commission_fixed, costs.commission_min
        self._per_share = costs.commission_per_share
        self._slippage = costs.slippage_bps * BASIS_POINT
        self.lot_size, self.borrows = lot_size, borrows

    @property
    def free(self) -> bool:
        """Whether orders cost nothing."""
        return not (self._bps or self._fixed or self._minimum or self._per_share or self._slippage)

    def commission(self, notional: FloatArray, price: FloatArray) -> FloatArray:
        """Commission of orders of these notionals (0 or more) at these share prices."""
        rate = self._bps + self._per_share / price
        paid: FloatArray = np.maximum(self._minimum, self._fixed + rate * notional)
        return paid

    def cost(self, notional: FloatArray, price: FloatArray) -> FloatArray:
        """Commission and slippage."""
        return self.commission(notional, price) + self._slippage * notional

    def _marginal(self, notional: FloatArray, price: FloatArray) -> FloatArray:
        """What one more unit of money in an order costs."""
        rate = self._bps + self._per_share / price
        above = self._fixed + rate * notional > self._minimum
        return np.where(above, rate, 0.0) + self._slippage

    def selling_everything(self, held: FloatArray, price: FloatArray) -> float:
        """Costs of selling all that is held."""
        some = held > 0
        return float(self.cost(held[some], price[some]).sum())

    def rebalance(
        self, targets: FloatArray, held: FloatArray, cash: float, price: FloatArray
    ) -> Orders | None:
        """Take holdings to `targets`, fractions of what is left after the costs of doing so.

        Parameters
        ----------
        targets, held, price : ndarray of shape (N,)
            Weights; notionals before; prices of a share.
        cash : float
            After the day's flow.

        Returns
        -------
        Orders, or None where the costs leave nothing to invest.
        """
        money = cash + float(held.sum())
        ordered = np.abs(targets * money - held) > SMALLEST * money
        if not ordered.any():
            if cash >= 0 or self.borrows:
                nothing = np.zeros_like(held)
                return Orders(held, ordered, nothing, nothing, cash)
            ordered = held > 0
        rest = 1.0 - float(targets.sum())
        rest = 0.0 if abs(rest) < _NOISE else rest
        buys = bool(targets[ordered].any())
        unsolved = rest < 0 and self.free  # without costs the weights apply to all that is owned
        if rest < 0 and buys and not unsolved:
            # with debt a symbol on its weight shares the costs, too: the others might not be enough
            ordered = (held > 0) | (targets > 0)
        slope = float(targets[ordered].sum()) + rest
        invested: float | None = money
        if not unsolved:
            invested = self._investable(targets, held, money, price, ordered, slope)
        if invested is None:
            return None
        after = np.where(ordered, targets * invested, held)
        if self.lot_size is not None:
            return self._payable(self._in_lots(after, held, ordered, money, price))
        commission, slippage = self._paid(np.abs(after - held), price, ordered)
        left = rest * invested
        if unsolved or not buys:  # what is on its weight stays, what sales bring stays in cash
            left = money - float(after.sum()) - float(commission.sum() + slippage.sum())
        left = self._not_below_zero(left, money)
        return self._payable(Orders(after, ordered, commission, slippage, left))

    def _investable(
        self,
        targets: FloatArray,
        held: FloatArray,
        money: float,
        price: FloatArray,
        ordered: BoolArray,
        slope: float,
    ) -> float | None:
        """Solve what is held + cash + costs = money for the value that the weights apply to.

        The left side is convex, increasing and piecewise linear: Newton's method from above is
        exact after as many steps as orders change from buying to selling.
        """
        weights, held_there, price = targets[ordered], held[ordered], price[ordered]
        budget = money - float(held[~ordered].sum())
        if not weights.any():
            return money
        value = budget / slope
        if self.free:
            return value
        for _ in range(_ITERATIONS):
            moves = weights * value - held_there
            sizes = np.abs(moves)
            excess = slope * value + float(self.cost(sizes, price).sum()) - budget
            steepness = slope + float(
                (weights * np.sign(moves) * self._marginal(sizes, price)).sum()
            )
            if steepness <= 0:
                return None
            step = excess / steepness
            value -= step
            if value <= 0:
                return None
            if abs(step) <= _CONVERGED * money:
                break
        return value

    def place(
        self, targets: FloatArray, held: FloatArray, cash: float, price: FloatArray, *, buy: bool
    ) -> Orders | None:
        """Spend cash above its target on what is underweight, or raise it from what is overweight.

        Parameters
        ----------
        cash : float
            After the flow.
        buy : bool
            Whether money came in; else it goes out.

        Returns
        -------
        Orders, or None where this way does not lead to cash of 0 or more.
        """
        money = cash + float(held.sum())
        direction = 1.0 if buy else -1.0
        need = direction * (cash - (1.0 - float(targets.sum())) * money)
        gaps = direction * (targets * money - held)
        ordered = (gaps > SMALLEST * money) & (need > SMALLEST * money)
        nothing = np.zeros_like(held)
        left_alone = Orders(held, ordered & False, nothing, nothing, cash)
        if not ordered.any():
            return left_alone if cash >= 0 or self.borrows else None
        shares = np.where(ordered, gaps, 0.0) / float(gaps[ordered].sum())
        size = need
        for _ in range(_ITERATIONS):
            each = size * shares[ordered]
            costs = float(self.cost(each, price[ordered]).sum())
            marginal = float((shares[ordered] * self._marginal(each, price[ordered])).sum())
            step = (size + direction * costs - need) / (1.0 + direction * marginal)
            size -= step
            if size <= 0 or not np.isfinite(size):
                return left_alone if buy else None
            if abs(step) <= _CONVERGED * money:
                break
        after = held + direction * size * shares
        if not buy and (after < 0).any():
            return None
        if self.lot_size is not None:
            return self._payable(self._in_lots(after, held, ordered, money, price))
        commission, slippage = self._paid(np.abs(after - held), price, ordered)
        spent = float((after - held).sum()) + float(commission.sum() + slippage.sum())
        left = self._not_below_zero(cash - spent, money)
        return self._payable(Orders(after, ordered, commission, slippage, left))

    def _payable(self, orders: Orders) -> Orders | None:
        """The orders, unless cash does not pay for them: a sale may cost more than it brings."""
        return orders if orders.cash >= 0 or self.borrows else None

    def _in_lots(
        self,
        after: FloatArray,
        held: FloatArray,
        ordered: BoolArray,
        money: float,
        price: FloatArray,
    ) -> Orders:
        """Round what is held after the orders down to whole lots."""
        assert self.lot_size is not None  # noqa: S101  # asked before
        lot = price * self.lot_size
        whole = np.floor(after / lot + SMALLEST) * lot
        ordered = ordered & (np.abs(whole - held) > 1e-6 * lot)
        after = np.where(ordered, whole, held)
        commission, slippage = self._paid(np.abs(after - held), price, ordered)
        cash = money - float(after.sum()) - float(commission.sum() + slippage.sum())
        return Orders(after, ordered, commission, slippage, self._not_below_zero(cash, money))

    def _paid(
        self, sizes: FloatArray, price: FloatArray, ordered: BoolArray
    ) -> tuple[FloatArray, FloatArray]:
        commission = np.where(ordered, self.commission(sizes, price), 0.0)
        return commission, np.where(ordered, self._slippage * sizes, 0.0)

    def _not_below_zero(self, cash: float, money: float) -> float:
        """Cash, without the rounding that would leave it a hair below zero."""
        if cash < 0 and not self.borrows and cash > -SMALLEST * money:
            return 0.0
        return cash
