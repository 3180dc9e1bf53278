"""How much money can be invested, when its orders have to be paid from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from etf_backtest.simulation.ledger.adviser import Targets
from etf_backtest.simulation.ledger.inputs import Row
from etf_backtest.simulation.ledger.precision import ZERO
from etf_backtest.simulation.ledger.terms import Fees

_STEPS = 200
_CLOSE = Decimal("1e-31")
"""Of the amounts in the equation: as far as 34 digits go."""


def investable_value(
    targets: Targets, held: Mapping[int, Decimal], prices: Row, money: Decimal, fees: Fees
) -> Decimal | None:
    """The value V that is left when the orders to targets * V are paid.

    Parameters
    ----------
    targets : Targets
    held : mapping of int to Decimal
        Notionals of the symbols that have an order. The others stay as they are.
    prices : tuple of Decimal, N of them
    money : Decimal
        Cash that there would be after selling all of those symbols, without costs.

    Returns
    -------
    Decimal or None
        The root of ``cash weight * V + sum(w * V) + sum(costs(abs(w * V - held))) = money``; None
        where there is none, because the orders cost more than they move.
    """
    weights = targets.weights
    share = targets.cash + sum((weights[j] for j in held), ZERO)
    if not share:  # all is sold to buy nothing: there is nothing to solve
        return money if not any(weights[j] for j in held) else None

    def missing(value: Decimal) -> tuple[Decimal, Decimal]:
        need, slope = share * value - money, share
        for j, has in held.items():
            gap = weights[j] * value - has
            side = weights[j] if gap >= 0 else -weights[j]
            need += fees.total(abs(gap), prices[j])
            slope += side * fees.slope(abs(gap), prices[j])
        return need, slope

    return _root(missing, start=money / share, scale=money)


def part_to_buy(
    gaps: Mapping[int, Decimal], prices: Row, money: Decimal, fees: Fees
) -> Decimal | None:
    """The k for which orders of k * gap and their costs take just this money."""

    def missing(part: Decimal) -> tuple[Decimal, Decimal]:
        need, slope = -money, ZERO
        for j, gap in gaps.items():
            need += part * gap + fees.total(part * gap, prices[j])
            slope += gap * (1 + fees.slope(part * gap, prices[j]))
        return need, slope

    return _root(missing, start=money / sum(gaps.values()), scale=money)


def part_to_sell(
    gaps: Mapping[int, Decimal], prices: Row, money: Decimal, fees: Fees
) -> Decimal | None:
    """The k for which sales of k * gap bring just this money after their costs."""

    def missing(part: Decimal) -> tuple[Decimal, Decimal]:
        need, slope = -money, ZERO
        for j, gap in gaps.items():
            need += part * gap - fees.total(part * gap, prices[j])
            slope += gap * (1 - fees.slope(part * gap, prices[j]))
        return need, slope

    return _root(missing, start=money / sum(gaps.values()), scale=money)


def _root(
    equation: Callable[[Decimal], tuple[Decimal, Decimal]], *, start: Decimal, scale: Decimal
) -> Decimal | None:
    """Newton's method: exact on pieces of straight line, and these are all there is.

    Costs are convex in the notional, so that from a point beyond the root each step ends on the
    same side, nearer, until it is on the root's own piece. None if the line does not cross 0.
    """
    x, side = start, equation(start)[1]
    for _ in range(_STEPS):
        need, slope = equation(x)
        if abs(need) <= _CLOSE * abs(scale):
            return x
        if slope * side <= 0 or x < 0:
            return None
        x -= need / slope
    return None
