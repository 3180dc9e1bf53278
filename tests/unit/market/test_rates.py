import datetime as dt
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import EtfBacktestError, RateError
from etf_backtest.market.rates import DatedRates, as_rate, rates_in_force, year_fractions

DATES = np.array(["2023-12-29", "2024-01-02", "2024-01-03", "2024-02-01"], "datetime64[D]")


def test_a_constant_rate_holds_for_every_step() -> None:
    assert rates_in_force(0.02, DATES).tolist() == [0.02, 0.02, 0.02]


def test_a_new_rate_holds_from_the_first_step_that_begins_on_its_date_or_later() -> None:
    # the rate of 2024-01-02 is not known on 2023-12-29, where the first step begins
    rates = DatedRates.of({"2024-01-02": 0.03, "2020-01-01": 0.01, dt.date(2024, 1, 20): 0.05})
    assert rates_in_force(rates, DATES).tolist() == [0.01, 0.03, 0.03]


def test_from_a_series() -> None:
    series = pd.Series([0.01, 0.02], index=pd.DatetimeIndex(["2023-01-31", "2023-02-28"]))
    rates = DatedRates.of(series)
    assert rates == DatedRates((dt.date(2023, 1, 31), dt.date(2023, 2, 28)), (0.01, 0.02))
    assert as_rate(rates.to_dict()) == rates
    assert pickle.loads(pickle.dumps(rates)) == rates
    assert hash(rates) == hash(DatedRates.of(series))


def test_days_count_over_weekends_and_holidays() -> None:
    assert year_fractions(DATES).tolist() == [4 / 365, 1 / 365, 29 / 365]


@pytest.mark.parametrize(
    ("series", "error", "message"),
    [
        ({}, RateError, "0 dates and 0 rates are no series"),
        ({"2024-01-02": 2.0}, RateError, "the rate on 2024-01-02 is 2.0, expected a fraction"),
        ({"2024-01-02": float("nan")}, RateError, "the rate on 2024-01-02 is nan"),
        ({"2024-01-02": "2%"}, RateError, "the rate on 2024-01-02 is '2%', expected a number"),
        ({"2024-01-02": None}, RateError, "is None, expected a number"),
        ({"soon": 0.01}, RateError, "'soon' is not a date"),
        (
            {"2024-01-02": 0.01, dt.date(2024, 1, 2): 0.02},
            RateError,
            "not ascending: 2024-01-02 follows 2024-01-02",
        ),
    ],
)
def test_what_is_no_series_of_rates(
    series: dict[Any, Any], error: type[EtfBacktestError], message: str
) -> None:
    with pytest.raises(error, match=message):
        DatedRates.of(series)


def test_rates_that_begin_too_late() -> None:
    rates = DatedRates.of({"2024-01-02": 0.03})
    with pytest.raises(RateError, match="begin on 2024-01-02, after the first session 2023-12-29"):
        rates_in_force(rates, DATES)


@pytest.mark.parametrize("value", [2, -1.0, float("inf"), "0.02", True, None])
def test_what_is_no_rate(value: object) -> None:
    with pytest.raises(ValueError, match="expected a"):
        as_rate(value)
