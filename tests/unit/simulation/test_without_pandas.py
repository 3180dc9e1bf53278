"""A whole run, with its metrics, does not need pandas, which takes longer to import than to run."""

import subprocess
import sys

PRELUDE = """
import sys
import numpy as np
import etf_backtest as eb

assert "numpy" in sys.modules
dates = np.busday_offset("2021-01-04", np.arange(600), roll="forward")
steps = np.random.default_rng(1).normal(0, 0.01, (600, 2))
prices = 100 * np.exp(np.cumsum(steps, axis=0))
panel = eb.PricePanel(dates, ("A", "B"), prices, ("total_return",) * 2)
strategy = eb.FixedWeights({"A": 0.6, "B": 0.4})
"""
RUN = """
rules = eb.Rules(
    rebalance=("monthly", "bands(absolute=0.05)", "cashflow"),
    costs=eb.Costs(commission_bps=5, commission_min=1),
    cash_flows=(eb.CashFlow(amount=-10, every="monthly"),),
    cash_rate=0.02,
)
result = eb.simulate(panel, strategy, rules, benchmark="B", risk_free=0.01)
assert result.metrics.sharpe_ratio is not None
assert result.metrics.beta is not None
assert result.metrics.money_weighted_return is not None
result.warnings, result.fingerprint, result.to_dict(), result.change_of_value
"""


def loaded_after(script: str) -> set[str]:
    """Which of the heavy libraries a script has loaded."""
    heavy = (
        "pandas",
        "plotly",
        "scipy",
        "skfolio",
        "numba",
        "prisma",
        "etf_backtest.database.client",
    )
    told = subprocess.run(
        [sys.executable, "-c", f"{script}\nprint(*(m for m in {heavy} if m in sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(told.stdout.split())


def test_a_run_with_metrics_loads_nothing_heavy() -> None:
    assert loaded_after(PRELUDE + RUN) == set()


def test_a_proportional_run_loads_nothing_heavy() -> None:
    assert loaded_after(PRELUDE + "eb.simulate(panel, strategy).metrics") == set()


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import sys, etf_backtest") == set()


def test_curves_load_pandas_when_they_are_asked_for() -> None:
    assert loaded_after(PRELUDE + "eb.simulate(panel, strategy).equity") >= {"pandas"}
