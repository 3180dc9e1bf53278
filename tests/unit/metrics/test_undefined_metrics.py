"""What has no finite value is None and has a reason; it is never 0, NaN or an error."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest.metrics import METRIC_NAMES, Metrics, summary
from etf_backtest.typing import DateArray

SCHEMA = Path(__file__).parents[3] / "prisma" / "schema.prisma"


def dates(returns: int) -> DateArray:
    days: DateArray = pd.bdate_range("2020-01-01", periods=returns + 1).to_numpy()
    return days


def test_the_names_are_the_columns_of_the_database() -> None:
    model = re.search(r"model PerformanceMetrics \{(.*?)\n\}", SCHEMA.read_text(), re.DOTALL)
    assert model is not None
    fields = re.findall(r"^\s+(\w+)\s+Decimal\?", model[1], re.MULTILINE)
    columns = [re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", field).lower() for field in fields]
    assert tuple(columns) == METRIC_NAMES


def reasons(metrics: Metrics) -> dict[str, str]:
    for name in METRIC_NAMES:
        value = getattr(metrics, name)
        assert (value is None) == (name in metrics.undefined)
        assert value is None or np.isfinite(value)
    return dict(metrics.undefined)


def test_constant_returns() -> None:
    # 1.001 is not exact in binary: the scatter is rounding, not risk
    undefined = reasons(summary(np.full(300, 0.001), dates=dates(300), benchmark=np.zeros(300)))
    assert undefined == {
        "sharpe_ratio": "returns do not vary",
        "sortino_ratio": "no return is below the risk-free rate",
        "calmar_ratio": "there is no drawdown",
        "alpha": "the benchmark's returns do not vary",
        "beta": "the benchmark's returns do not vary",
        "information_ratio": "returns do not deviate from the benchmark's",
    }


def test_the_benchmark_itself() -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, 300)
    metrics = summary(returns, returns, dates=dates(300))
    assert reasons(metrics) == {"information_ratio": "returns do not deviate from the benchmark's"}
    assert metrics.tracking_error == 0.0
    assert metrics.beta == pytest.approx(1.0, rel=1e-12)


def test_one_return() -> None:
    undefined = reasons(summary([0.01], [0.02], dates=dates(1)))
    one = "one return has no standard deviation"
    assert {name for name, reason in undefined.items() if reason == one} == {
        "volatility",
        "sharpe_ratio",
        "alpha",
        "beta",
        "information_ratio",
        "tracking_error",
    }


def test_no_dates_no_benchmark() -> None:
    metrics = summary([0.01, -0.02])
    assert reasons(metrics) == {
        "annualized_return": "the dates are not known",
        "calmar_ratio": "the dates are not known",
        "win_rate": "the dates are not known",
        "alpha": "there is no benchmark",
        "beta": "there is no benchmark",
        "information_ratio": "there is no benchmark",
        "tracking_error": "there is no benchmark",
    }
    assert (metrics.start, metrics.end, metrics.sessions) == (None, None, 3)
    assert metrics.notes() == (
        "annualized_return, calmar_ratio, win_rate are undefined: the dates are not known",
        "alpha, beta, information_ratio, tracking_error are undefined: there is no benchmark",
    )


def test_numbers_beyond_all_numbers() -> None:
    metrics = summary(np.full(400, 1e6), dates=dates(400))
    assert metrics.total_return is None
    assert metrics.undefined["total_return"] == "it is not finite"


def test_losing_everything() -> None:
    metrics = summary([0.1, -1.0, 0.0], dates=dates(3))
    assert metrics.total_return == -1.0
    assert metrics.max_drawdown == -1.0


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
    metrics = summary([0.01, -0.02], dates=dates(2))
    stored = metrics.to_dict()
    assert list(stored) == ["start", "end", "sessions", *METRIC_NAMES, "undefined"]
    assert stored["start"] == "2020-01-01"
    assert stored["alpha"] is None
