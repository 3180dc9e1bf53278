"""Bad input to a run, and what has to be said about it."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import EtfBacktestError
from etf_backtest.market import PriceBasis, PricePanel
from etf_backtest.simulation import Rules, simulate
from etf_backtest.strategies import BuyAndHold

Case: TypeAlias = tuple[str, Callable[[], object], type[EtfBacktestError], str, str | None]
"""What is wrong, how it comes about, the error, its message with the value, its remedy."""

# 2024-03-01 is a Friday; LATE begins on 03-05, ENDED has no price after 03-05, GAP none on it
DAYS = pd.bdate_range("2024-03-01", periods=6)
NONE = np.nan
PANEL = PricePanel.from_frame(
    pd.DataFrame(
        {
            "A": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            "LATE": [NONE, NONE, 3.0, 4.0, 5.0, 6.0],
            "ENDED": [1.0, 2.0, 3.0, NONE, NONE, NONE],
            "GAP": [1.0, 2.0, NONE, 4.0, 5.0, 6.0],
        },
        index=DAYS,
    )
)
A = BuyAndHold({"A": 1.0})
COMMON = Rules(missing="common")


def run(strategy: Any = A, rules: Any = None, panel: Any = PANEL, **options: Any) -> object:
    return simulate(panel, strategy, Rules() if rules is None else rules, **options)


def framed(values: Any, index: Any = DAYS) -> PricePanel:
    return PricePanel.from_frame(pd.DataFrame({"A": values}, index=index[: len(values)]))


def from_arrays(dates: Any, values: Any) -> PricePanel:
    days = np.array(dates, "datetime64[D]")
    return PricePanel(days, ("A",), np.array(values).reshape(-1, 1), (PriceBasis.TOTAL_RETURN,))


def check(case: Case) -> None:
    """Demand one line that names the value and, where the row has one, the remedy."""
    _, call, error, message, remedy = case
    with pytest.raises(EtfBacktestError) as caught:
        call()
    assert type(caught.value) is error
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    if remedy is not None:
        assert caught.value.remedy is not None
        assert remedy in caught.value.remedy
        assert caught.value.remedy in text


def named(case: Case) -> str:
    """The name of a case, for pytest."""
    return case[0]
