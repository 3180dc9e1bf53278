"""Which of a symbol's stored prices its total return is made of, and what is kept beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from etf_backtest.database.price_store import StoredSeries
from etf_backtest.errors import NoPricesError
from etf_backtest.market import PriceBasis, PricePanel
from etf_backtest.services.price_panel import total_return_series

DAYS = np.array(["2024-01-02", "2024-01-03", "2024-01-04"], dtype="datetime64[D]")
NONE = [np.nan] * 3


TRADED: frozenset[bool | None] = frozenset({False})


def stored(*, said: frozenset[bool | None] = TRADED, **changes: Any) -> StoredSeries:
    values: dict[str, Any] = {
        "closes": [100.0, 51.0, 50.0],
        "adjusted_closes": [48.0, 50.0, 50.0],
        "dividends": [np.nan, 0.5, 0.0],
        "split_ratios": [np.nan, 2.0, 1.0],
    } | changes
    arrays = {name: np.array(values[name]) for name in values}
    return StoredSeries("A", DAYS, sources=(), split_adjusted=said, **arrays)


def test_closes_are_kept_where_they_are_used() -> None:
    series = total_return_series("A", {"A": stored()})
    assert series.basis is PriceBasis.CLOSE
    quotes = PricePanel.from_series([series]).quotes
    assert quotes is not None
    assert quotes.closes[:, 0].tolist() == [100.0, 51.0, 50.0]
    # a first row needs no dividend and no split
    assert quotes.dividends[:, 0].tolist() == [0.0, 0.5, 0.0]
    assert quotes.splits[:, 0].tolist() == [1.0, 2.0, 1.0]


@pytest.mark.parametrize("lacking", ["closes", "dividends", "split_ratios"])
def test_adjusted_closes_have_none_beside_them(lacking: str) -> None:
    changes: dict[str, Any] = {lacking: NONE}
    series = total_return_series("A", {"A": stored(**changes)})
    assert series.basis is PriceBasis.ADJUSTED_CLOSE
    assert PricePanel.from_series([series]).quotes is None


def test_closes_without_distributions_are_not_enough() -> None:
    with pytest.raises(NoPricesError, match="on 2024-01-03 its dividend or split ratio is not"):
        total_return_series("A", {"A": stored(dividends=NONE, adjusted_closes=NONE)})
    with pytest.raises(NoPricesError, match="no prices are stored"):
        total_return_series("A", {})


def test_closes_divided_by_later_splits_are_not_divided_again() -> None:
    adjusted = stored(closes=[50.0, 51.0, 50.0], said=frozenset({True}))
    series = total_return_series("A", {"A": adjusted})
    assert series.basis is PriceBasis.SPLIT_ADJUSTED_CLOSE
    # (51 + 0.5) / 50, then 50 / 51
    assert series.prices.tolist() == pytest.approx([50, 51.5, 51.5 * 50 / 51], rel=1e-15)
    assert series.splits is not None
    assert series.splits.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (frozenset({None}), "it is not said whether closes are as traded"),
        (frozenset({None, False}), "it is not the same for all whether closes are as traded"),
        (frozenset({True, False}), "it is not the same for all whether closes are as traded"),
    ],
)
def test_a_split_wants_to_know_what_closes_are(said: frozenset[bool | None], why: str) -> None:
    # adjusted closes are there, and need no such word
    series = total_return_series("A", {"A": stored(said=said)})
    assert series.basis is PriceBasis.ADJUSTED_CLOSE
    with pytest.raises(NoPricesError, match=f"a split on 2024-01-03, and {why}"):
        total_return_series("A", {"A": stored(said=said, adjusted_closes=NONE)})
    # without one, or with one before there was anything to divide, it makes no difference
    for splits in ([np.nan, 1.0, 1.0], [2.0, 1.0, 1.0]):
        series = total_return_series("A", {"A": stored(said=said, split_ratios=splits)})
        assert series.prices.tolist() == pytest.approx([100, 51.5, 51.5 * 50 / 51], rel=1e-15)
