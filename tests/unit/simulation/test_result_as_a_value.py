"""A result is a value: it can be copied, stored and told from any other."""

import copy
import json
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from etf_backtest.market import PricePanel
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation import CashFlow, Costs, Rules, SimulationResult, simulate
from etf_backtest.strategies import FixedWeights, Momentum
from etf_backtest.typing import FloatArray
from tests.unit.simulation.any_runs import START, Run, any_run, quoted, walk

CURVES = ("equity", "cash", "flows", "costs", "benchmark_equity")
TABLES = ("shares", "weights", "trades", "accounting")
RULES = Rules(
    rebalance=("monthly", "bands(absolute=0.05)"),
    costs=Costs(commission_bps=5, commission_min=1),
    cash_flows=(CashFlow(amount=-50, every="monthly"), CashFlow(percent=0.01, on="2021-03-01")),
    dividends="cash",
    lot_size=1,
    cash_rate={"2020-01-01": 0.02},
)


@pytest.fixture
def result() -> SimulationResult:
    weights = FixedWeights({"A": 0.5, "B": 0.3})
    return simulate(quoted(3), weights, RULES, benchmark="C", risk_free=0.01)


def arrays(value: object) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a value, of its parts too, by where they are."""
    names = getattr(value, "__dataclass_fields__", {})
    found: dict[str, np.ndarray[Any, Any]] = {}
    for name in names:
        part = getattr(value, name)
        if isinstance(part, np.ndarray):
            found[name] = part
        else:
            found |= {f"{name}.{inner}": array for inner, array in arrays(part).items()}
    return found


def test_its_arrays_are_read_only(result: SimulationResult) -> None:
    found = arrays(result)
    assert {"book.equity", "panel.prices", "units.prices", "benchmark_values"} <= set(found)
    assert [name for name, array in found.items() if array.flags.writeable] == []
    assert [
        name for name, array in arrays(result.change_of_value).items() if array.flags.writeable
    ] == []


@pytest.mark.parametrize("way", ["pickle", "copy", "deepcopy"])
def test_a_copy_is_the_same_and_as_read_only(result: SimulationResult, way: str) -> None:
    result.metrics  # noqa: B018  # computed once, and copied along
    ways: dict[str, Any] = {
        "pickle": lambda value: pickle.loads(pickle.dumps(value)),
        "copy": copy.copy,
        "deepcopy": copy.deepcopy,
    }
    other: SimulationResult = ways[way](result)
    assert other.to_dict() == result.to_dict()
    assert other.metrics == result.metrics
    assert other.rules == result.rules
    for name, array in arrays(other).items():
        assert not array.flags.writeable, name
    for name in (*CURVES, *TABLES):
        assert getattr(other, name).equals(getattr(result, name)), name


@pytest.mark.parametrize("name", [*CURVES, *TABLES])
def test_what_is_given_out_can_be_changed_without_harm(result: SimulationResult, name: str) -> None:
    before = getattr(result, name)
    mine = getattr(result, name)
    assert mine is not before
    mine.iloc[0] = mine.iloc[-1]
    mine.iloc[:] = mine.iloc[-1]
    assert getattr(result, name).equals(before)


def test_the_parts_of_the_change_as_a_frame(result: SimulationResult) -> None:
    parts = result.accounting
    assert list(parts.columns) == [
        "price_change",
        "dividends",
        "interest",
        "flows",
        "costs",
        "change",
    ]
    assert (parts.index == result.equity.index[1:]).all()
    np.testing.assert_allclose(parts["change"], result.equity.diff().iloc[1:], atol=1e-9)
    assert (parts["dividends"] > 0).any()
    assert (parts["interest"] > 0).any()


def test_unexplained_is_measured_by_the_value() -> None:
    """Interest of 1e-10 a day on 10,000 is near the rounding of the value itself, 2e-12."""
    result = simulate(walk(0), FixedWeights({"A": 0.0}), Rules(cash_rate=4e-12))
    assert result.change_of_value.unexplained() < 1e-15
    assert result.change_of_value.largest_value == pytest.approx(10_000)


@settings(deadline=None)
@given(any_run())
def test_as_json_and_back(run: Run) -> None:
    result = run.result()
    stored: dict[str, Any] = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert stored == result.to_dict()
    assert Rules.model_validate(stored["rules"]) == result.rules == run.rules
    dates = stored["dates"]
    assert set(stored["flows"]) | set(stored["costs"]) <= set(dates)
    assert stored["equity"] == result.equity.tolist()
    paid = dict.fromkeys(dates, 0.0)
    for trade in stored["trades"]:
        paid[trade["date"]] += trade["commission"] + trade["slippage"]
    costs = [stored["costs"].get(date, 0.0) for date in dates]
    np.testing.assert_allclose(costs, list(paid.values()), atol=1e-9)


def test_a_ruined_run_as_json() -> None:
    rules = Rules(initial_capital=1000, cash_flows=(CashFlow(amount=-400, every="weekly"),))
    result = simulate(walk(0), FixedWeights({"A": 1.0}), rules, benchmark="B")
    stored: dict[str, Any] = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    # the third Friday: 1000 less 800 is less than 400
    assert stored["ruin"] == {"date": "2021-01-22", "by": "withdrawal"}
    assert stored["dates"][-1] == "2021-01-22"
    assert stored["equity"][-1] == 0.0
    assert stored["weights"]["A"][-1] == 0.0
    assert len(stored["benchmark_equity"]) == len(stored["dates"]) == 15
    assert result.weights["A"].isna().tolist() == [False] * 14 + [True]


# -- fingerprints ----------------------------------------------------------------------------------


def printed(**changes: Any) -> str:
    panel = changes.pop("panel", quoted(3))
    strategy = changes.pop("strategy", FixedWeights({"A": 0.5, "B": 0.3}))
    rules = RULES.model_copy(update=changes.pop("rules", {}))
    options = {"benchmark": "C", "risk_free": 0.01, "start": panel.dates[START], **changes}
    return simulate(panel, strategy, rules, **options).fingerprint


def with_another_price(row: int, symbol: str) -> Any:
    panel = quoted(3)
    values = panel.prices.copy()
    values[row, panel.symbols.index(symbol)] *= 1 + 1e-15
    return panel.with_prices(values)


@pytest.mark.parametrize(
    "changes",
    [
        {"panel": quoted(4)},
        {"panel": with_another_price(50, "A")},
        {"panel": with_another_price(119, "C")},
        {"panel": quoted(3).rows(0, 119)},
        {"panel": quoted(3, known=["A", "B"])},
        {"strategy": FixedWeights({"A": 0.5, "B": 0.3 + 1e-16 * 3})},
        {"strategy": FixedWeights({"B": 0.3, "A": 0.5})},
        {"strategy": FixedWeights({"A": 0.5, "B": 0.3}, rebalance="weekly")},
        {"strategy": Momentum(["A", "B"], look_back=5, skip=0)},
        {"rules": {"initial_capital": 10_001.0}},
        {"rules": {"rebalance": None}},
        {"rules": {"lag": 1}},
        {"rules": {"costs": Costs(commission_bps=5)}},
        {"rules": {"cash_flows": ()}},
        {"rules": {"dividends": "reinvest"}},
        {"rules": {"lot_size": None}},
        {"rules": {"max_leverage": 2.0, "borrow_rate": 0.05}},
        {"rules": {"cash_rate": 0.02}},
        {"rules": {"expense_ratios": {"A": 0.001}}},
        {"rules": {"missing": "common"}},
        {"benchmark": None},
        {"benchmark": "D"},
        {"risk_free": 0.02},
        {"risk_free": DatedRates.of({"2020-01-01": 0.01})},
        {"start": "2021-01-19"},
        {"end": "2021-06-16"},
    ],
    ids=str,
)
def test_each_input_changes_the_fingerprint(changes: dict[str, Any]) -> None:
    assert printed(**changes) != printed()


def test_what_plays_no_part_does_not_change_the_fingerprint() -> None:
    mixed = quoted(3).select(["D", "C", "B", "A"])
    assert printed(panel=mixed) == printed()
    # D is not traded
    assert printed(panel=with_another_price(50, "D")) == printed()
    # nor are prices before the window, but for the session that fixed weights may look at
    assert printed(panel=with_another_price(2, "A")) == printed()


def test_history_that_was_looked_at_counts() -> None:
    strategy = Momentum(["A", "B"], look_back=5, skip=0)
    seen, unseen = with_another_price(START - 2, "A"), with_another_price(1, "A")
    expected = printed(strategy=strategy)
    assert printed(strategy=strategy, panel=unseen) == expected
    assert printed(strategy=strategy, panel=seen) != expected


SCRIPT = """
from tests.unit.simulation.test_result_as_a_value import printed
print(printed())
"""


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    seen = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert seen == [printed()] * 2
    assert len(seen[0]) == 64


# -- warnings --------------------------------------------------------------------------------------


def test_all_that_has_to_be_known_is_said_once(result: SimulationResult) -> None:
    assert len(set(result.warnings)) == len(result.warnings)
    assert all("\n" not in warning for warning in result.warnings)
    assert result.to_dict()["warnings"] == list(result.warnings)
    late = CashFlow(amount=1, on="2030-01-01")
    rules = Rules(
        cash_flows=(late,), lag=0, lot_size=1, rebalance="monthly", expense_ratios={"A": 0.01}
    )
    told = simulate(walk(1), Momentum(["A", "B"], look_back=5, skip=0), rules).warnings
    for part in (
        "momentum looks at prices and was run with lag 0",
        "A, B: closes are not known, so lots count units",
        "expense ratios a year were taken out of the prices: A 1.0000%",
        "the cash flow 1.00 on 2030-01-01 never arrives",
        "momentum looks at 6 sessions; the prices begin on 2021-01-04, too late for",
        "cagr, calmar_ratio, ulcer_performance_index are undefined",
    ):
        assert sum(part in warning for warning in told) == 1, part


class Leaning(FixedWeights):
    """A class from outside: its parameter is nowhere but in what it decides."""

    def __init__(self, part: float) -> None:
        super().__init__({"A": 0.5, "B": 0.5})
        self.part = part

    def target_weights(self, history: PricePanel) -> FloatArray:
        return np.array([self.part, 1 - self.part])


def test_what_a_class_from_outside_decides_is_in_the_fingerprint() -> None:
    one, same, other = (simulate(walk(3), Leaning(part)) for part in (0.25, 0.25, 0.75))
    assert one.strategy == other.strategy
    assert one.fingerprint == same.fingerprint != other.fingerprint
    stored: dict[str, Any] = other.to_dict()
    assert stored["fingerprints"]["decisions"] == other.decisions != one.decisions
    assert simulate(walk(3), FixedWeights({"A": 1.0})).decisions is None


def test_the_metrics_of_the_benchmark_alone() -> None:
    result = simulate(walk(3), FixedWeights({"A": 1.0}), benchmark="B", risk_free=0.01)
    held = simulate(walk(3), FixedWeights({"B": 1.0}, rebalance="never"), risk_free=0.01)
    assert result.benchmark_metrics is not None
    assert result.benchmark_metrics.sharpe_ratio == pytest.approx(
        held.metrics.sharpe_ratio, rel=1e-12
    )
    assert result.benchmark_metrics.beta is None
    assert simulate(walk(3), FixedWeights({"A": 1.0})).benchmark_metrics is None
