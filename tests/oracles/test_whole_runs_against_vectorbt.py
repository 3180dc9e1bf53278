"""Whole runs on the sample ETFs against vectorbt, and the gap where costs are paid by another rule.

vectorbt sells first, and then buys in ascending size for what is wanted without costs; the last and
largest buy gets the cash that is left. So one symbol pays for all costs, or the cash that was to
stay, where ours share them.
"""

import numpy as np
import pandas as pd
import pytest
import vectorbt as vbt  # type: ignore[import-untyped]  # has no types

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

# Measured. The largest buy (or the cash, where there is some) pays for all, so weights are off by
# the costs until the next rebalance: the more seldom it comes, the wider the gap. With all in one
# symbol, slippage times commission is left: vectorbt's commission is on the worse price.
GAPS: Gaps = {
    "equal weights, held": (1e-4, 3e-4),
    "unequal weights, held": (1e-4, 3e-4),
    "three ETFs and cash, held": (1e-4, 3e-4),
    "equal weights, weekly": (5e-7, 3e-6),
    "equal weights, monthly": (3e-6, 1e-5),
    "unequal weights, monthly": (3e-6, 2e-5),
    "unequal weights, quarterly": (1e-5, 3e-5),
    "three ETFs and cash, quarterly": (1e-5, 3e-5),
    "three ETFs and cash, annual": (3e-5, 1e-4),
    "the two strongest, monthly": (3e-5, 1e-4),
    "the strongest, weekly": (3e-8, 2e-7),
}


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    return sample_prices()


def vectorbt_values(prices: pd.DataFrame, targets: pd.DataFrame, *, costs: bool) -> FloatArray:
    run = vbt.Portfolio.from_orders(
        prices,
        size=targets.reindex(prices.index),  # no number, no order
        size_type="targetpercent",
        group_by=True,
        cash_sharing=True,
        call_seq="auto",
        fees=COMMISSION if costs else 0.0,
        slippage=SLIPPAGE if costs else 0.0,
        init_cash=CAPITAL,
        freq="1D",
    )
    return np.asarray(run.value(), dtype=np.float64)


def trade_as_vectorbt_does(
    wanted: list[float], held: list[float], cash: float
) -> tuple[list[float], float]:
    after = list(held)
    amounts = [want - has for want, has in zip(wanted, held, strict=True)]
    for i in sorted(range(len(amounts)), key=amounts.__getitem__):
        if amounts[i] < 0:
            after[i] += amounts[i]
            cash -= amounts[i] * (1 - SLIPPAGE) * (1 - COMMISSION)
        else:
            paid = min(amounts[i] * (1 + SLIPPAGE) * (1 + COMMISSION), cash)
            after[i] += paid / (1 + SLIPPAGE) / (1 + COMMISSION)
            cash -= paid
    return after, cash


@pytest.mark.parametrize("name", CASES)
def test_without_costs(name: str, prices: pd.DataFrame) -> None:
    case = CASES[name]
    theirs = vectorbt_values(prices, case.targets(prices), costs=False)
    assert worst(case.ours(prices), theirs) < 1e-12


@pytest.mark.parametrize("name", CASES)
def test_with_costs_by_its_own_rule(name: str, prices: pd.DataFrame) -> None:
    targets = CASES[name].targets(prices)
    theirs = vectorbt_values(prices, targets, costs=True)
    assert worst(keep_book(prices, targets, trade_as_vectorbt_does), theirs) < 1e-11


@pytest.mark.parametrize("name", CASES)
def test_gap_of_the_rules(name: str, prices: pd.DataFrame) -> None:
    case = CASES[name]
    theirs = vectorbt_values(prices, case.targets(prices), costs=True)
    smallest, largest = GAPS[name]
    assert smallest <= worst(case.ours(prices, COSTS), theirs) <= largest
