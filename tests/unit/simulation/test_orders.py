"""Orders that meet their targets after their own costs, for any costs."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etf_backtest.simulation import Costs
from etf_backtest.simulation.orders import SMALLEST, Desk, Orders
from etf_backtest.typing import FloatArray

many = settings(deadline=None, max_examples=300)
"""A test is not wrong because the machine was busy."""

some_costs = st.builds(
    Costs,
    commission_bps=st.floats(0, 200),
    commission_fixed=st.sampled_from((0.0, 1.0, 25.0)),
    commission_min=st.sampled_from((0.0, 5.0, 40.0)),
    commission_per_share=st.sampled_from((0.0, 0.005, 0.5)),
    slippage_bps=st.floats(0, 100),
)


class Desks:
    """A portfolio in front of a desk: 2 to 6 symbols, worth 10,000 and a flow."""

    def __init__(self, seed: int, costs: Costs, leverage: float = 1.0) -> None:
        generator = np.random.default_rng(seed)
        width = int(generator.integers(2, 7))
        self.costs, self.borrows = costs, leverage > 1
        self.price: FloatArray = generator.uniform(1, 500, width)
        self.targets = self._weights(generator, width) * leverage
        # 1.0 of a weight is what is invested, the rest is in cash
        self.held: FloatArray = 10_000 * self._weights(generator, width)
        self.cash = 10_000 - float(self.held.sum())
        self.desk = Desk(costs, lot_size=None, borrows=self.borrows)

    @staticmethod
    def _weights(generator: np.random.Generator, width: int) -> FloatArray:
        parts = generator.dirichlet(np.ones(width)) * generator.choice([0.0, 0.5, 1.0])
        return np.where(generator.random(width) < 0.2, 0.0, parts)

    @property
    def money(self) -> float:
        return self.cash + float(self.held.sum())

    def rebalanced(self) -> Orders | None:
        return self.desk.rebalance(self.targets, self.held, self.cash, self.price)

    def cost(self, sizes: FloatArray) -> FloatArray:
        """By the definition in `Costs`, once more."""
        c = self.costs
        commission = np.maximum(
            c.commission_min,
            c.commission_fixed
            + c.commission_bps / 1e4 * sizes
            + c.commission_per_share * (sizes / self.price),
        )
        total: FloatArray = commission + c.slippage_bps / 1e4 * sizes
        return total


desks = st.builds(
    Desks, st.integers(0, 2**32 - 1), some_costs, st.sampled_from((1.0, 1.0, 1.3, 2.0))
)


@many
@given(desks)
def test_no_cent_appears_or_vanishes(desk: Desks) -> None:
    orders = desk.rebalanced()
    assume(orders is not None)
    assert orders is not None
    sizes = np.abs(orders.held - desk.held)
    paid = orders.commission + orders.slippage
    np.testing.assert_allclose(paid, np.where(orders.ordered, desk.cost(sizes), 0.0), rtol=1e-12)
    left = orders.cash + float(orders.held.sum()) + float(paid.sum())
    assert left == pytest.approx(desk.money, rel=1e-12)
    assert (orders.held >= 0).all()
    if not desk.borrows:
        assert orders.cash >= 0


@many
@given(desks)
def test_targets_are_met_after_costs(desk: Desks) -> None:
    orders = desk.rebalanced()
    assume(orders is not None)
    assert orders is not None
    rest = 1 - float(desk.targets.sum())
    assume(orders.ordered.any())
    assume(desk.targets[orders.ordered].any() or abs(rest) > 1e-6)
    # one value for all of them, and for the cash
    if desk.targets[orders.ordered].any():
        biggest = int(np.argmax(np.where(orders.ordered, desk.targets, -1)))
        value = orders.held[biggest] / desk.targets[biggest]
    else:
        value = orders.cash / rest
    scale = 1e-11 * desk.money
    met = np.where(orders.ordered, desk.targets * value, desk.held)
    np.testing.assert_allclose(orders.held, met, rtol=1e-11, atol=scale)
    assert orders.cash == pytest.approx(rest * value, rel=1e-9, abs=10 * scale)


@many
@given(desks)
def test_the_value_is_the_one_that_bisection_finds(desk: Desks) -> None:
    """What is bought, kept in cash and paid grows with the value: there is one root at most."""
    orders = desk.rebalanced()
    ordered = np.abs(desk.targets * desk.money - desk.held) > SMALLEST * desk.money
    rest = 1 - float(desk.targets.sum())
    slope = float(desk.targets[ordered].sum()) + rest
    assume(slope > 1e-6)
    budget = desk.money - float(desk.held[~ordered].sum())

    def over(value: float) -> float:
        sizes = np.abs(desk.targets * value - desk.held)[ordered]
        costs = desk.cost(np.abs(desk.targets * value - desk.held))[ordered]
        assert sizes.size == costs.size
        return slope * value + float(costs.sum()) - budget

    low, high = 0.0, budget / slope
    assert over(high) >= -1e-9 * desk.money  # costs are not negative
    if over(low) >= 0:
        assert orders is None
        return
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if over(middle) < 0 else (low, middle)
    assert orders is not None
    met = np.where(ordered, desk.targets * high, desk.held)
    np.testing.assert_allclose(orders.held, met, rtol=1e-10, atol=1e-10 * desk.money)


@many
@given(desks, st.floats(1, 5_000))
def test_more_money_is_more_of_everything(desk: Desks, more: float) -> None:
    poor = desk.rebalanced()
    desk.cash += more
    rich = desk.rebalanced()
    if poor is None:
        return
    assert rich is not None
    both = poor.ordered & rich.ordered
    assert (rich.held[both] >= poor.held[both] - 1e-9 * desk.money).all()


@many
@given(desks, st.floats(0.01, 20))
def test_higher_costs_leave_less(desk: Desks, factor: float) -> None:
    cheap = desk.rebalanced()
    higher = {name: value * (1 + factor) for name, value in desk.costs.model_dump().items()}
    dear = Desk(Costs.model_construct(**higher), lot_size=None, borrows=desk.borrows)
    dearer = dear.rebalance(desk.targets, desk.held, desk.cash, desk.price)
    if dearer is None:
        return
    assert cheap is not None
    left = [orders.cash + float(orders.held.sum()) for orders in (cheap, dearer)]
    assert left[1] <= left[0] + 1e-9 * desk.money


@many
@given(desks, st.floats(-0.5, 1.0), st.booleans())
def test_placing_new_money_only_buys_or_only_sells(desk: Desks, part: float, lots: bool) -> None:
    assume(part)
    flow = part * desk.money
    cash = desk.cash + flow
    assume(cash + desk.held.sum() > 0)
    lot = 1.0 if lots else None
    shop = Desk(desk.costs, lot_size=lot, borrows=desk.borrows)
    orders = shop.place(desk.targets, desk.held, cash, desk.price, buy=part > 0)
    if orders is None:  # then the day is rebalanced in full
        return
    moved = orders.held - desk.held
    odd = desk.price if lots else 0.0  # odd shares go with the first order, whatever it is
    assert ((moved > -odd) | (moved == 0) if part > 0 else moved <= 0).all()
    assert (orders.held >= 0).all()
    assert (moved[~orders.ordered] == 0).all()
    paid = float((orders.commission + orders.slippage).sum())
    money = cash + float(desk.held.sum())
    assert orders.cash + float(orders.held.sum()) + paid == pytest.approx(money, rel=1e-9)
    if not desk.borrows:
        assert orders.cash >= 0
    if lots:
        shares = (orders.held / desk.price)[orders.ordered]
        np.testing.assert_allclose(shares, np.round(shares), rtol=0, atol=1e-6)
    elif orders.ordered.any():
        # all of the need, and no more
        rest = 1 - float(desk.targets.sum())
        assert orders.cash == pytest.approx(rest * money, rel=1e-9, abs=1e-8 * money)


@many
@given(desks, st.sampled_from((0.5, 1.0, 10.0)))
def test_lots_round_what_is_held_down(desk: Desks, lot: float) -> None:
    assume(not desk.borrows)
    shop = Desk(desk.costs, lot_size=lot, borrows=False)
    orders = shop.rebalance(desk.targets, desk.held, desk.cash, desk.price)
    exact = desk.rebalanced()
    if orders is None or exact is None:
        assert orders is exact
        return
    lots = orders.held / desk.price / lot
    some = orders.ordered
    np.testing.assert_allclose(lots[some], np.round(lots[some]), rtol=0, atol=1e-6)
    assert (orders.held[some] <= exact.held[some] + 1e-6 * lot * desk.price[some]).all()
    assert orders.cash >= 0
    paid = float((orders.commission + orders.slippage).sum())
    assert orders.cash + float(orders.held.sum()) + paid == pytest.approx(desk.money, rel=1e-9)


def test_costs_that_leave_nothing() -> None:
    desk = Desk(Costs(commission_fixed=600), lot_size=None, borrows=False)
    half, price = np.array([0.5, 0.5]), np.array([1.0, 1.0])
    assert desk.rebalance(half, np.zeros(2), 1200.0, price) is None
    orders: Any = desk.rebalance(half, np.zeros(2), 1201.0, price)
    np.testing.assert_allclose(orders.held, [0.5, 0.5], rtol=1e-9)


def test_selling_all_of_it_keeps_what_it_brings() -> None:
    desk = Desk(Costs(commission_bps=100), lot_size=None, borrows=False)
    orders: Any = desk.rebalance(np.zeros(2), np.array([600.0, 400.0]), 50.0, np.array([1.0, 2.0]))
    assert orders.held.tolist() == [0.0, 0.0]
    assert orders.cash == pytest.approx(1040.0, rel=1e-14)
