"""Strategies of other packages: the documented example, really installed, and broken ones."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from etf_backtest.errors import EntryPointError, UnknownStrategyError
from etf_backtest.strategies import (
    STRATEGIES,
    Momentum,
    available_strategies,
    build_strategy,
    strategy_from_dict,
)

EXAMPLE = Path(__file__).parents[3] / "examples" / "own_strategy"

USE = """
import json, sys
import numpy as np, pandas as pd
import etf_backtest as eb
from etf_backtest.strategies import (
    STRATEGIES, available_strategies, build_strategy, prove_no_lookahead, strategy_from_dict
)

build_strategy("momentum", {}, {"A": 1.0})
before = "near_high" in sys.modules
names = list(available_strategies())
built = build_strategy("near_high", {"look_back": 3}, {"A": 0.6, "B": 0.4})
again = strategy_from_dict(json.loads(json.dumps(built.to_dict())))
days = pd.bdate_range("2024-01-02", periods=60)
walk = np.exp(np.random.default_rng(0).normal(0, 0.02, (60, 2)).cumsum(axis=0))
panel = eb.PricePanel.from_frame(pd.DataFrame(100 * walk, index=days, columns=["A", "B"]))
proof = prove_no_lookahead(built, panel, rebalance="daily")
# A stands at 97 after 100 and 99: within 5 % of its high; B at 9 after 10: not
last = eb.PricePanel.from_frame(
    pd.DataFrame({"A": [100.0, 99.0, 97.0], "B": [10.0, 9.5, 9.0]}, index=days[:3])
)
print(json.dumps({
    "before": before, "names": names, "built": built.to_dict(), "again": again.to_dict(),
    "weights": built.target_weights(last).tolist(), "proof": str(proof),
    "equity": eb.simulate(panel, built).equity.iloc[-1],
    "schema": available_strategies()["near_high"].Parameters.model_json_schema(),
}))
"""


def test_the_documented_example_installs_and_runs(tmp_path: Path) -> None:
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run(
        [*install, "--no-build-isolation", "--target", str(tmp_path), str(EXAMPLE)], check=True
    )
    script = f"import sys; sys.path.append({str(tmp_path)!r})\n{USE}"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], check=True, capture_output=True, text=True
    )
    said = json.loads(run.stdout)
    assert said["before"] is False  # nobody had asked for it
    assert said["names"] == [*STRATEGIES, "near_high"]
    assert said["weights"] == [0.5, 0.0]
    assert said["built"] == said["again"]
    assert said["built"] == {
        "name": "near_high",
        "class": "near_high:NearHigh",
        "symbols": ["A", "B"],
        "parameters": {"look_back": 3, "distance": 0.05},
    }
    assert said["proof"].startswith("NearHigh(A, B) does not look ahead")
    assert said["equity"] > 0
    assert said["schema"]["properties"]["distance"]["maximum"] == 0.5


MODULE = """
from etf_backtest.strategies import Momentum, Strategy

class Good(Momentum):
    name = "good"

class Unfinished(Strategy):
    name = "unfinished"

class Late(Momentum):
    name = "other"

number = 7
"""


def install(folder: Path, package: str, **strategies: str) -> None:
    """Put a package's metadata on a path, as pip does."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = (f"{name} = {value}" for name, value in strategies.items())
    (info / "entry_points.txt").write_text(
        "\n".join(("[etf_backtest.strategies]", *lines)), encoding="utf-8"
    )


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_module_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_module_of_a_test", raising=False)
    return tmp_path


def test_a_class_of_another_package_is_known_by_its_name(elsewhere: Path) -> None:
    install(elsewhere, "mine", good="own_module_of_a_test:Good")
    assert "own_module_of_a_test" not in sys.modules
    built = build_strategy("good", {"top_n": 2}, {"A": 0.5, "B": 0.5})
    assert type(built) is available_strategies()["good"]
    assert strategy_from_dict(built.to_dict()).to_dict() == built.to_dict()
    with pytest.raises(UnknownStrategyError, match=r"'better' \(one of buy_and_hold.*, good\)"):
        build_strategy("better", {}, {"A": 1.0})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module:Good", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("own_module_of_a_test:Better", "AttributeError: .* has no attribute 'Better'"),
        ("own_module_of_a_test:number", "expected a subclass of Strategy, received 7"),
        ("own_module_of_a_test:Unfinished", "Unfinished has no target_weights"),
        ("own_module_of_a_test:Late", "expected Late.name to be 'odd', received 'other'"),
    ],
)
def test_a_broken_one_is_one_clear_error_when_asked_for(
    elsewhere: Path, value: str, reason: str
) -> None:
    install(elsewhere, "mine", odd=value, good="own_module_of_a_test:Good")
    message = rf"the strategy 'odd' \({value}, of the package mine 1.0\) cannot be used: {reason}"
    with pytest.raises(EntryPointError, match=message):
        build_strategy("odd", {}, {"A": 1.0})
    with pytest.raises(EntryPointError, match=message):
        available_strategies()
    assert build_strategy("good", {}, {"A": 1.0}).name == "good"
    assert type(build_strategy("momentum", {}, {"A": 1.0})) is Momentum


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise SystemExit", "SystemExit: "),
        ("raise ValueError('one\\ntwo')", "ValueError: one two"),
    ],
)
def test_a_module_that_does_not_want_to_be_imported(
    elsewhere: Path, code: str, reason: str
) -> None:
    (elsewhere / "unwilling_module_of_a_test.py").write_text(code)
    install(elsewhere, "mine", odd="unwilling_module_of_a_test:Odd")
    with pytest.raises(EntryPointError, match=rf"cannot be used: {reason}"):
        build_strategy("odd", {}, {"A": 1.0})


def test_an_interrupt_stays_one(elsewhere: Path) -> None:
    (elsewhere / "unwilling_module_of_a_test.py").write_text("raise KeyboardInterrupt")
    install(elsewhere, "mine", odd="unwilling_module_of_a_test:Odd")
    with pytest.raises(KeyboardInterrupt):
        build_strategy("odd", {}, {"A": 1.0})


def test_a_name_that_a_built_in_has_is_refused(elsewhere: Path) -> None:
    install(elsewhere, "mine", momentum="own_module_of_a_test:Good")
    with pytest.raises(EntryPointError, match=r"'momentum' .* a built-in strategy has that name"):
        available_strategies()
    assert type(build_strategy("momentum", {}, {"A": 1.0})) is Momentum


def test_two_packages_with_one_name_are_refused(elsewhere: Path) -> None:
    install(elsewhere, "mine", good="own_module_of_a_test:Good")
    install(elsewhere, "theirs", good="own_module_of_a_test:Late")
    with pytest.raises(EntryPointError, match=r"(mine|theirs) 1\.0 offers another one of that na"):
        build_strategy("good", {}, {"A": 1.0})


def test_the_class_must_be_the_one_that_was_stored(elsewhere: Path) -> None:
    install(elsewhere, "mine", good="own_module_of_a_test:Good")
    stored = {**build_strategy("good", {}, {"A": 1.0}).to_dict(), "class": "lost:Good"}
    with pytest.raises(UnknownStrategyError, match=r"'lost:Good' \(one of own_module_of_a_test:Go"):
        strategy_from_dict(stored)
