"""What must hold for any prices, weights and rules."""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest.market import PriceBasis, PricePanel
from etf_backtest.simulation import Rules, SimulationResult, simulate
from etf_backtest.strategies import STRATEGIES, BuyAndHold, Momentum, Rebalance, Strategy

unhurried = settings(deadline=None)
"""A test is not wrong because the machine was busy."""

REBALANCES: tuple[Rebalance, ...] = get_args(Rebalance)
SYMBOLS = ("A", "B", "C", "D")

seeds = st.integers(0, 2**32 - 1)
allocations = st.lists(st.integers(0, 100), min_size=4, max_size=4).map(
    lambda parts: {
        symbol: part / max(100, sum(parts)) for symbol, part in zip(SYMBOLS, parts, strict=True)
    }
)
rules = st.builds(
    Rules,
    initial_capital=st.floats(1, 1e9),
    rebalance=st.sampled_from((None, *REBALANCES)),
    lag=st.sampled_from((None, 0, 1, 3)),
    cash_rate=st.floats(-0.02, 0.1),
)


@st.composite
def registered(draw: st.DrawFn) -> Strategy:
    """Any registered strategy; one that is missing here fails the test below."""
    return draw(st.sampled_from(list(BUILDERS.values())))(draw)


BUILDERS: dict[str, Callable[[st.DrawFn], Strategy]] = {
    "buy_and_hold": lambda draw: BuyAndHold(draw(allocations)),
    "momentum": lambda draw: Momentum(
        SYMBOLS,
        look_back=draw(st.integers(1, 30)),
        skip=draw(st.integers(0, 5)),
        top_n=draw(st.integers(1, 4)),
        rebalance=draw(st.sampled_from(REBALANCES)),
    ),
}


def test_every_registered_strategy_is_drawn() -> None:
    assert set(BUILDERS) == set(STRATEGIES)


def walk(seed: int, sessions: int = 120) -> PricePanel:
    """A random walk of four symbols over business days."""
    generator = np.random.default_rng(seed)
    prices = 100 * np.exp(np.cumsum(generator.normal(0, 0.02, (sessions, 4)), axis=0))
    dates = pd.bdate_range("2021-01-04", periods=sessions).to_numpy().astype("datetime64[D]")
    return PricePanel(dates, SYMBOLS, prices, (PriceBasis.TOTAL_RETURN,) * 4)


def run(panel: PricePanel, strategy: Strategy, rules: Rules) -> SimulationResult:
    return simulate(panel, strategy, rules, benchmark="D", start=panel.dates[10])


@unhurried
@given(seeds, registered(), rules)
def test_equity_is_cash_and_shares_at_their_price(seed: int, strategy: Any, rules: Rules) -> None:
    result = run(walk(seed), strategy, rules)
    value = result.book.cash + (result.book.units * result.panel.prices).sum(axis=1)
    np.testing.assert_allclose(result.book.equity, value, rtol=1e-9)
    assert result.book.equity[0] == rules.initial_capital
    assert (result.book.cash >= 0).all()
    assert (result.book.units >= 0).all()


@unhurried
@given(seeds, registered(), rules)
def test_trading_alone_makes_no_money(seed: int, strategy: Any, rules: Rules) -> None:
    # yesterday's shares at today's prices, and yesterday's cash with its interest
    result = run(walk(seed), strategy, rules)
    days = np.diff(result.panel.dates).astype(float)
    interest = 1 + rules.cash_rate * days / 365
    carried = (result.book.units[:-1] * result.panel.prices[1:]).sum(axis=1)
    np.testing.assert_allclose(
        result.book.equity[1:], carried + result.book.cash[:-1] * interest, rtol=1e-11
    )


@unhurried
@given(seeds, registered(), rules, st.integers(12, 119))
def test_the_future_changes_nothing(seed: int, strategy: Any, rules: Rules, cut: int) -> None:
    # prices after the cut are left out, or are others: the same shares up to the day before the
    # cut (a window's last session never trades), and the same value up to the cut
    panel = walk(seed)
    full, short = run(panel, strategy, rules), run(panel.rows(0, cut), strategy, rules)
    sessions = short.window.sessions
    np.testing.assert_array_equal(full.book.units[: sessions - 1], short.book.units[:-1])
    np.testing.assert_allclose(full.book.equity[:sessions], short.book.equity, rtol=1e-13)

    other = panel.prices.copy()
    other[cut:] = other[cut - 1] * walk(seed + 1).prices[cut:] / 100
    changed = run(panel.with_prices(other), strategy, rules)
    np.testing.assert_array_equal(
        full.book.units[: sessions - 1], changed.book.units[: sessions - 1]
    )
    np.testing.assert_allclose(
        full.book.equity[:sessions], changed.book.equity[:sessions], rtol=1e-13
    )


@unhurried
@given(seeds, registered(), rules)
def test_history_that_a_strategy_does_not_look_at_changes_nothing(
    seed: int, strategy: Any, rules: Rules
) -> None:
    panel = walk(seed)
    needed = max(0, 60 - (strategy.history_sessions - 1))
    long = simulate(panel, strategy, rules, start=panel.dates[60])
    short = simulate(panel.rows(needed, None), strategy, rules, start=panel.dates[60])
    np.testing.assert_array_equal(long.book.equity, short.book.equity)


@unhurried
@given(seeds, registered(), rules, st.floats(0.01, 100))
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
@given(seeds, registered(), rules, st.floats(0.01, 100))
def test_the_level_of_a_price_means_nothing(
    seed: int, strategy: Any, rules: Rules, factor: float
) -> None:
    panel = walk(seed)
    scaled = panel.with_prices(panel.prices * np.array([factor, 1.0, 1.0, 1.0]))
    equity = run(panel, strategy, rules).book.equity
    np.testing.assert_allclose(run(scaled, strategy, rules).book.equity, equity, rtol=1e-10)


@unhurried
@given(seeds, rules, st.permutations(SYMBOLS), allocations, st.integers(1, 4))
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
@given(seeds, rules)
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
@given(seeds, rules)
def test_one_symbol_held_is_that_symbol(seed: int, rules: Rules) -> None:
    panel = walk(seed)
    at_once = rules.model_copy(update={"lag": 0})
    result = simulate(panel, BuyAndHold({"C": 1.0}), at_once, benchmark="C")
    level = panel.prices[:, 2] / panel.prices[0, 2] * rules.initial_capital
    np.testing.assert_allclose(result.book.equity, level, rtol=1e-12)
    assert result.metrics.beta == pytest.approx(1.0, rel=1e-9)
    assert result.metrics.alpha == pytest.approx(0.0, abs=1e-9)
    assert result.metrics.information_ratio is None
    # rebalancing what is on its weight is no trade, whatever the rounding
    assert len(result.trades) == 1


@settings(max_examples=25, deadline=None)
@given(seeds, registered(), rules)
def test_the_same_run_twice_is_the_same_to_the_last_bit(
    seed: int, strategy: Any, rules: Rules
) -> None:
    first, second = (run(walk(seed), strategy, rules) for _ in range(2))
    assert first.to_dict() == second.to_dict()
