"""The running costs of a fund, taken out of the prices of its proxy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from etf_backtest.errors import PriceDataError, UnknownSymbolError, WindowError
from etf_backtest.market import PriceBasis, PricePanel, PriceSeries

# a Wednesday, then Thursday, Friday, Monday: 1, 1 and 3 days
DAYS = np.array(["2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"], dtype="datetime64[D]")


def panel() -> PricePanel:
    return PricePanel.from_series(
        [
            PriceSeries.from_closes(
                "A",
                DAYS,
                [10.0, 11.0, 6.0, 7.0],
                dividends=[0.0, 0.5, 0.0, 1.0],
                splits=[1.0, 1.0, 2.0, 1.0],
                split_adjusted=False,
            ),
            PriceSeries("B", DAYS[1:], np.array([1.0, 2.0, 3.0]), PriceBasis.TOTAL_RETURN),
        ]
    )


def test_by_hand() -> None:
    # 7.3 % a year are 0.0002 a day: steps of 0.9998, 0.9998 and 0.9994
    given, dragged = panel(), panel().with_expense_drag({"A": 0.073})
    levels = np.array([1.0, 0.9998, 0.9998 * 0.9998, 0.9998 * 0.9998 * 0.9994])
    np.testing.assert_allclose(dragged.prices[:, 0], given.prices[:, 0] * levels, rtol=1e-15)
    assert given.quotes is not None
    assert dragged.quotes is not None
    for field in ("closes", "dividends"):
        before, after = getattr(given.quotes, field), getattr(dragged.quotes, field)
        np.testing.assert_allclose(after[:, 0], before[:, 0] * levels, rtol=1e-15)
    np.testing.assert_array_equal(dragged.quotes.splits, given.quotes.splits)
    np.testing.assert_array_equal(dragged.prices[:, 1], given.prices[:, 1])  # bit by bit
    assert dragged.basis == given.basis
    assert not dragged.prices.flags.writeable


def test_every_factor_loses_the_same() -> None:
    # close and dividend of a session shrink together, so its factor shrinks by 1 - ratio*days/365
    given, dragged = panel(), panel().with_expense_drag({"A": 0.073})
    assert dragged.quotes is not None
    close, dividend, split = (
        values[:, 0]
        for values in (dragged.quotes.closes, dragged.quotes.dividends, dragged.quotes.splits)
    )
    factors = (close[1:] * split[1:] + dividend[1:] * split[1:]) / close[:-1]
    plain = given.prices[1:, 0] / given.prices[:-1, 0]
    np.testing.assert_allclose(factors, plain * [0.9998, 0.9998, 0.9994], rtol=1e-14)


def test_the_anchor_stays_as_it_is() -> None:
    given = panel()
    dragged = given.with_expense_drag({"A": 0.073}, anchor="2024-01-05")
    levels = np.array([1 / (0.9998 * 0.9998), 1 / 0.9998, 1.0, 0.9994])
    np.testing.assert_allclose(dragged.prices[:, 0], given.prices[:, 0] * levels, rtol=1e-15)
    assert dragged.prices[2, 0] == given.prices[2, 0]


@pytest.mark.parametrize("anchor", [0, 137, 499])
def test_against_a_plain_loop(anchor: int) -> None:
    generator = np.random.default_rng(8)
    days = np.datetime64("2001-01-01") + generator.integers(1, 6, 500).cumsum()
    prices = np.exp(generator.normal(0, 0.01, (500, 3)).cumsum(axis=0))
    bare = PricePanel(days, ("A", "B", "C"), prices, (PriceBasis.TOTAL_RETURN,) * 3)
    ratios = {"C": 0.2, "A": 0.0035}
    dragged = bare.with_expense_drag(ratios, anchor=days[anchor])
    dates = days.tolist()
    for column, symbol in enumerate(bare.symbols):
        for row in range(500):
            level = 1.0
            for step in range(min(row, anchor) + 1, max(row, anchor) + 1):
                gap = (dates[step] - dates[step - 1]).days
                level *= 1 - ratios.get(symbol, 0.0) * gap / 365
            expected = prices[row, column] * (level if row >= anchor else 1 / level)
            assert dragged.prices[row, column] == pytest.approx(expected, rel=1e-13)


def test_no_ratios_are_no_change() -> None:
    given = panel()
    assert given.with_expense_drag({}) is given


@pytest.mark.parametrize("ratio", [-0.001, 0.21, np.nan, np.inf, "0.01", None, True])
def test_ratios_out_of_range(ratio: Any) -> None:
    with pytest.raises(PriceDataError, match=r"A has the expense ratio .*, expected a fraction"):
        panel().with_expense_drag({"A": ratio})


def test_what_else_cannot_be() -> None:
    with pytest.raises(UnknownSymbolError, match="no prices of 'C'"):
        panel().with_expense_drag({"C": 0.01})
    for anchor in ("2024-01-06", "2024-01-02"):
        with pytest.raises(WindowError, match=f"{anchor} is not a session"):
            panel().with_expense_drag({"A": 0.01}, anchor=anchor)
    with pytest.raises(WindowError, match="no session on or after 2025-01-01"):
        panel().with_expense_drag({"A": 0.01}, anchor="2025-01-01")
    years = np.array(["2000-01-03", "2005-01-03"], dtype="datetime64[D]")
    holed = PricePanel(years, ("A",), np.ones((2, 1)), (PriceBasis.TOTAL_RETURN,))
    with pytest.raises(PriceDataError, match="A: 1827 days without a session up to 2005-01-03"):
        holed.with_expense_drag({"A": 0.2})
