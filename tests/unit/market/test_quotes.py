"""Closes, dividends and splits beside total-return prices, and how they follow a panel's cuts."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etf_backtest.errors import MissingPricesError, PriceDataError
from etf_backtest.market import ForwardFill, PriceBasis, PricePanel, PriceSeries, Quotes
from etf_backtest.market.missing import complete_prices

DAYS = np.array(
    ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"], dtype="datetime64[D]"
)
NONE = np.nan


def mixed() -> PricePanel:
    """A: raw closes, 2:1 on day 1, a gap on days 2 and 3; B: total return alone; C: all closes."""
    return PricePanel.from_series(
        [
            PriceSeries.from_closes(
                "A",
                DAYS[[0, 1, 4]],
                [100.0, 51.0, 26.0],
                dividends=[0.0, 0.5, 1.0],
                splits=[1.0, 2.0, 2.0],
                split_adjusted=False,
            ),
            PriceSeries("B", DAYS, np.arange(1.0, 6.0), PriceBasis.TOTAL_RETURN),
            PriceSeries.from_closes(
                "C",
                DAYS,
                [10.0, 11.0, 12.0, 13.0, 14.0],
                dividends=[0.0, 0.0, 0.25, 0.0, 0.0],
                splits=[1.0, 1.0, 1.0, 3.0, 1.0],
                split_adjusted=True,
            ),
        ]
    )


CLOSES = [
    [100.0, NONE, 10.0],
    [51.0, NONE, 11.0],
    [NONE, NONE, 12.0],
    [NONE, NONE, 13.0],
    [26.0, NONE, 14.0],
]
DIVIDENDS = [[0.0, NONE, 0.0], [0.5, NONE, 0.0], [0.0, NONE, 0.25], [0.0, NONE, 0.0]]
DIVIDENDS += [[1.0, NONE, 0.0]]
# those of C are in its closes already
SPLITS = [[1.0, NONE, 1.0], [2.0, NONE, 1.0], [1.0, NONE, 1.0], [1.0, NONE, 1.0], [2.0, NONE, 1.0]]


def quotes_of(panel: PricePanel) -> Quotes:
    assert panel.quotes is not None
    for values in (panel.quotes.closes, panel.quotes.dividends, panel.quotes.splits):
        assert values.shape == panel.prices.shape
        assert values.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            values[0, 0] = 1.0
    return panel.quotes


def same(quotes: Quotes, closes: Any, dividends: Any, splits: Any) -> None:
    np.testing.assert_array_equal(quotes.closes, closes)
    np.testing.assert_array_equal(quotes.dividends, dividends)
    np.testing.assert_array_equal(quotes.splits, splits)


def test_series_side_by_side() -> None:
    quotes = quotes_of(mixed())
    same(quotes, CLOSES, DIVIDENDS, SPLITS)
    assert quotes.known.tolist() == [True, False, True]


def test_quotes_give_the_total_return_prices() -> None:
    # the factor of the conventions, over gaps too: (close * split + dividend * split) / last close
    panel = mixed()
    quotes = quotes_of(panel)
    for column, rows in ((0, [0, 1, 4]), (2, [0, 1, 2, 3, 4])):
        for last, row in pairwise(rows):
            close, dividend, split = (
                values[row, column] for values in (quotes.closes, quotes.dividends, quotes.splits)
            )
            factor = (close * split + dividend * split) / quotes.closes[last, column]
            prices = panel.prices[:, column]
            assert prices[row] / prices[last] == pytest.approx(factor, rel=1e-14)


def test_a_panel_without_closes_has_no_quotes() -> None:
    panel = mixed()
    assert panel.select(["B"]).quotes is None
    frame = pd.DataFrame({"A": [1.0, 2.0]}, index=pd.DatetimeIndex(DAYS[:2]))
    whole = PricePanel.from_frame(frame)
    assert whole.quotes is None
    for part in (whole.rows(0, 1), whole.followed_by(whole), whole.priced_sessions()):
        assert part.quotes is None
    empty = np.full((2, 1), NONE)
    quotes = Quotes(empty, empty, empty)
    panel = PricePanel(DAYS[:2], ("A",), np.ones((2, 1)), (PriceBasis.TOTAL_RETURN,), quotes)
    assert panel.quotes is None


def test_select_keeps_quotes_and_does_not_copy_for_nothing() -> None:
    panel = mixed()
    assert panel.select(["A", "B", "C"]) is panel
    turned = panel.select(["C", "A"])
    same(quotes_of(turned), *(np.array(v)[:, [2, 0]] for v in (CLOSES, DIVIDENDS, SPLITS)))
    assert turned.prices.flags.c_contiguous


def test_rows_share_memory() -> None:
    panel = mixed()
    part = panel.window("2024-01-03", "2024-01-05")
    same(quotes_of(part), CLOSES[1:4], DIVIDENDS[1:4], SPLITS[1:4])
    assert np.shares_memory(quotes_of(part).closes, quotes_of(panel).closes)


def test_priced_sessions_drop_quotes_with_their_rows() -> None:
    panel = mixed()
    assert panel.priced_sessions() is panel
    alone = panel.select(["A"]).priced_sessions()
    same(quotes_of(alone), [[100.0], [51.0], [26.0]], [[0.0], [0.5], [1.0]], [[1.0], [2.0], [2.0]])
    gapless = panel.select(["B", "C"])
    assert gapless.priced_sessions() is gapless


def test_followed_by_keeps_what_both_know() -> None:
    panel = mixed()
    again = panel.rows(0, 2).followed_by(panel.rows(2, None))
    same(quotes_of(again), CLOSES, DIVIDENDS, SPLITS)
    bare = PricePanel(panel.dates, panel.symbols, panel.prices, panel.basis)
    assert panel.rows(0, 2).followed_by(bare.rows(2, None)).quotes is None
    assert bare.rows(0, 2).followed_by(panel.rows(2, None)).quotes is None
    half = np.full((5, 1), NONE)
    quotes = quotes_of(panel)
    only_c = Quotes(
        *(
            np.hstack((half, half, values[:, 2:]))
            for values in (quotes.closes, quotes.dividends, quotes.splits)
        )
    )
    fewer = PricePanel(panel.dates, panel.symbols, panel.prices, panel.basis, only_c)
    joined = quotes_of(fewer.rows(0, 2).followed_by(panel.rows(2, None)))
    assert joined.known.tolist() == [False, False, True]
    same(joined, only_c.closes, only_c.dividends, only_c.splits)
    # nothing before: what follows is all there is
    assert quotes_of(bare.rows(0, 0).followed_by(panel)) is panel.quotes


def test_closes_are_carried_forward_with_the_prices() -> None:
    filled = complete_prices(mixed(), ForwardFill(2), first=0).panel
    closes = np.array(CLOSES)
    closes[2:4, 0] = 51.0
    # nothing happens on the rows that are filled; the split of the gap applies on the row after it
    same(quotes_of(filled), closes, DIVIDENDS, SPLITS)
    late = complete_prices(mixed(), ForwardFill(2), first=2).panel
    assert quotes_of(late).closes[:, 0].tolist() == [51.0, 51.0, 26.0]


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_carrying_forward_against_a_plain_loop(seed: int, max_gap: int) -> None:
    generator = np.random.default_rng(seed)
    prices = generator.uniform(1, 2, (12, 4))
    prices[1:][generator.random((11, 4)) < 0.4] = NONE
    closes = np.where([True, False, True, False], prices * 10, NONE)
    zero = np.where([True, False, True, False], np.zeros((12, 4)), NONE)
    days = np.datetime64("2024-01-01") + np.arange(12)
    panel = PricePanel(
        days, tuple("ABCD"), prices, (PriceBasis.CLOSE,) * 4, Quotes(closes, zero, zero + 1)
    )
    expected, too_long = prices.copy(), False
    for column in range(4):
        for row in range(1, 12):
            if np.isnan(prices[row, column]):
                gap = row
                while gap < 12 and np.isnan(prices[gap, column]):
                    gap += 1
                last = row - 1
                while np.isnan(prices[last, column]):
                    last -= 1
                if gap - last - 1 <= max_gap:
                    expected[row, column] = prices[last, column]
                else:
                    too_long = True
    if too_long:
        with pytest.raises(MissingPricesError):
            complete_prices(panel, ForwardFill(max_gap), first=0)
        return
    filled = complete_prices(panel, ForwardFill(max_gap), first=0).panel
    np.testing.assert_array_equal(filled.prices, expected)
    known = np.where([True, False, True, False], expected * 10, NONE)
    same(quotes_of(filled), known, zero, zero + 1)


def test_complete_prices_are_not_copied() -> None:
    panel = mixed().select(["B", "C"])
    for policy in ("error", "common", ForwardFill(3)):
        part = complete_prices(panel, policy, first=1).panel
        assert np.shares_memory(part.prices, panel.prices)
        assert np.shares_memory(quotes_of(part).closes, quotes_of(panel).closes)


def changed(name: str, row: int, column: int, value: float) -> PricePanel:
    panel = mixed()
    quotes = quotes_of(panel)
    arrays = {field: getattr(quotes, field).copy() for field in ("closes", "dividends", "splits")}
    arrays[name][row, column] = value
    return PricePanel(panel.dates, panel.symbols, panel.prices, panel.basis, Quotes(**arrays))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("closes", 1, 2, 0.0), "C has the close 0.0 on 2024-01-03, expected a positive number"),
        (("closes", 1, 2, -1.0), "C has the close -1.0 on 2024-01-03"),
        (("closes", 1, 2, np.inf), "C has the close inf on 2024-01-03"),
        (("closes", 1, 2, NONE), "C has the close nan on 2024-01-03, .* where there is a price"),
        (("closes", 2, 0, 5.0), "A has the close 5.0 on 2024-01-04, expected nan where there is"),
        (("closes", 2, 1, 5.0), "B has the close 5.0 on 2024-01-04, expected nan, like all"),
        (("dividends", 1, 2, -0.5), "C has the dividend -0.5 on 2024-01-03, expected 0 or more"),
        (("dividends", 1, 2, NONE), "C has the dividend nan on 2024-01-03"),
        (("dividends", 1, 2, np.inf), "C has the dividend inf on 2024-01-03"),
        (("dividends", 2, 0, 1.0), "A has the dividend 1.0 on 2024-01-04, expected 0 where there"),
        (("splits", 1, 2, 0.0), "C has the split ratio 0.0 on 2024-01-03, expected a positive"),
        (("splits", 1, 2, NONE), "C has the split ratio nan on 2024-01-03"),
        (("splits", 3, 0, 2.0), "A has the split ratio 2.0 on 2024-01-05, expected 1 where there"),
        (("splits", 3, 1, 2.0), "B has the split ratio 2.0 on 2024-01-05, expected nan, like all"),
    ],
)
def test_quotes_that_contradict_the_prices(
    change: tuple[str, int, int, float], message: str
) -> None:
    with pytest.raises(PriceDataError, match=message) as caught:
        changed(*change)
    assert caught.value.date == DAYS[change[1]].item()


def test_quotes_of_another_shape() -> None:
    with pytest.raises(PriceDataError, match=r"of one shape, .* \(2, 1\), \(2, 1\), \(1, 2\)"):
        Quotes(np.ones((2, 1)), np.ones((2, 1)), np.ones((1, 2)))
    with pytest.raises(PriceDataError, match="of one shape, sessions x symbols"):
        Quotes(np.ones(2), np.ones(2), np.ones(2))
    one = Quotes(np.ones((1, 1)), np.zeros((1, 1)), np.ones((1, 1)))
    with pytest.raises(PriceDataError, match=r"shape of the prices, \(2, 1\), received \(1, 1\)"):
        PricePanel(DAYS[:2], ("A",), np.ones((2, 1)), (PriceBasis.CLOSE,), one)


def test_series_have_all_of_the_quotes_or_none() -> None:
    with pytest.raises(PriceDataError, match="A has some of closes, dividends and splits"):
        PriceSeries("A", DAYS, np.ones(5), PriceBasis.CLOSE, closes=np.ones(5))
    with pytest.raises(PriceDataError, match=r"A has the split ratio -1\.0 on 2024-01-02"):
        PriceSeries("A", DAYS, np.ones(5), PriceBasis.CLOSE, np.ones(5), np.zeros(5), -np.ones(5))


@pytest.mark.parametrize(
    "again", [copy.deepcopy, copy.copy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_copies_are_read_only(again: Callable[[Any], Any]) -> None:
    panel = again(mixed().rows(1, 4))
    assert type(panel) is PricePanel
    assert panel.symbols == ("A", "B", "C")
    np.testing.assert_array_equal(panel.prices, mixed().prices[1:4])
    same(quotes_of(panel), CLOSES[1:4], DIVIDENDS[1:4], SPLITS[1:4])
    series = again(
        PriceSeries.from_closes(
            "A", DAYS[:2], [1.0, 2.0], dividends=[0.0, 0.0], splits=[1.0, 1.0], split_adjusted=False
        )
    )
    assert (series.symbol, series.basis) == ("A", PriceBasis.CLOSE)
    for array in (panel.dates, panel.prices, series.dates, series.prices, series.closes):
        assert not array.flags.writeable
    bare = again(PriceSeries.from_adjusted_closes("A", DAYS, np.ones(5)))
    assert bare.closes is bare.dividends is bare.splits is None
