"""Whole runs on the sample ETFs against bt, and the gap where costs are paid by another rule.

bt fits the costs of an order into the order's own amount: a buy of 100 buys less, a sale of 100
sells more, so that cash moves by 100 in both. What leaves a symbol altogether is sold as it is, and
its costs come out of cash, which may go below zero. Weights after a trade are therefore off by the
costs, where ours are met.
"""

import bt  # type: ignore[import-untyped]  # has no types
import numpy as np
import pandas as pd
import pytest

from etf_backtest.typing import FloatArray
from tests.oracles.whole_runs import (
    CAPITAL,
    CASES,
    COMMISSION,
    COSTS,
    SLIPPAGE,
    Gaps,
    keep_book,
    sample_prices,
    worst,
)

COST = COMMISSION + SLIPPAGE
# Measured. Where all is invested once, both rules are the same: each symbol pays for itself. Where
# some stays in cash, or symbols change, bt keeps all of the cash (or borrows), and costs are 7e-4.
GAPS: Gaps = {
    "equal weights, held": (0, 1e-12),
    "unequal weights, held": (0, 1e-12),
    "three ETFs and cash, held": (1e-4, 2e-4),
    "equal weights, weekly": (2e-7, 1e-6),
    "equal weights, monthly": (2e-7, 1e-6),
    "unequal weights, monthly": (2e-7, 1e-6),
    "unequal weights, quarterly": (4e-7, 2e-6),
    "three ETFs and cash, quarterly": (5e-6, 2e-5),
    "three ETFs and cash, annual": (1e-5, 5e-5),
    "the two strongest, monthly": (1e-4, 3e-4),
    "the strongest, weekly": (2e-4, 6e-4),
}


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    return sample_prices()


def bt_values(prices: pd.DataFrame, targets: pd.DataFrame, cost: float) -> FloatArray:
    algos = [bt.algos.WeighTarget(targets), bt.algos.Rebalance()]
    run = bt.Backtest(
        bt.Strategy("run", algos),
        prices,
        initial_capital=CAPITAL,
        integer_positions=False,
        commissions=lambda quantity, price: cost * abs(quantity) * price,
    )
    run.run()
    # bt puts a row without prices before the first
    return np.asarray(run.strategy.values.iloc[1:], dtype=np.float64)


def trade_as_bt_does(
    wanted: list[float], held: list[float], cash: float
) -> tuple[list[float], float]:
    after = []
    for want, has in zip(wanted, held, strict=True):
        amount = want - has
        if want == 0:
            after.append(0.0)
            cash += has * (1 - COST)
        else:
            after.append(has + amount / (1 + COST if amount > 0 else 1 - COST))
            cash -= amount
    return after, cash


@pytest.mark.parametrize("name", CASES)
def test_without_costs(name: str, prices: pd.DataFrame) -> None:
    case = CASES[name]
    theirs = bt_values(prices, case.targets(prices), 0.0)
    assert worst(case.ours(prices), theirs) < 1e-12


@pytest.mark.parametrize("name", CASES)
def test_with_costs_by_its_own_rule(name: str, prices: pd.DataFrame) -> None:
    targets = CASES[name].targets(prices)
    theirs = bt_values(prices, targets, COST)
    assert worst(keep_book(prices, targets, trade_as_bt_does), theirs) < 1e-11


@pytest.mark.parametrize("name", CASES)
def test_gap_of_the_rules(name: str, prices: pd.DataFrame) -> None:
    case = CASES[name]
    theirs = bt_values(prices, case.targets(prices), COST)
    smallest, largest = GAPS[name]
    assert smallest <= worst(case.ours(prices, COSTS), theirs) <= largest
