"""What must hold for any prices, weights and rules."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etf_backtest.market import PricePanel
from etf_backtest.simulation import Costs, Rules, SimulationResult, simulate
from etf_backtest.strategies import STRATEGIES, BuyAndHold, Momentum, Strategy
from tests.unit.simulation.any_runs import (
    BUILDERS,
    SLOW,
    SYMBOLS,
    allocations,
    bare_rules,
    registered,
    seeds,
    slow,
    walk,
)

unhurried = settings(deadline=None)
"""A test is not wrong because the machine was busy."""


def test_every_registered_strategy_is_drawn() -> None:
    assert set(BUILDERS) | set(SLOW) == set(STRATEGIES)


def run(panel: PricePanel, strategy: Strategy, rules: Rules) -> SimulationResult:
    return simulate(panel, strategy, rules, benchmark="D", start=panel.dates[10])


@unhurried
@given(seeds, registered(), bare_rules)
def test_equity_is_cash_and_shares_at_their_price(seed: int, strategy: Any, rules: Rules) -> None:
    result = run(walk(seed), strategy, rules)
    value = result.book.cash + (result.book.units * result.panel.prices).sum(axis=1)
    np.testing.assert_allclose(result.book.equity, value, rtol=1e-9)
    assert result.book.equity[0] == pytest.approx(rules.initial_capital, rel=1e-14)
    assert (result.book.cash >= 0).all()
    assert (result.book.units >= 0).all()


@unhurried
@given(seeds, registered(), bare_rules)
def test_trading_alone_makes_no_money(seed: int, strategy: Any, rules: Rules) -> None:
    # yesterday's shares at today's prices, and yesterday's cash with its interest, less costs
    result = run(walk(seed), strategy, rules)
    days = np.diff(result.panel.dates).astype(float)
    interest = 1 + rules.cash_rate * days / 365
    carried = (result.book.units[:-1] * result.panel.prices[1:]).sum(axis=1)
    cash, costs = result.book.cash[:-1].copy(), result.book.costs
    cash[0] -= costs[0]  # which is before them
    np.testing.assert_allclose(
        result.book.equity[1:], carried + cash * interest - costs[1:], rtol=1e-11
    )


@unhurried
@given(seeds, registered(), bare_rules, st.integers(12, 119))
def test_the_future_changes_nothing(seed: int, strategy: Any, rules: Rules, cut: int) -> None:
    # prices after the cut are left out, or are others: the same shares and value up to the day
    # before the cut (a window's last session never trades, and so has no costs)
    check_the_future(seed, strategy, rules, cut)


@settings(max_examples=4, deadline=None)
@given(seeds, slow(), bare_rules, st.integers(60, 119))
def test_the_future_changes_nothing_for_optimisers(
    seed: int, strategy: Any, rules: Rules, cut: int
) -> None:
    monthly = rules.model_copy(update={"rebalance": None})  # each decision takes long
    check_the_future(seed, strategy, monthly, cut)


def check_the_future(seed: int, strategy: Strategy, rules: Rules, cut: int) -> None:
    panel = walk(seed)
    assume(strategy.needed_sessions <= cut)  # it could never decide
    full, short = run(panel, strategy, rules), run(panel.rows(0, cut), strategy, rules)
    known = short.window.sessions - 1
    np.testing.assert_allclose(full.book.units[:known], short.book.units[:-1], rtol=1e-13)
    np.testing.assert_allclose(full.book.equity[:known], short.book.equity[:-1], rtol=1e-13)

    other = panel.prices.copy()
    other[cut:] = other[cut - 1] * walk(seed + 1).prices[cut:] / 100
    changed = run(panel.with_prices(other), strategy, rules)
    np.testing.assert_allclose(full.book.units[:known], changed.book.units[:known], rtol=1e-13)
    np.testing.assert_allclose(full.book.equity[:known], changed.book.equity[:known], rtol=1e-13)


@unhurried
@given(seeds, registered(), bare_rules)
def test_history_that_a_strategy_does_not_look_at_changes_nothing(
    seed: int, strategy: Any, rules: Rules
) -> None:
    panel = walk(seed)
    if strategy.history_sessions is None:  # it looks at all there is
        return
    needed = max(0, 60 - (strategy.history_sessions - 1))
    long = simulate(panel, strategy, rules, start=panel.dates[60])
    short = simulate(panel.rows(needed, None), strategy, rules, start=panel.dates[60])
    np.testing.assert_array_equal(long.book.equity, short.book.equity)


@unhurried
@given(seeds, registered(), bare_rules, st.floats(0.01, 100))
def test_twice_the_capital_is_twice_the_value(
    seed: int, strategy: Any, rules: Rules, factor: float
) -> None:
    once = run(walk(seed), strategy, rules)
    capital = rules.initial_capital * factor
    scaled = run(walk(seed), strategy, rules.model_copy(update={"initial_capital": capital}))
    np.testing.assert_allclose(scaled.book.equity, once.book.equity * factor, rtol=1e-10)
    np.testing.assert_allclose(
        scaled.book.units, once.book.units * factor, rtol=1e-9, atol=1e-9 * capital
    )


@unhurried
@given(seeds, registered(), bare_rules, st.floats(0.01, 100))
def test_the_level_of_a_price_means_nothing(
    seed: int, strategy: Any, rules: Rules, factor: float
) -> None:
    panel = walk(seed)
    scaled = panel.with_prices(panel.prices * np.array([factor, 1.0, 1.0, 1.0]))
    equity = run(panel, strategy, rules).book.equity
    np.testing.assert_allclose(run(scaled, strategy, rules).book.equity, equity, rtol=1e-10)


@unhurried
@given(seeds, bare_rules, st.permutations(SYMBOLS), allocations, st.integers(1, 4))
def test_the_order_of_symbols_means_nothing(
    seed: int, rules: Rules, order: list[str], weights: dict[str, float], top_n: int
) -> None:
    panel = walk(seed)
    pairs: list[tuple[Strategy, Strategy]] = [
        (BuyAndHold(weights), BuyAndHold({symbol: weights[symbol] for symbol in order})),
        (
            Momentum(SYMBOLS, look_back=9, skip=1, top_n=top_n),
            Momentum(order, look_back=9, skip=1, top_n=top_n),
        ),
    ]
    for straight, permuted in pairs:
        expected = run(panel, straight, rules).equity
        pd.testing.assert_series_equal(
            run(panel.select(order), permuted, rules).equity, expected, rtol=1e-12
        )


@unhurried
@given(seeds, bare_rules)
def test_all_cash_earns_the_cash_rate(seed: int, rules: Rules) -> None:
    panel = walk(seed)
    result = simulate(panel, BuyAndHold(dict.fromkeys(SYMBOLS, 0.0)), rules)
    days = np.diff(panel.dates).astype(float)
    expected = rules.initial_capital * np.concatenate(
        ([1.0], np.cumprod(1 + rules.cash_rate * days / 365))
    )
    np.testing.assert_allclose(result.book.equity, expected, rtol=1e-13)
    np.testing.assert_array_equal(result.book.cash, result.book.equity)
    assert len(result.trades) == 0


@unhurried
@given(seeds, bare_rules)
def test_one_symbol_held_is_that_symbol(seed: int, rules: Rules) -> None:
    panel = walk(seed)
    at_once = rules.model_copy(update={"lag": 0, "costs": Costs()})
    result = simulate(panel, BuyAndHold({"C": 1.0}), at_once, benchmark="C")
    level = panel.prices[:, 2] / panel.prices[0, 2] * rules.initial_capital
    np.testing.assert_allclose(result.book.equity, level, rtol=1e-12)
    assert result.metrics.beta == pytest.approx(1.0, rel=1e-9)
    assert result.metrics.alpha == pytest.approx(0.0, abs=1e-9)
    assert result.metrics.information_ratio is None
    # rebalancing what is on its weight is no trade, whatever the rounding
    assert len(result.trades) == 1


@settings(max_examples=25, deadline=None)
@given(seeds, registered(), bare_rules)
def test_the_same_run_twice_is_the_same_to_the_last_bit(
    seed: int, strategy: Any, rules: Rules
) -> None:
    first, second = (run(walk(seed), strategy, rules) for _ in range(2))
    assert first.to_dict() == second.to_dict()
