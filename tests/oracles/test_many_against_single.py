"""A batch gives each portfolio the answer of a run of its own, whatever the rules and strategies.

`simulate` is independent of the batch's arithmetic: it goes from fill to fill with shares and
prices, and its metrics come from the curve. Here both engines of a batch are compared with it.
"""

import datetime as dt
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etf_backtest.market import PriceBasis, PricePanel
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation import Bands, CashFlow, Costs, Rebalancing, Rules, simulate
from etf_backtest.simulation.many import QUICK_METRICS, simulate_many
from etf_backtest.simulation.many.engine import EngineName
from etf_backtest.simulation.many.portfolios import portfolios_of
from etf_backtest.simulation.many.proportional import is_proportional, run_together
from etf_backtest.simulation.many.request import Request
from etf_backtest.simulation.many.table import Table
from etf_backtest.simulation.result import SimulationResult
from etf_backtest.strategies import (
    BuyAndHold,
    EqualWeight,
    FixedWeights,
    InverseVolatility,
    Momentum,
    MovingAverage,
    Strategy,
)
from etf_backtest.typing import FloatArray

SYMBOLS = ("A", "B", "C", "D", "E")
ENGINES: tuple[EngineName, ...] = ("numpy", "numba")
PERIODS = ("daily", "weekly", "monthly", "quarterly", "semiannual", "annual")


def walk(seed: int, sessions: int) -> PricePanel:
    """Random walks on business days; D hardly moves, E not at all."""
    generator = np.random.default_rng(seed)
    moves = np.array([0.01, 0.02, 0.03, 1e-9, 0.0])
    steps = generator.standard_t(4, (sessions, 5)) * moves
    days = np.busday_offset("2019-01-01", np.arange(sessions), roll="forward")
    prices = generator.uniform(5, 300, 5) * np.exp(np.cumsum(steps, axis=0))
    return PricePanel(days.astype("datetime64[D]"), SYMBOLS, prices, (PriceBasis.TOTAL_RETURN,) * 5)


parts = st.lists(st.integers(0, 4), min_size=5, max_size=5)


def as_weights(counts: list[int], whole: bool) -> dict[str, float]:
    """Fractions in proportion to the counts; of all of the value, or with some cash."""
    total = max(sum(counts) + (0 if whole else 3), 1)
    return {symbol: count / total for symbol, count in zip(SYMBOLS, counts, strict=True)}


allocations = st.builds(as_weights, parts, st.booleans())
periods = st.sampled_from(("never", *PERIODS))
strategies: st.SearchStrategy[Strategy] = st.one_of(
    st.builds(BuyAndHold, allocations),
    st.builds(FixedWeights, allocations, rebalance=periods),
    st.builds(EqualWeight, st.sampled_from([SYMBOLS, SYMBOLS[:2]])),
    st.builds(
        Momentum,
        st.sampled_from([SYMBOLS, SYMBOLS[1:4]]),
        look_back=st.integers(1, 60),
        skip=st.integers(0, 5),
        top_n=st.integers(1, 3),
        rebalance=periods,
    ),
    st.builds(MovingAverage, st.just(SYMBOLS), window=st.integers(2, 50)),
    st.builds(InverseVolatility, st.just(SYMBOLS[:4]), look_back=st.integers(3, 60)),
)
rates = st.one_of(
    st.just(0.0),
    st.floats(-0.02, 0.1),
    st.just(DatedRates.of({"2018-01-01": 0.01, "2019-03-01": 0.05})),
)
rebalancing = st.one_of(
    st.none(),
    st.builds(Rebalancing, period=st.just("never"), cashflow=st.booleans()),
    st.builds(Rebalancing, period=st.sampled_from(PERIODS[1:]), offset=st.integers(0, 4)),
)
scaling = st.builds(
    Rules,
    initial_capital=st.floats(1, 1e9),
    rebalance=rebalancing,
    lag=st.sampled_from((None, 0, 1, 3)),
    cash_rate=rates,
    costs=st.builds(
        Costs, commission_bps=st.sampled_from((0, 5, 300)), slippage_bps=st.sampled_from((0, 2))
    ),
    expense_ratios=st.sampled_from(({}, {"A": 0.01, "B": 0.002})),
    max_leverage=st.sampled_from((1.0, 2.0)),
    borrow_rate=st.just(0.05),
)


def batch(engine: EngineName, panel: PricePanel, given_: Any, rules: Rules, **more: Any) -> Table:
    """As `simulate_many`, on the engine that is asked for."""
    request = Request(
        panel=panel,
        rules=rules,
        benchmark=None,
        risk_free=more.get("risk_free", 0.0),
        start=more.get("start"),
        end=more.get("end"),
        names=QUICK_METRICS,
        curves=bool(more.get("curves")),
    )
    portfolios = portfolios_of(given_, panel, rules.max_leverage)
    table = Table(len(portfolios), QUICK_METRICS)
    assert is_proportional(rules)
    assert run_together(request, portfolios, table, engine)
    return table


def compare(values: dict[str, FloatArray], number: int, single: SimulationResult) -> None:
    """Each metric to 1e-12, as far as float64 has it.

    Returns and drawdowns are differences of numbers near 1, known to some 1e-16. A ratio to the
    scatter of the one or to the depth of the other is known to that over the scatter or depth.
    """
    metrics = single.metrics
    scatter = (metrics.volatility or 0.0) / math.sqrt(252)
    depth = abs(metrics.max_drawdown or 0.0)
    money = {"final_value": single.book.equity[-1], "costs": single.book.costs.sum()}
    known = {"sharpe_ratio": 1e-14 / max(scatter, 1e-14), "calmar_ratio": 2e-14 / max(depth, 1e-14)}
    for name in QUICK_METRICS:
        expected = money[name] if name in money else getattr(metrics, name)
        found = values[name][number]
        if expected is None:
            assert math.isnan(found), name
            continue
        absolute = max(2e-13, known.get(name, 0.0) * (1.0 + abs(expected)))
        assert found == pytest.approx(expected, rel=1e-12, abs=absolute), name


@pytest.mark.parametrize("engine", ENGINES)
@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    sessions=st.integers(30, 500),
    start=st.integers(0, 20),
    chosen=st.lists(strategies, min_size=1, max_size=6),
    rules=scaling,
    risk_free=st.sampled_from((0.0, 0.03)),
)
def test_strategies(
    engine: EngineName,
    seed: int,
    sessions: int,
    start: int,
    chosen: list[Strategy],
    rules: Rules,
    risk_free: float,
) -> None:
    panel = walk(seed, sessions)
    if rules.expense_ratios:  # refused where the symbol is not traded
        chosen = [FixedWeights(as_weights([1, 2, 3, 0, 1], True)), *chosen]
        chosen = [one for one in chosen if {"A", "B"} <= set(one.symbols)]
    # refused, in a batch too: it could never decide
    chosen = [one for one in chosen if one.needed_sessions <= sessions]
    assume(chosen)
    first: dt.date = panel.dates[start].item()
    table = batch(engine, panel, chosen, rules, risk_free=risk_free, start=first)
    for number, strategy in enumerate(chosen):
        single = simulate(panel, strategy, rules, risk_free=risk_free, start=first)
        compare(table.values, number, single)


@pytest.mark.parametrize("engine", ENGINES)
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    sessions=st.integers(2, 400),
    counts=st.lists(st.tuples(parts, st.booleans()), min_size=1, max_size=40),
    rules=scaling,
)
def test_rows_of_weights(
    engine: EngineName,
    seed: int,
    sessions: int,
    counts: list[tuple[list[int], bool]],
    rules: Rules,
) -> None:
    """And their curves, to 1e-12 on every day."""
    panel = walk(seed, sessions)
    given_ = np.array([list(as_weights(*each).values()) for each in counts])
    table = batch(engine, panel, given_, rules, curves=True)
    (curves,) = table.curves
    for number in range(0, len(given_), 7):
        strategy = FixedWeights(dict(zip(SYMBOLS, given_[number].tolist(), strict=True)))
        single = simulate(panel, strategy, rules)
        compare(table.values, number, single)
        np.testing.assert_allclose(curves.values[:, number], single.book.equity, rtol=1e-12)


ONE_BY_ONE = (
    Rules(costs=Costs(commission_fixed=1, commission_min=2), rebalance="weekly"),
    Rules(
        costs=Costs(commission_per_share=0.01), cash_flows=(CashFlow(amount=-50, every="weekly"),)
    ),
    Rules(rebalance=("quarterly", Bands(absolute=0.05))),
    Rules(lot_size=1, cash_rate=0.02),
    Rules(cash_flows=(CashFlow(percent=-0.01, every="monthly"),), rebalance="cashflow"),
)


@pytest.mark.parametrize("rules", ONE_BY_ONE, ids=range(len(ONE_BY_ONE)))
def test_rules_that_do_not_scale(rules: Rules) -> None:
    """To the last bit: it is the same code."""
    panel = walk(11, 300)
    chosen = [FixedWeights(as_weights([1, 2, 3, 0, 1], True)), Momentum(SYMBOLS, look_back=20)]
    result = simulate_many(panel, chosen, rules, benchmark="A", metrics="all")
    assert result.engine == "single"
    for number, strategy in enumerate(chosen):
        single = simulate(panel, strategy, rules, benchmark="A")
        assert result.values["final_value"][number] == single.book.equity[-1]
        assert result.values["volatility"][number] == single.metrics.volatility
        assert result.values["money_weighted_return"][number] == pytest.approx(
            single.metrics.money_weighted_return or math.nan, nan_ok=True
        )


def test_who_borrows_is_run_alone() -> None:
    """And the others together; warnings and curves are the same."""
    panel = walk(11, 300)
    rules = Rules(max_leverage=2, borrow_rate=0.04, rebalance="monthly", cash_rate=0.01)
    chosen = [
        FixedWeights({"A": 0.75, "B": 0.75}),
        FixedWeights({"A": 0.5, "B": 0.5}),
        Momentum(SYMBOLS, look_back=20),
        BuyAndHold({"A": 1.5}),
        BuyAndHold({"A": 0.5}),
    ]
    result = simulate_many(panel, chosen, rules, benchmark="C", metrics="all", curves=True)
    assert result.engine == "numpy"
    equity = result.equity.to_numpy()
    for number, strategy in enumerate(chosen):
        single = simulate(panel, strategy, rules, benchmark="C")
        np.testing.assert_allclose(equity[:, number], single.book.equity, rtol=1e-13)
        assert result.values["beta"][number] == pytest.approx(single.metrics.beta, rel=1e-11)
    (told,) = (warning for warning in result.warnings if "does not rebalance" in warning)
    assert told.endswith("(2 of 5 portfolios, the first is number 3)")


def test_thirty_years_on_many_cores() -> None:
    """The size at which threads share the work: 200 portfolios, 7,560 sessions, both engines."""
    panel = walk(5, 7560)
    given_ = np.random.default_rng(6).dirichlet(np.ones(5), 200)
    rules = Rules(costs=Costs(commission_bps=5, slippage_bps=2), cash_rate=0.02, rebalance="weekly")
    result = simulate_many(panel, given_, rules, risk_free=0.02)
    assert result.engine == "numba"
    other = batch("numpy", panel, given_, rules, risk_free=0.02)
    for name, column in result.values.items():
        np.testing.assert_allclose(column, other.values[name], rtol=1e-11, err_msg=name)
    for number in (0, 99, 199):
        single = simulate(panel, result.strategies[number], rules, risk_free=0.02)
        compare(dict(result.values), number, single)
