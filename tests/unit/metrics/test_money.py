"""Money-weighted return and turnover by hand, and where they have no answer."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from etf_backtest import metrics
from etf_backtest.errors import PriceDataError, ReturnsError, UndefinedMetricError
from etf_backtest.typing import DateArray, FloatArray


def days(*numbers: int) -> DateArray:
    dates: DateArray = np.datetime64("2021-01-01") + np.array(numbers)
    return dates


YEARLY = days(0, 365, 730)


def test_without_flows_it_is_the_growth_of_a_year_of_365_days() -> None:
    rate = metrics.money_weighted_return([100.0, 5.0, 121.0], [0.0, 0.0, 0.0], YEARLY)
    assert rate == pytest.approx(0.1, rel=1e-14)
    rate = metrics.money_weighted_return([100.0, 50.0], [0.0, 0.0], days(0, 73))
    assert rate == pytest.approx(0.5**5 - 1, rel=1e-14)


def test_a_contribution() -> None:
    # 100 now and 100 after a year at x: 100 q^2 + 100 q = 231 for q = 1.1
    rate = metrics.money_weighted_return([100.0, 210.0, 231.0], [0.0, 100.0, 0.0], YEARLY)
    assert rate == pytest.approx(0.1, rel=1e-13)


def test_a_withdrawal() -> None:
    # 100 q^2 - 50 q = 71.5 for q = 1.13027756...: (50 + sqrt(2500 + 28600)) / 200
    rate = metrics.money_weighted_return([100.0, 60.0, 71.5], [0.0, -50.0, 0.0], YEARLY)
    assert rate == pytest.approx((50 + math.sqrt(2500 + 28600)) / 200 - 1, rel=1e-13)


def test_the_first_flow_is_not_used_and_the_last_one_counts() -> None:
    # on the last day 30 came and are in the value: 100 became 110
    rate = metrics.money_weighted_return([100.0, 140.0], [1e9, 30.0], days(0, 365))
    assert rate == pytest.approx(0.1, rel=1e-13)


def test_the_given_arrays_stay_as_they_were() -> None:
    equity, flows = np.array([100.0, 210.0, 231.0]), np.array([7.0, 100.0, 0.0])
    metrics.money_weighted_return(equity, flows, YEARLY)
    assert (equity.tolist(), flows.tolist()) == ([100.0, 210.0, 231.0], [7.0, 100.0, 0.0])


def test_money_that_ran_out_has_a_rate_if_some_was_paid_out() -> None:
    # 100 in, 60 out after a year, 60 after two, nothing left: q = (60 + sqrt(3600 + 24000)) / 200
    rate = metrics.money_weighted_return([100.0, 50.0, 0.0], [0.0, -60.0, -60.0], YEARLY)
    assert rate == pytest.approx((60 + math.sqrt(27600)) / 200 - 1, rel=1e-13)


@pytest.mark.parametrize("end", [0.0, -20.0])
def test_nothing_ever_came_out(end: float) -> None:
    with pytest.raises(UndefinedMetricError, match="money went one way only"):
        metrics.money_weighted_return([100.0, 50.0, end], [0.0, 10.0, 0.0], YEARLY)


def test_flows_of_both_signs_without_a_rate() -> None:
    # 100 in, 110 out, 100 in, nothing left: 100 - 110 v + 100 v^2 has no real root
    with pytest.raises(UndefinedMetricError, match="no rate at which the present value is 0"):
        metrics.money_weighted_return([100.0, 5.0, 0.0], [0.0, -110.0, 100.0], YEARLY)


def test_of_several_rates_the_one_nearest_to_0() -> None:
    # -100, +230, -132, nothing left: q = 1.1 and q = 1.2
    rate = metrics.money_weighted_return([100.0, 5.0, 0.0], [0.0, -230.0, 132.0], YEARLY)
    assert rate == pytest.approx(0.1, rel=1e-12)
    # -100, +160, -63: q = 0.9 and q = 0.7
    rate = metrics.money_weighted_return([100.0, 5.0, 0.0], [0.0, -160.0, 63.0], YEARLY)
    assert rate == pytest.approx(-0.1, rel=1e-12)
    # -100, +199, -99: q = 1 and q = 0.99
    rate = metrics.money_weighted_return([100.0, 5.0, 0.0], [0.0, -199.0, 99.0], YEARLY)
    assert rate == pytest.approx(0.0, abs=1e-13)


def test_a_rate_beyond_all_numbers() -> None:
    with pytest.raises(UndefinedMetricError, match="not finite"):
        metrics.money_weighted_return([1.0, 1e10], [0.0, 0.0], days(0, 1))
    # all but lost in a day
    rate = metrics.money_weighted_return([1e10, 1.0], [0.0, 0.0], days(0, 1))
    assert rate == -1.0


@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1e6, 1e290])
def test_the_currency_plays_no_part(scale: float) -> None:
    equity, flows = np.array([100.0, 60.0, 71.5]) * scale, np.array([0.0, -50.0, 0.0]) * scale
    rate = metrics.money_weighted_return(equity, flows, YEARLY)
    assert rate == pytest.approx((50 + math.sqrt(31100)) / 200 - 1, rel=1e-12)


@settings(deadline=None)
@given(
    st.floats(-0.9, 5.0),
    st.lists(st.tuples(st.integers(1, 400), st.floats(-1e4, 1e4)), min_size=1, max_size=30),
)
@example(0.0, [(1, 0.0)])
def test_money_that_grows_at_a_rate_has_that_rate(
    rate: float, flows: list[tuple[int, float]]
) -> None:
    steps, amounts = np.array([step for step, _ in flows]), [amount for _, amount in flows]
    equity = [1e5]
    for step, amount in flows:
        equity.append(equity[-1] * (1 + rate) ** (step / 365) + amount)
    dates = days(0, *np.cumsum(steps).tolist())
    # with a value above 0 all the time the rate is the only one
    assume(min(equity) > 1.0)
    found = metrics.money_weighted_return(equity, [0.0, *amounts], dates)
    values = present_values(found, np.array(equity), np.array([0.0, *amounts]), dates)
    assert abs(values.sum()) <= 1e-11 * np.abs(values).sum()
    assert found == pytest.approx(rate, rel=1e-6, abs=1e-6)


def present_values(
    rate: float, equity: FloatArray, flows: FloatArray, dates: DateArray
) -> FloatArray:
    paid = -flows
    paid[0] = -equity[0]
    paid[-1] += equity[-1]
    years = (dates - dates[0]).astype(int) / 365
    # valued at the end, if the rate is below 0, so that no factor is huge
    values: FloatArray = paid * (1 + rate) ** ((years[-1] if rate < 0 else 0.0) - years)
    return values


def test_turnover() -> None:
    # 300 bought and sold of a mean of 200 in 731 days: 150 / 200 in 731 / 365.25 years
    dates = days(0, 365, 731)
    value = metrics.turnover([100.0, 200.0, 300.0], 300.0, dates)
    assert value == pytest.approx(0.75 / (731 / 365.25), rel=1e-14)
    assert metrics.turnover([100.0, 200.0, 300.0], 0.0, dates) == 0.0


def test_turnover_of_less_than_nothing() -> None:
    with pytest.raises(UndefinedMetricError, match="mean value is not positive"):
        metrics.turnover([100.0, -200.0], 300.0, days(0, 365))


def test_in_the_summary() -> None:
    equity, flows = [100.0, 210.0, 231.0], [0.0, 100.0, 0.0]
    summary = metrics.summary([0.1, 0.1], dates=YEARLY, equity=equity, flows=flows, traded=40.0)
    assert summary.money_weighted_return == metrics.money_weighted_return(equity, flows, YEARLY)
    assert summary.turnover == metrics.turnover(equity, 40.0, YEARLY)


@pytest.mark.parametrize(
    ("given", "money_weighted", "turnover"),
    [
        ({}, "the value in currency is not known", "the value in currency is not known"),
        (
            {"equity": [1.0, 2.0]},
            "the flows are not known",
            "the traded notional is not known",
        ),
        (
            {"flows": [0.0, 0.0], "traded": 1.0},
            "the value in currency is not known",
            "the value in currency is not known",
        ),
        (
            {"equity": [1.0, 2.0], "flows": [0.0, 0.0], "traded": 1.0},
            "the dates are not known",
            "the dates are not known",
        ),
    ],
)
def test_the_summary_says_what_was_not_given(
    given: dict[str, list[float]], money_weighted: str, turnover: str
) -> None:
    summary = metrics.summary([1.0], **given)  # type: ignore[arg-type]  # keywords of two types
    assert summary.undefined["money_weighted_return"] == money_weighted
    assert summary.undefined["turnover"] == turnover


def test_what_is_no_money() -> None:
    with pytest.raises(ReturnsError, match="equity: expected two or more, received 1"):
        metrics.money_weighted_return([1.0], [0.0], days(0))
    with pytest.raises(ReturnsError, match="flows: expected 2"):
        metrics.money_weighted_return([1.0, 2.0], [0.0], days(0, 1))
    with pytest.raises(ReturnsError, match="dates: expected 2, received 3"):
        metrics.turnover([1.0, 2.0], 1.0, YEARLY)
    with pytest.raises(PriceDataError, match="not sorted"):
        metrics.turnover([1.0, 2.0], 1.0, days(1, 0))
