"""Bad input gets one clear error that names the value."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import (
    AllocationError,
    EtfBacktestError,
    InvalidParametersError,
    MissingPricesError,
    PriceDataError,
    SimulationError,
    UnknownSymbolError,
    WindowError,
)
from etf_backtest.market import PricePanel
from etf_backtest.simulation import Costs, Rules
from etf_backtest.simulation.many import simulate_many
from etf_backtest.strategies import BuyAndHold, FixedWeights, Momentum, MovingAverage, Strategy

DAYS = pd.bdate_range("2024-03-01", periods=6)
PANEL = PricePanel.from_frame(
    pd.DataFrame(
        {"A": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "GAP": [1.0, 2.0, np.nan, 4.0, 5.0, 6.0]}, index=DAYS
    )
)
ALONE = PANEL.select(["A"])
PAIR = PricePanel.from_frame(pd.DataFrame({"A": [1.0, 2.0], "B": [1.0, 2.0]}, index=DAYS[:2]))
A = BuyAndHold({"A": 1.0})


class Greedy(Strategy):
    """Wants more than there is."""

    name = "greedy"
    looks_at_prices = False
    symbols: tuple[str, ...] = ("A",)

    def target_weights(self, history: PricePanel) -> Any:
        return np.array([1.5])


class Idle(Greedy):
    """Trades nothing."""

    symbols = ()


@pytest.mark.parametrize(
    ("panel", "strategies", "options", "error", "message"),
    [
        (ALONE, [], {}, InvalidParametersError, "expected a sequence of strategies or .* none"),
        (ALONE, A, {}, InvalidParametersError, "received BuyAndHold"),
        (ALONE, "momentum", {}, InvalidParametersError, "received str"),
        (ALONE, None, {}, InvalidParametersError, "received NoneType"),
        (ALONE, pd.DataFrame, {}, InvalidParametersError, "received type"),
        (ALONE, [A, 3], {}, InvalidParametersError, "number 1 is no Strategy but int"),
        (ALONE, [[1.0]], {}, InvalidParametersError, "number 0 is no Strategy but list"),
        (ALONE, [A, Idle()], {}, InvalidParametersError, r"symbols: expected .*received \(\)"),
        (PAIR, np.ones(2), {}, InvalidParametersError, r"shape \(P, 2\).*received \(2,\)"),
        (PAIR, np.ones((3, 1)), {}, InvalidParametersError, r"each of A, B, received \(3, 1\)"),
        (PAIR, np.ones((0, 2)), {}, InvalidParametersError, r"received \(0, 2\)"),
        (PAIR, np.array([["x", "y"]]), {}, InvalidParametersError, "not all numbers"),
        (PAIR, np.array([["0.5", "0.5"]]), {}, InvalidParametersError, "not all numbers"),
        (PAIR, np.array([["0.5", 0.5]], object), {}, InvalidParametersError, "not all numbers"),
        (PAIR, np.array([[0.5 + 0j, 0.5]]), {}, InvalidParametersError, "not all numbers"),
        (PAIR, np.array([[True, False]]), {}, InvalidParametersError, "not all numbers"),
        (PAIR, pd.DataFrame({"A": ["0.5"]}), {}, InvalidParametersError, "not all numbers"),
        (
            PAIR,
            pd.DataFrame([[0.5, 0.5]], columns=["A", "A"]),
            {},
            PriceDataError,
            "the symbol A stands twice",
        ),
        (PAIR, pd.DataFrame([[0.5, 0.5]]), {}, PriceDataError, "0 is not a symbol"),
        (
            PAIR,
            np.array([[0.5, 0.5], [0.6, 0.5]]),
            {},
            AllocationError,
            "the weights of portfolio 1 sum to 1.1, above 1",
        ),
        (
            PAIR,
            np.array([[0.5, 0.5], [1.1, -0.1]]),
            {},
            AllocationError,
            "the weight of B of portfolio 1 is -0.1",
        ),
        (PAIR, np.array([[0.5, np.nan]]), {}, AllocationError, "B of portfolio 0 is nan"),
        (PAIR, pd.DataFrame({"X": [1.0]}), {}, UnknownSymbolError, "no prices of 'X'"),
        (ALONE, [A, FixedWeights({"X": 1.0})], {}, UnknownSymbolError, "no prices of 'X'"),
        (ALONE, [A, Greedy()], {}, AllocationError, "that greedy decided on 2024-03-01 sum to 1.5"),
        (
            PANEL,
            [A, BuyAndHold({"A": 0.5, "GAP": 0.5})],
            {},
            MissingPricesError,
            "GAP lacks prices on 1",
        ),
        (PANEL, np.array([[1.0, 0.0]]), {}, MissingPricesError, "GAP lacks prices on 1"),
        (ALONE, [A], {"start": "2024-03-08"}, WindowError, "has 1 session"),
        (ALONE, [A], {"benchmark": "SPY"}, UnknownSymbolError, "no prices of 'SPY'"),
        (ALONE, [A], {"risk_free": 2.0}, InvalidParametersError, "risk_free"),
        (ALONE, [A], {"metrics": ["sharp"]}, InvalidParametersError, "there is no sharp.*sharpe_r"),
        (ALONE, [A], {"metrics": "cagr_"}, InvalidParametersError, "there is no cagr_"),
        (ALONE, [A], {"metrics": []}, InvalidParametersError, "none is asked"),
        (ALONE, [A], {"metrics": [["cagr"]]}, InvalidParametersError, r"there is no \['cagr'\]"),
        (
            ALONE,
            [A],
            {"metrics": np.array(["cagr", "costs"])},
            InvalidParametersError,
            "expected a list of names, received ndarray",
        ),
        (ALONE, [A], {"rules": {}}, InvalidParametersError, "rules: expected Rules, received dict"),
        (
            ALONE,
            [A],
            {"rules": "monthly"},
            InvalidParametersError,
            "rules: expected Rules, rec.*st",
        ),
        ("prices", [A], {}, InvalidParametersError, "panel: expected PricePanel, received str"),
    ],
)
def test_bad_input(
    panel: Any,
    strategies: Any,
    options: dict[str, Any],
    error: type[EtfBacktestError],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        simulate_many(panel, strategies, **options)


def test_absurd_prices_are_dated_as_in_a_single_run() -> None:
    prices = pd.DataFrame({"A": [1e-200, 1e200, 1e200], "B": [1.0, 1.0, 1.0]}, index=DAYS[:3])
    panel = PricePanel.from_frame(prices)
    with pytest.raises(SimulationError, match="on 2024-03-04 is inf"):
        simulate_many(panel, np.array([[0.0, 1.0], [1.0, 0.0]]), Rules(initial_capital=1e15))
    # who holds none of them has nothing to do with it
    alone = simulate_many(panel, np.array([[0.0, 1.0], [0.0, 0.5]]), curves=True)
    assert alone.values["final_value"].tolist() == [10_000, 10_000]
    assert alone.equity.to_numpy().tolist() == [[10_000, 10_000]] * 3


def test_twice_named_columns_are_refused_also_where_it_is_worth_numba() -> None:
    """There they were read as two symbols by one and as one by the other."""
    frame = pd.DataFrame([[0.4, 0.3, 0.3]] * 60_000, columns=["A", "B", "A"])
    with pytest.raises(PriceDataError, match="the symbol A stands twice"):
        simulate_many(PAIR, frame)


@pytest.mark.parametrize(
    ("metric", "n", "message"),
    [
        ("costs", "x", "n: expected a whole number, received 'x'"),
        ("costs", 1.5, "n: expected a whole number, received 1.5"),
        (["costs"], 1, r"there is no \['costs'\]"),
        (None, 1, "there is no None"),
    ],
)
def test_best_of_what(metric: Any, n: Any, message: str) -> None:
    with pytest.raises(InvalidParametersError, match=message):
        simulate_many(ALONE, [A]).best(metric, n)


def test_weights_with_leverage_need_it_in_the_rules() -> None:
    """1.5 of a price that doubles, half of it owed: 1.5 * 2 - 0.5."""
    rules = Rules(initial_capital=1, max_leverage=2, borrow_rate=0.0, rebalance="never")
    weights = np.array([[1.5, 0.0], [0.5, 0.5]])
    result = simulate_many(PAIR, weights, rules, curves=True)
    assert result.values["final_value"].tolist() == [2.5, 2.0]
    assert result.equity.to_numpy().tolist() == [[1, 1], [2.5, 2]]
    assert result.engine == "numpy"  # of the second; the first borrows and is run alone
    assert simulate_many(PAIR, weights[:1], rules).engine == "single"
    with pytest.raises(AllocationError, match=r"portfolio 0 sum to 1\.5, above .*1\.4"):
        simulate_many(PAIR, weights, Rules(max_leverage=1.4, borrow_rate=0.0))


def test_a_look_back_that_could_never_decide_is_refused_beside_others() -> None:
    """As in a run of its own, also beside one that looks at all there is."""
    never = Momentum(["A"], look_back=6, skip=0)
    for others in ([], [MovingAverage(["A"], window=2, average="exponential")]):
        with pytest.raises(WindowError, match="momentum looks back over 7 sessions"):
            simulate_many(ALONE, [*others, never])


def test_rules_that_do_not_scale_run_one_by_one() -> None:
    """A fixed commission of 1 out of 101 leaves 100."""
    rules = Rules(initial_capital=101, costs=Costs(commission_fixed=1))
    result = simulate_many(ALONE, [A], rules, curves=True)
    assert result.engine == "single"
    assert result.equity[0].tolist() == [101, 200, 300, 400, 500, 600]
    assert result.values["costs"].tolist() == [1]
