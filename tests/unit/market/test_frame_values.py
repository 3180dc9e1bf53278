"""What a frame of prices may hold, and what each mistake is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import PriceDataError
from etf_backtest.market import PricePanel

DAYS = pd.bdate_range("2024-03-01", periods=3)


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 3],
        [Decimal("1"), Decimal("2.0"), Decimal("3")],
        ["1", "2.0", "3"],
        pd.array([1, 2, 3], dtype="Int64"),
        np.array([1, 2, 3], dtype=np.float32),
    ],
)
def test_numbers_of_any_kind_are_taken(values: Any) -> None:
    panel = PricePanel.from_frame(pd.DataFrame({"A": values}, index=DAYS))
    assert panel.prices[:, 0].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA])
def test_nothing_is_no_price(nothing: Any) -> None:
    values = pd.Series([1.0, nothing, 3.0], index=DAYS, dtype=object)
    panel = PricePanel.from_frame(pd.DataFrame({"A": values}))
    assert np.isnan(panel.prices[1, 0])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1", "x", "3"], "A has the price 'x' on 2024-03-04"),
        ([True, True, False], "A has the price .*True"),
        ([1j, 2j, 3j], "A has the price 1j|expected a number"),
        (list(DAYS), "A has the price Timestamp"),
    ],
)
def test_what_is_no_number_is_named(values: Any, message: str) -> None:
    with pytest.raises(PriceDataError, match=message):
        PricePanel.from_frame(pd.DataFrame({"A": values}, index=DAYS))


@pytest.mark.parametrize("value", [None, {}, [1.0], np.ones((3, 1)), pd.Series([1.0])])
def test_what_is_no_frame_is_said(value: Any) -> None:
    with pytest.raises(PriceDataError, match="expected a DataFrame of prices, received"):
        PricePanel.from_frame(value)
