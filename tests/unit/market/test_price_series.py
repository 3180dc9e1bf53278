import datetime as dt
from typing import Any

import numpy as np
import pytest

from etf_backtest.errors import PriceDataError
from etf_backtest.market import PriceBasis, PriceSeries

DATES = np.array(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"], dtype="datetime64[D]")


def closes(split_adjusted: bool, **changes: Any) -> PriceSeries:
    values: dict[str, Any] = {
        "closes": [100.0, 51.0, 50.0, 55.0],
        "dividends": [0.0, 0.5, 0.0, 1.0],
        "splits": [1.0, 2.0, 1.0, 1.0],
    } | changes
    return PriceSeries.from_closes("ABC", DATES, split_adjusted=split_adjusted, **values)


def test_raw_closes_by_hand() -> None:
    # one share of 100 becomes two of 51 that pay 0.50 each: 103; then 50/51; then (55 + 1)/50
    series = closes(split_adjusted=False)
    expected = [100.0, 103.0, 103.0 * 50 / 51, 103.0 * 50 / 51 * 56 / 50]
    np.testing.assert_allclose(series.prices, expected, rtol=1e-15)
    assert series.basis is PriceBasis.CLOSE


def test_the_factor_is_that_of_the_conventions() -> None:
    series = closes(split_adjusted=False)
    close, dividend, split = [100.0, 51.0, 50.0, 55.0], [0.0, 0.5, 0.0, 1.0], [1.0, 2.0, 1.0, 1.0]
    for t in range(1, 4):
        factor = (close[t] * split[t] + dividend[t] * split[t]) / close[t - 1]
        assert series.prices[t] / series.prices[t - 1] == pytest.approx(factor, rel=1e-14)


def test_split_adjusted_closes_are_not_split_again() -> None:
    # the source has halved what came before the split: 50 instead of 100
    adjusted = closes(split_adjusted=True, closes=[50.0, 51.0, 50.0, 55.0])
    raw = closes(split_adjusted=False)
    np.testing.assert_allclose(adjusted.prices / 50.0, raw.prices / 100.0, rtol=1e-14)
    assert adjusted.basis is PriceBasis.SPLIT_ADJUSTED_CLOSE


def test_adjusted_closes_are_taken_as_they_are() -> None:
    series = PriceSeries.from_adjusted_closes("ABC", DATES, [1.0, 2.0, 3.0, 4.0])
    assert series.prices.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert series.basis is PriceBasis.ADJUSTED_CLOSE


def test_a_series_is_read_only_and_a_copy() -> None:
    given = np.array([1.0, 2.0, 3.0, 4.0])
    series = PriceSeries.from_adjusted_closes("ABC", DATES, given)
    given[0] = 9.0
    assert series.prices[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        series.prices[0] = 9.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"closes": [100.0, 0.0, 50.0, 55.0]}, "the close 0.0 on 2024-01-03"),
        ({"closes": [100.0, np.nan, 50.0, 55.0]}, "the close nan on 2024-01-03"),
        ({"closes": [100.0, np.inf, 50.0, 55.0]}, "the close inf on 2024-01-03"),
        ({"dividends": [0.0, -0.5, 0.0, 1.0]}, "the dividend -0.5 on 2024-01-03"),
        ({"dividends": [0.0, np.nan, 0.0, 1.0]}, "the dividend nan on 2024-01-03"),
        ({"splits": [1.0, 0.0, 1.0, 1.0]}, "the split ratio 0.0 on 2024-01-03"),
        ({"closes": [100.0]}, "ABC has 4 dates, but its close has the shape"),
    ],
)
def test_what_cannot_be_used_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PriceDataError, match=message) as caught:
        closes(split_adjusted=False, **changes)
    assert caught.value.symbol == "ABC"
    if "on" in message.split():
        assert caught.value.date == dt.date(2024, 1, 3)


def test_no_prices_at_all() -> None:
    with pytest.raises(PriceDataError, match="ABC has no prices"):
        PriceSeries.from_adjusted_closes("ABC", DATES[:0], [])


def test_unsorted_dates() -> None:
    with pytest.raises(PriceDataError, match="ABC: the dates are not sorted: 2024-01-04 follows"):
        PriceSeries.from_adjusted_closes("ABC", DATES[::-1], [1.0, 2.0, 3.0, 4.0])
