"""What metrics cannot take is refused with one clear error, and a remedy."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest import metrics
from etf_backtest.errors import InvalidParametersError, PriceDataError, ReturnsError
from etf_backtest.metrics import RollingMetrics, rolling, summary

RETURNS = [0.01, -0.02, 0.005]
DAYS = pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"])
DATES = DAYS.to_numpy().astype("datetime64[D]")
SERIES = pd.Series(RETURNS, index=DAYS[1:])
ANY: Any = None
TEXT: Any = "x"
"""Wrong on purpose, whatever the type."""
ONES = np.ones((3, 2))

WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "text for traded": (lambda: summary(RETURNS, traded=TEXT), "traded: .* received 'x'"),
    "truth for traded": (lambda: summary(RETURNS, traded=True), "traded: .* received True"),
    "nan traded": (lambda: summary(RETURNS, traded=float("nan")), "traded: .* received nan"),
    "text for turnover": (lambda: metrics.turnover([1, 2], TEXT, DATES[:2]), "received 'x'"),
    "truth for a rate": (lambda: summary(RETURNS, risk_free=True), "the risk-free rate is True"),
    "no rate": (lambda: summary(RETURNS, risk_free=ANY), "the risk-free rate is None"),
    "no returns": (lambda: summary(ANY), "expected one or more in a row, received None"),
    "a number": (lambda: summary(0.1), "expected one or more in a row, received 0.1"),
    "text": (lambda: summary(["a"]), "expected numbers, received the type <U1"),
    "ragged": (lambda: summary([[1], [1, 2]]), "returns: expected numbers: "),
    "no dates": (lambda: metrics.return_table(RETURNS, ANY), "expected sessions, received None"),
    "no dates of months": (lambda: metrics.monthly_returns(RETURNS, ANY), "expected sessions"),
    "equity of 0": (lambda: summary(RETURNS, equity=[0, 1, 1, 1]), "it begins with 0.0"),
    "flows of nan": (lambda: summary(RETURNS, flows=[0, np.nan, 0, 0]), "number 1 is nan"),
    "benchmark": (lambda: summary(RETURNS, [0.1]), "benchmark: expected 3, one for each return"),
    "one value": (
        lambda: metrics.money_weighted_return([1], [0], DATES[:1]),
        "equity: expected two or more",
    ),
    "nan weights": (
        lambda: metrics.contribution_to_return(ONES * np.nan, ONES, RETURNS),
        "weights_before: row 0, column 0 is nan",
    ),
    "symbols": (
        lambda: metrics.contribution_to_return(ONES, ONES, RETURNS).to_series(["A"]),
        "symbols: expected 2",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_measured_has_a_remedy(wrong: str) -> None:
    measure, message = WRONG[wrong]
    with pytest.raises(ReturnsError, match=message) as refused:
        measure()
    assert refused.value.remedy is not None


def test_dates_of_two_dimensions_are_refused() -> None:
    with pytest.raises(PriceDataError, match=r"expected dates in a row, .* shape \(4, 1\)"):
        summary(RETURNS, dates=DATES[:, np.newaxis])


@pytest.mark.parametrize("limit", ["x", 1.5, [1]])
def test_a_limit_is_a_whole_number(limit: Any) -> None:
    with pytest.raises(InvalidParametersError, match="limit: expected a whole number"):
        metrics.drawdown_table(RETURNS, DATES, limit=limit)


@pytest.mark.parametrize("tail", ["x", None, 0.0, 1.0, float("nan"), 5])
def test_a_tail_is_a_fraction(tail: Any) -> None:
    with pytest.raises(InvalidParametersError, match="tail: expected a fraction between 0 and 1"):
        metrics.value_at_risk(RETURNS, tail)


@pytest.mark.parametrize("names", [5, [1], [["beta"]], [], "nothing\nlike it"])
def test_metrics_of_windows_are_named(names: Any) -> None:
    with pytest.raises(InvalidParametersError, match="rolling: metrics: ") as refused:
        rolling(RETURNS, 2, names)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("window", [True, "x", 2.0, None, 0, 4])
def test_a_window_is_a_number_of_returns(window: Any) -> None:
    with pytest.raises(InvalidParametersError, match="window: expected 1 to 3"):
        rolling(RETURNS, window)


@pytest.mark.parametrize("name", ["beta", "x", 5, ["volatility"]])
def test_what_was_not_computed_is_not_there(name: Any) -> None:
    with pytest.raises(InvalidParametersError, match="was not computed") as refused:
        rolling(RETURNS, 2, ("volatility",))[name]
    assert refused.value.accepted == ("volatility",)


class TestSeriesWithDatesOfTheirOwn:
    def test_the_same_dates(self) -> None:
        assert summary(SERIES, SERIES, dates=DATES) == summary(RETURNS, RETURNS, dates=DATES)

    def test_other_dates(self) -> None:
        shifted = pd.Series(RETURNS, index=DAYS[:-1])
        message = "its index has 2024-01-02 where the dates have 2024-01-03"
        with pytest.raises(ReturnsError, match=f"returns: {message}"):
            summary(shifted, dates=DATES)
        with pytest.raises(ReturnsError, match=f"benchmark: {message}") as refused:
            summary(RETURNS, shifted, dates=DATES)
        assert refused.value.remedy is not None

    def test_numbers_say_nothing_about_dates(self) -> None:
        numbered = pd.Series(RETURNS)
        assert summary(numbered, dates=DATES) == summary(RETURNS, dates=DATES)


@pytest.mark.parametrize(
    "copied", [lambda each: pickle.loads(pickle.dumps(each)), copy.copy, copy.deepcopy]
)
@pytest.mark.parametrize("dates", [None, DATES])
def test_metrics_of_windows_can_be_pickled(
    copied: Callable[[RollingMetrics], RollingMetrics], dates: Any
) -> None:
    own = rolling(RETURNS, 2, ("volatility", "skewness"), dates=dates)
    back = copied(own)
    assert back.window == 2
    assert list(back.values) == ["volatility", "skewness"]
    for name in back.values:
        np.testing.assert_array_equal(back[name], own[name])
        assert not back[name].flags.writeable
    if dates is None:
        assert back.dates is None
    else:
        assert back.dates is not None
        assert back.dates.tolist() == DATES[2:].tolist()
        assert not back.dates.flags.writeable
