"""What a strategy sees before the window: its own symbols, as long as they all have prices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from etf_backtest.market import PricePanel
from etf_backtest.simulation import Rules, simulate
from etf_backtest.strategies import BuyAndHold, Momentum

DAYS = pd.bdate_range("2024-01-01", periods=60)


def prices(**columns: list[float]) -> PricePanel:
    return PricePanel.from_frame(pd.DataFrame(columns, index=DAYS))


def walk(seed: int, *, missing: int = 0) -> list[float]:
    """A random walk whose first `missing` prices are not there."""
    values = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, DAYS.size)))
    values[:missing] = np.nan
    return [float(value) for value in values]


@pytest.mark.parametrize("missing", ["error", "common"])
def test_the_benchmark_does_not_change_what_the_strategy_does(missing: str) -> None:
    """BM has no prices before the window, where momentum looks at A and B."""
    panel = prices(A=walk(1), B=walk(2), BM=walk(3, missing=30))
    strategy = Momentum(["A", "B"], look_back=8, skip=1, rebalance="weekly")
    rules = Rules.model_validate({"missing": missing})
    alone = simulate(panel.select(["A", "B"]), strategy, rules, start=DAYS[30].date())
    beside = simulate(panel, strategy, rules, benchmark="BM", start=DAYS[30].date())
    assert beside.equity.tolist() == alone.equity.tolist()
    assert len(alone.trades) > 1
    assert not any("cash" in warning for warning in beside.warnings)


def test_history_begins_where_all_traded_symbols_have_prices() -> None:
    """LATE begins 10 sessions before the window: too late to look back 20, so cash at first."""
    panel = prices(A=walk(1), LATE=walk(2, missing=20))
    strategy = Momentum(["A", "LATE"], look_back=20, skip=0, rebalance="weekly")
    result = simulate(panel, strategy, start=DAYS[30].date())
    bought = result.trades["date"].iloc[0]
    # from row 20 on, row 40 is the first with 21 prices of LATE, a Monday; the week ends on row 44,
    # and the purchase is one session later
    assert bought == DAYS[45]
    assert any("stays in cash" in warning for warning in result.warnings)


def test_sessions_that_only_unused_symbols_have_do_not_count() -> None:
    """X trades on Saturdays, too; A alone gives the same with and without it."""
    saturdays = pd.date_range("2024-01-06", periods=5, freq="7D")
    both = pd.concat(
        [
            pd.DataFrame({"A": walk(1)}, index=DAYS),
            pd.DataFrame({"X": 1.0}, index=DAYS.union(saturdays)),
        ],
        axis=1,
        sort=True,
    )
    held = BuyAndHold({"A": 1.0})
    alone = simulate(prices(A=walk(1)), held)
    beside = simulate(PricePanel.from_frame(both), held)
    assert beside.equity.tolist() == alone.equity.tolist()
    assert beside.window == alone.window


def test_common_says_what_it_cut_from_the_window_and_nothing_else() -> None:
    panel = prices(A=walk(1), B=walk(2, missing=5))
    held = BuyAndHold({"A": 0.5, "B": 0.5})
    rules = Rules(missing="common")
    cut = simulate(panel, held, rules)
    assert cut.window.start == DAYS[5].date()
    assert any("instead of 2024-01-01" in warning for warning in cut.warnings)
    whole = simulate(panel, held, rules, start=DAYS[5].date())
    assert not any("instead of" in warning for warning in whole.warnings)
