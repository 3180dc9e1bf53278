"""What has no finite value is None and has a reason; it is never 0, NaN or an error."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest import metrics
from etf_backtest.errors import UndefinedMetricError
from etf_backtest.metrics import METRIC_NAMES, Metrics, summary
from etf_backtest.typing import DateArray

SCHEMA = Path(__file__).parents[3] / "prisma" / "schema.prisma"


NO_MONEY = dict.fromkeys(
    ("money_weighted_return", "turnover"), "the value in currency is not known"
)
CALENDAR = ("cagr", "calmar_ratio", "ulcer_performance_index", "win_rate")
AGAINST = (
    "alpha",
    "beta",
    "r_squared",
    "correlation",
    "information_ratio",
    "tracking_error",
    "up_capture",
    "down_capture",
)


def dates(returns: int) -> DateArray:
    days: DateArray = pd.bdate_range("2020-01-01", periods=returns + 1).to_numpy()
    return days


def test_the_names_are_the_columns_of_the_database() -> None:
    model = re.search(r"model PerformanceMetrics \{(.*?)\n\}", SCHEMA.read_text(), re.DOTALL)
    assert model is not None
    fields = re.findall(r"^\s+(\w+)\s+Decimal\?", model[1], re.MULTILINE)
    columns = [re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", field).lower() for field in fields]
    # the column has the older name of cagr
    names = ["cagr" if column == "annualized_return" else column for column in columns]
    assert sorted(names) == sorted(METRIC_NAMES)


def reasons(measured: Metrics) -> dict[str, str]:
    for name in METRIC_NAMES:
        value = getattr(measured, name)
        assert (value is None) == (name in measured.undefined)
        assert value is None or np.isfinite(value)
    return dict(measured.undefined)


def test_constant_returns() -> None:
    # 1.001 is not exact in binary: the scatter is rounding, not risk
    undefined = reasons(summary(np.full(300, 0.001), dates=dates(300), benchmark=np.zeros(300)))
    assert undefined == {
        "sharpe_ratio": "returns do not vary",
        "sortino_ratio": "no return is below the risk-free rate",
        "calmar_ratio": "there is no drawdown",
        "ulcer_performance_index": "there is no drawdown",
        "alpha": "the benchmark's returns do not vary",
        "beta": "the benchmark's returns do not vary",
        "r_squared": "the benchmark's returns do not vary",
        "correlation": "the benchmark's returns do not vary",
        "information_ratio": "returns do not deviate from the benchmark's",
        "up_capture": "the benchmark rose in no month",
        "down_capture": "the benchmark fell in no month",
        "omega_ratio": "no return is below 0",
        "skewness": "returns do not vary",
        "kurtosis": "returns do not vary",
        **NO_MONEY,
    }


def test_the_benchmark_itself() -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, 300)
    measured = summary(returns, returns, dates=dates(300))
    assert reasons(measured) == {
        "information_ratio": "returns do not deviate from the benchmark's",
        **NO_MONEY,
    }
    assert measured.tracking_error == 0.0
    assert measured.beta == pytest.approx(1.0, rel=1e-12)
    assert measured.r_squared == pytest.approx(1.0, rel=1e-12)
    assert measured.correlation == pytest.approx(1.0, rel=1e-12)
    assert measured.up_capture == measured.down_capture == 1.0


def test_one_return() -> None:
    undefined = reasons(summary([0.01], [0.02], dates=dates(1)))
    one = "one return has no standard deviation"
    assert {name for name, reason in undefined.items() if reason == one} == {
        "volatility",
        "sharpe_ratio",
        "alpha",
        "beta",
        "r_squared",
        "correlation",
        "information_ratio",
        "tracking_error",
    }
    assert undefined["skewness"] == "skewness needs 3 returns"
    assert undefined["kurtosis"] == "kurtosis needs 4 returns"


def test_no_dates_no_benchmark() -> None:
    measured = summary([0.01, -0.02])
    assert reasons(measured) == {
        **dict.fromkeys(CALENDAR, "the dates are not known"),
        **dict.fromkeys(AGAINST, "there is no benchmark"),
        "skewness": "skewness needs 3 returns",
        "kurtosis": "kurtosis needs 4 returns",
        **NO_MONEY,
    }
    assert (measured.start, measured.end, measured.sessions) == (None, None, 3)
    assert measured.notes() == (
        "cagr, calmar_ratio, ulcer_performance_index, win_rate are undefined: "
        "the dates are not known",
        "alpha, beta, r_squared, correlation, information_ratio, tracking_error, up_capture, "
        "down_capture are undefined: there is no benchmark",
        "skewness is undefined: skewness needs 3 returns",
        "kurtosis is undefined: kurtosis needs 4 returns",
        "money_weighted_return, turnover are undefined: the value in currency is not known",
    )


def test_numbers_beyond_all_numbers() -> None:
    huge = summary(np.full(400, 1e6), dates=dates(400))
    assert huge.total_return is None
    assert huge.undefined["total_return"] == "it is not finite"


@pytest.mark.parametrize("after", [0.0, 0.5])
def test_losing_everything(after: float) -> None:
    # ruin in the second of 300 sessions; what follows is nothing of nothing
    returns = np.array([0.1, -1.0, *[after] * 298])
    measured = summary(returns, -returns / 2, 0.01, dates(300))
    assert measured.total_return == measured.cagr == measured.max_drawdown == -1.0
    assert measured.calmar_ratio == -1.0
    # drawdown 0 before, -1 on all 299 values since
    assert measured.ulcer_index == pytest.approx(np.sqrt(299 / 301), rel=1e-12)
    assert set(measured.undefined) >= set(NO_MONEY)


@pytest.mark.parametrize(
    ("metric", "arguments", "reason"),
    [
        (metrics.omega_ratio, ([0.1, 0.0],), "no return is below 0"),
        (metrics.omega_ratio, ([0.0, 0.0],), "no return is below 0"),
        (metrics.tail_ratio, ([0.0, 0.0, 0.1],), "the 5th percentile of the returns is 0"),
        (metrics.skewness, ([0.1, 0.2],), "skewness needs 3 returns"),
        (metrics.kurtosis, ([0.1, 0.2, 0.3],), "kurtosis needs 4 returns"),
        (metrics.skewness, ([0.1] * 9,), "returns do not vary"),
        (metrics.kurtosis, ([0.1] * 9,), "returns do not vary"),
        (metrics.correlation, ([0.1] * 9, range(9)), "returns do not vary"),
        (metrics.r_squared, ([0.1] * 9, range(9)), "returns do not vary"),
    ],
)
def test_each_function_says_why(
    metric: Callable[..., float], arguments: tuple[object, ...], reason: str
) -> None:
    with pytest.raises(UndefinedMetricError, match=reason):
        metric(*arguments)


@settings(deadline=None)
@given(
    st.lists(st.floats(-1.0, 1e3), min_size=1, max_size=40),
    st.integers(0, 2**32 - 1),
    st.floats(-0.5, 0.5),
)
def test_never_nan_never_an_error(returns: list[float], seed: int, risk_free: float) -> None:
    benchmark = np.random.default_rng(seed).normal(0, 0.01, len(returns))
    days = np.datetime64("2020-01-01") + np.arange(len(returns) + 1) * 20
    reasons(summary(returns, benchmark, risk_free, days))


def test_as_json() -> None:
    measured = summary([0.01, -0.02], dates=dates(2))
    stored = measured.to_dict()
    assert list(stored) == ["start", "end", "sessions", *METRIC_NAMES, "undefined"]
    assert stored["start"] == "2020-01-01"
    assert stored["alpha"] is None
