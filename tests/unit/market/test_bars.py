"""Frames of closes, dividends and splits: nothing about them is guessed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import PriceDataError
from etf_backtest.market import PricePanel

DAYS = pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04"])


def frame(*a: Any, index: Any = DAYS, **more: Any) -> pd.DataFrame:
    return pd.DataFrame({"A": list(a), **more}, index=index)


CLOSES = frame(100.0, 51.0, 50.0)
DIVIDENDS = frame(0.0, 0.5, 0.0)
SPLITS = frame(1.0, 2.0, 1.0)


def panel(**changes: Any) -> PricePanel:
    parts: dict[str, Any] = {
        "closes": CLOSES,
        "dividends": DIVIDENDS,
        "splits": SPLITS,
        "split_adjusted": False,
    } | changes
    return PricePanel.from_bars(parts.pop("closes"), **parts)


@pytest.mark.parametrize(("adjusted", "splits"), [(False, [1.0, 2.0, 1.0]), (True, [1.0] * 3)])
def test_bars_are_kept(adjusted: bool, splits: list[float]) -> None:
    for said in (adjusted, np.bool_(adjusted), {"A": adjusted, "B": not adjusted}):
        quotes = panel(split_adjusted=said).quotes
        assert quotes is not None
        assert quotes.closes[:, 0].tolist() == [100.0, 51.0, 50.0]
        assert quotes.dividends[:, 0].tolist() == [0.0, 0.5, 0.0]
        assert quotes.splits[:, 0].tolist() == splits


def test_numbers_of_any_kind_are_taken() -> None:
    quotes = panel(closes=frame("100", 51, 50.0), dividends=frame(0, 0, 0)).quotes
    assert quotes is not None
    assert quotes.closes[:, 0].tolist() == [100.0, 51.0, 50.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dividends": None}, r"dividends are not given, and nothing is guessed \(.* 0 where"),
        ({"splits": None}, r"splits are not given, and nothing is guessed \(.* 1 where there was"),
        ({"closes": None}, "expected a DataFrame of closes, received NoneType"),
        ({"splits": SPLITS["A"]}, "expected a DataFrame of splits, received Series"),
        (
            {"closes": frame(1.0, "x", 1.0)},
            "A has the close 'x' on 2024-01-03, expected a number",
        ),
        ({"dividends": frame(0.0, "x", 0.0)}, "A has the dividend 'x' on 2024-01-03"),
        ({"splits": frame(True, True, True)}, "A has the split True on 2024-01-02"),
        ({"closes": frame(1.0, 0.0, 1.0)}, r"A has the close 0\.0 on 2024-01-03, expected a pos"),
        ({"closes": frame(1.0, -2.0, 1.0)}, r"A has the close -2\.0 on 2024-01-03"),
        ({"closes": frame(1.0, np.inf, 1.0)}, "A has the close inf on 2024-01-03"),
        ({"closes": frame(np.nan, np.nan, np.nan)}, "A has a dividend or a split on 2024-01-03"),
        ({"closes": frame(1.0, np.nan, 1.0)}, "A has a dividend or a split on 2024-01-03, but no"),
        ({"dividends": frame(0.0, np.nan, 0.0)}, "A has the dividend nan on 2024-01-03"),
        ({"dividends": frame(0.0, -1.0, 0.0)}, r"A has the dividend -1\.0 on 2024-01-03"),
        ({"splits": frame(1.0, np.nan, 1.0)}, "A has the split ratio nan on 2024-01-03"),
        ({"splits": frame(1.0, 0.0, 1.0)}, r"A has the split ratio 0\.0 on 2024-01-03"),
        ({"dividends": DIVIDENDS.iloc[:2]}, "the dividends have other dates or symbols"),
        ({"splits": SPLITS.set_axis(["B"], axis=1)}, "the splits have other dates or symbols"),
        ({"split_adjusted": None}, "not said whether the closes of A .* received None"),
        ({"split_adjusted": {"B": True}}, "not said whether the closes of A are split-adjusted"),
        ({"split_adjusted": "no"}, "expected True or False, received 'no'"),
    ],
)
def test_bars_that_cannot_be_used(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PriceDataError, match=message) as caught:
        panel(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (DAYS[[0, 1, 1]], "the date 2024-01-03 stands twice"),
        (DAYS[::-1], "the dates are not sorted: 2024-01-03 follows 2024-01-04"),
        (pd.RangeIndex(3), "expected dates"),
        (DAYS.tz_localize("UTC"), "have a time zone"),
    ],
)
def test_dates_of_bars(index: Any, message: str) -> None:
    parts = {
        name: part.set_axis(index, axis=0)
        for name, part in (("closes", CLOSES), ("dividends", DIVIDENDS), ("splits", SPLITS))
    }
    with pytest.raises(PriceDataError, match=message):
        panel(**parts)


def test_columns_of_bars() -> None:
    def named(*columns: str) -> dict[str, Any]:
        return {
            name: pd.concat([part] * len(columns), axis=1).set_axis(list(columns), axis=1)
            for name, part in (("closes", CLOSES), ("dividends", DIVIDENDS), ("splits", SPLITS))
        }

    with pytest.raises(PriceDataError, match="the symbol A stands twice"):
        panel(**named("A", "A"))
    with pytest.raises(PriceDataError, match="the symbol 'A ' has blanks around it"):
        panel(**named("A "))


def test_bars_of_nothing() -> None:
    parts = (("closes", CLOSES), ("dividends", DIVIDENDS), ("splits", SPLITS))
    with pytest.raises(PriceDataError, match="A has no prices"):
        panel(**{name: part.iloc[:0] for name, part in parts})
    with pytest.raises(PriceDataError, match="a panel of 0 symbols is empty"):
        panel(**{name: part[[]] for name, part in parts})
    none = frame(np.nan, np.nan, np.nan)
    with pytest.raises(PriceDataError, match="A has no prices"):
        panel(closes=none, dividends=none * 0, splits=none)
