"""What comes out of a batch: frames, ranks, warnings, copies."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import InvalidParametersError
from etf_backtest.market import PriceBasis, PricePanel
from etf_backtest.simulation import CashFlow, Rules, simulate
from etf_backtest.simulation.many import MANY_METRICS, QUICK_METRICS, ManyResults, simulate_many
from etf_backtest.simulation.many.asking import pieces
from etf_backtest.simulation.many.portfolios import Portfolios
from etf_backtest.strategies import BuyAndHold, EqualWeight, FixedWeights, Momentum

DAYS = pd.bdate_range("2020-01-01", periods=600)
SYMBOLS = ("A", "B", "C")
WALK = np.exp(np.cumsum(np.random.default_rng(3).normal(3e-4, 0.01, (600, 3)), axis=0))
PANEL = PricePanel.from_frame(pd.DataFrame(WALK, index=DAYS, columns=list(SYMBOLS)))
WEIGHTS = np.random.default_rng(5).dirichlet(np.ones(3), 8)


@pytest.fixture(name="result", scope="module")
def fixture_result() -> ManyResults:
    return simulate_many(PANEL, WEIGHTS, curves=True)


def test_metrics_are_a_frame(result: ManyResults) -> None:
    frame = result.metrics
    assert tuple(frame.columns) == QUICK_METRICS
    assert frame.index.tolist() == list(range(8))
    assert frame.index.name == "portfolio"
    assert frame["cagr"].tolist() == result.values["cagr"].tolist()
    assert len(result) == 8
    assert repr(result).startswith("ManyResults(8 portfolios, final_value, total_return")


def test_best_is_highest_but_of_what_one_wants_little(result: ManyResults) -> None:
    ratios = result.values["sharpe_ratio"]
    assert result.best("sharpe_ratio", n=3).index.tolist() == np.argsort(-ratios)[:3].tolist()
    assert result.best("volatility", 1)["volatility"].item() == result.values["volatility"].min()
    assert result.best("max_drawdown", 1).index[0] == int(result.values["max_drawdown"].argmax())
    assert len(result.best("cagr", 99)) == 8
    with pytest.raises(InvalidParametersError, match=r"no alpha.*accepts final_value"):
        result.best("alpha")


def test_undefined_ones_are_never_best() -> None:
    """Cash has no Sharpe ratio; equal ones come in the order of their numbers."""
    weights = np.array([[0.0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]])
    result = simulate_many(PANEL, weights)
    best = result.best("sharpe_ratio", 4)
    assert set(best.index) == {1, 2, 3}
    assert best.index.tolist().index(1) + 1 == best.index.tolist().index(3)


def test_curves_are_kept_only_when_asked_for(result: ManyResults) -> None:
    assert result.equity.shape == (600, 8)
    assert result.equity.index.equals(pd.DatetimeIndex(DAYS, name="date"))
    np.testing.assert_allclose(result.equity.iloc[-1], result.values["final_value"], rtol=1e-14)
    with pytest.raises(InvalidParametersError, match="curves=True"):
        _ = simulate_many(PANEL, WEIGHTS).equity


def test_arrays_are_read_only_also_after_a_copy(result: ManyResults) -> None:
    for each in (result, pickle.loads(pickle.dumps(result))):
        for array in (
            each.values["cagr"],
            each.curves[0].values,
            each.curves[0].dates,
            each.strategies.weights,
        ):
            assert isinstance(array, np.ndarray)
            assert not array.flags.writeable
        frozen: Any = each.values
        with pytest.raises(TypeError):
            frozen["cagr"] = np.zeros(8)
        assert each.metrics.equals(result.metrics)
        assert each.equity.equals(result.equity)


def test_weights_given_are_left_alone() -> None:
    weights = WEIGHTS.copy()
    result = simulate_many(PANEL, weights)
    weights[0] = 7
    assert (
        result.strategies[0].to_dict()
        == FixedWeights(dict(zip(SYMBOLS, WEIGHTS[0].tolist(), strict=True))).to_dict()
    )


def test_a_frame_of_weights_names_its_symbols() -> None:
    frame = pd.DataFrame({"C": [0.25, 1.0], "A": [0.75, 0.0]})
    expected = simulate_many(PANEL, np.array([[0.75, 0, 0.25], [0, 0, 1]]))
    np.testing.assert_allclose(simulate_many(PANEL, frame).metrics, expected.metrics, rtol=1e-12)


def test_strategies_are_there_by_number() -> None:
    given = [BuyAndHold({"A": 1.0}), EqualWeight(SYMBOLS), Momentum(SYMBOLS, look_back=20)]
    result = simulate_many(PANEL, given)
    assert list(result.strategies) == given
    assert result.strategies[1:] == tuple(given[1:])
    assert simulate_many(PANEL, result.strategies).metrics.equals(result.metrics)


@pytest.mark.parametrize("curves", [False, True])
def test_all_metrics_are_those_of_single_runs(curves: bool) -> None:
    given = [FixedWeights({"A": 0.5, "B": 0.4}), Momentum(SYMBOLS, look_back=20, skip=2)]
    result = simulate_many(
        PANEL, given, benchmark="C", risk_free=0.01, metrics="all", curves=curves
    )
    assert tuple(result.values) == MANY_METRICS
    for number, strategy in enumerate(given):
        single = simulate(PANEL, strategy, benchmark="C", risk_free=0.01)
        for name, column in result.values.items():
            if name not in ("final_value", "costs"):
                expected = getattr(single.metrics, name)
                assert column[number] == pytest.approx(expected, rel=1e-11), name


def test_windows_of_their_own_have_curves_of_their_own() -> None:
    """`common` clips the window of what begins late, and only that."""
    prices = np.array([[1.0, np.nan], [2.0, np.nan], [3.0, 1.0], [4.0, 2.0]])
    panel = PricePanel(
        DAYS[:4].to_numpy().astype("datetime64[D]"),
        ("A", "B"),
        prices,
        (PriceBasis.TOTAL_RETURN,) * 2,
    )
    result = simulate_many(
        panel,
        [BuyAndHold({"A": 1.0}), BuyAndHold({"A": 0.0, "B": 1.0})],
        Rules(initial_capital=1, missing="common"),
        curves=True,
    )
    assert result.equity[0].tolist() == [1, 2, 3, 4]
    assert result.equity[1].isna().tolist() == [True, True, False, False]
    assert result.equity[1].tolist()[2:] == [1, 2]
    assert result.warnings[0] == (
        "only sessions that all symbols share are used: 2020-01-03 to 2020-01-06 instead of "
        "2020-01-01 to 2020-01-06 (portfolio 1)"
    )


def test_a_run_that_ends_early_is_told_and_has_a_shorter_curve() -> None:
    """Half of 1 is taken out on the second and third day, when prices have not moved much."""
    rules = Rules(initial_capital=1, cash_flows=(CashFlow(amount=-0.6, every="daily"),))
    result = simulate_many(PANEL, WEIGHTS[:2], rules, curves=True)
    assert result.equity.shape[0] == 3
    assert result.equity.iloc[-1].tolist() == [0, 0]
    assert "the money ran out" in result.warnings[0]


def test_warnings_say_whom_they_are_about() -> None:
    given = [
        Momentum(SYMBOLS, look_back=300, skip=0),
        BuyAndHold({"A": 1.0}),
        Momentum(SYMBOLS, look_back=400, skip=0),
    ]
    result = simulate_many(PANEL, given, Rules(lag=0))
    assert result.warnings == (
        "momentum looks at prices and was run with lag 0: it buys at the very close that it "
        "decides on, which nobody can do (2 of 3 portfolios, the first is number 0)",
        "the prices begin on 2020-01-01, too late for the first decisions of strategies that look "
        "at up to 401 sessions: their money stays in cash until then (2 of 3 portfolios, the first "
        "is number 0)",
    )


def test_a_window_too_short_for_the_lag_is_cash() -> None:
    result = simulate_many(PANEL, WEIGHTS, Rules(lag=5), end=DAYS[3].date())
    assert set(result.values["total_return"]) == {0.0}
    assert "too short to fill a target 5 sessions" in result.warnings[0]


def test_targets_are_asked_for_in_pieces_that_fit_into_memory() -> None:
    """2,400,000 weights a strategy, of which 4,000,000 (32 MB) are held at a time: one each."""
    days = np.busday_offset("2000-01-03", np.arange(4_000), roll="forward")
    names = tuple(f"S{number}" for number in range(600))
    prices = np.broadcast_to(np.linspace(1, 2, 4_000)[:, np.newaxis], (4_000, 600))
    panel = PricePanel(
        days.astype("datetime64[D]"), names, prices, (PriceBasis.TOTAL_RETURN,) * 600
    )
    strategies = (EqualWeight(names), *(Momentum(names, look_back=n) for n in range(1, 5)))
    asked = pieces(
        Portfolios(strategies), range(5), panel, np.arange(1, 4_001), most=5, max_leverage=1.0
    )
    assert [piece.targets.shape for piece in asked] == [(1, 1, 600), *[(1, 4_000, 600)] * 4]


OTHER_PROCESS = """
import multiprocessing, sys
import numpy as np
import etf_backtest as eb
from etf_backtest.market import PricePanel

def run(seed):
    generator = np.random.default_rng(seed)
    prices = np.exp(np.cumsum(generator.normal(0, 0.01, (1200, 2)), axis=0))
    days = np.busday_offset("2019-01-01", np.arange(1200), roll="forward").astype("datetime64[D]")
    panel = PricePanel(days, ("A", "B"), prices, ("total_return",) * 2)
    return eb.simulate_many(panel, generator.dirichlet(np.ones(2), 100))

if __name__ == "__main__":
    here = run(1)
    assert here.engine == "numba"
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        (there,) = pool.map(run, [1])
    assert there.engine == "numba"
    assert there.values["sharpe_ratio"].tolist() == here.values["sharpe_ratio"].tolist()
    print("the same")
"""


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_other_processes_give_the_same(tmp_path: Path, way: str) -> None:
    """Results are pickled on their way back; threads of the parent do not matter to a fork."""
    (tmp_path / "work.py").write_text(OTHER_PROCESS)
    done = subprocess.run(
        [sys.executable, tmp_path / "work.py", way], check=True, capture_output=True, text=True
    )
    assert done.stdout == "the same\n"
