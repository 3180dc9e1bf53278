"""A rolling metric is the plain one of each window."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest import metrics
from etf_backtest.errors import InvalidParametersError, ReturnsError, UndefinedMetricError
from etf_backtest.metrics import ROLLING_METRICS, rolling
from etf_backtest.typing import DateArray, FloatArray

RATE = 0.02


def plain(name: str, returns: FloatArray, benchmark: FloatArray) -> float:
    """The plain function on one window; NaN where it is undefined."""
    if name == "annual_return":
        years = returns.size / 252
        with np.errstate(divide="ignore"):  # of a total loss
            growth = np.log1p(metrics.total_return(returns)) / years
        return float("nan") if growth > 700 else float(np.expm1(growth))
    arguments: tuple[object, ...] = (returns,)
    if name in ("alpha", "beta", "r_squared"):
        arguments = (returns, benchmark, RATE)
    elif name in ("correlation", "tracking_error", "information_ratio"):
        arguments = (returns, benchmark)
    elif name in ("sharpe_ratio", "sortino_ratio"):
        arguments = (returns, RATE)
    function: Callable[..., float] = getattr(metrics, name.removesuffix("_95"))
    try:
        return function(*arguments)
    except UndefinedMetricError:
        return float("nan")


def series(seed: int, size: int) -> tuple[FloatArray, FloatArray]:
    benchmark = np.random.default_rng(seed).standard_t(4, size) * 0.01
    own = 0.7 * benchmark + np.random.default_rng(seed + 1).normal(0, 0.004, size)
    return own, benchmark


# long enough for several blocks of windows
LONG = series(1, 3000)
# levels that cancel: a calm tail after huge moves, and constant stretches
ROUGH = series(5, 200)
ROUGH[0][:40], ROUGH[1][:40] = 1e3, -0.9
ROUGH[0][80:120], ROUGH[1][90:130] = 0.001, 0.002
ROUGH[0][150] = -1.0


@pytest.mark.parametrize("name", ROLLING_METRICS)
@pytest.mark.parametrize(("pair", "window"), [(LONG, 252), (ROUGH, 20), (ROUGH, 3), (ROUGH, 1)])
def test_agrees_with_the_plain_function(
    name: str, pair: tuple[FloatArray, FloatArray], window: int
) -> None:
    own, benchmark = pair
    found = rolling(own, window, name, benchmark=benchmark, risk_free=RATE)[name]
    assert found.shape == (own.size - window + 1,)
    step = 97 if own.size > 1000 else 1
    for k in range(0, found.size, step):
        part = slice(k, k + window)
        expected = plain(name, own[part], benchmark[part])
        assert found[k] == pytest.approx(expected, rel=1e-10, abs=1e-10, nan_ok=True)


def test_all_of_them_at_once() -> None:
    own, benchmark = ROUGH
    alone = rolling(own, 20)
    assert "sharpe_ratio" in alone.values
    assert "beta" not in alone.values
    together = rolling(own, 20, benchmark=benchmark)
    assert tuple(together.values) == ROLLING_METRICS
    for name, values in alone.values.items():
        np.testing.assert_array_equal(values, together[name])
    two = rolling(own, 20, ("beta", "volatility"), benchmark=benchmark)
    assert tuple(two.values) == ("beta", "volatility")


def test_a_window_of_all_returns_is_the_summary() -> None:
    own, benchmark = LONG
    whole = metrics.summary(own, benchmark, RATE)
    found = rolling(own, own.size, benchmark=benchmark, risk_free=RATE)
    for name in set(ROLLING_METRICS) & set(metrics.METRIC_NAMES):
        assert found[name].tolist() == pytest.approx([getattr(whole, name)], rel=1e-10)


def dates(returns: int) -> DateArray:
    days: DateArray = np.datetime64("2024-01-01") + np.arange(returns + 1)
    return days


def test_dates_are_the_last_session_of_each_window() -> None:
    # five returns, of 01-02 to 01-06; windows of three end on 01-04, 01-05, 01-06
    found = rolling([0.1, 0.2, 0.3, 0.4, 0.5], 3, "total_return", dates=dates(5))
    assert found.dates is not None
    assert found.dates.astype(str).tolist() == ["2024-01-04", "2024-01-05", "2024-01-06"]
    expected = [1.1 * 1.2 * 1.3 - 1, 1.2 * 1.3 * 1.4 - 1, 1.3 * 1.4 * 1.5 - 1]
    np.testing.assert_allclose(found["total_return"], expected, rtol=1e-14)
    frame = found.to_frame()
    assert [str(day)[:10] for day in frame.index] == found.dates.astype(str).tolist()
    assert frame["total_return"].tolist() == found["total_return"].tolist()
    assert rolling([0.1, 0.2], 2).to_frame().index.tolist() == [1]


def test_a_dated_risk_free_rate_holds_for_its_sessions() -> None:
    own = LONG[0][:60]
    rates = {"2024-01-01": 0.01, "2024-02-01": 0.05}
    found = rolling(own, 20, "sharpe_ratio", risk_free=rates, dates=dates(60))["sharpe_ratio"]
    for k in range(41):
        expected = metrics.sharpe_ratio(own[k : k + 20], rates, dates(60)[k : k + 21])
        assert found[k] == pytest.approx(expected, rel=1e-10)


def test_the_arrays_are_read_only() -> None:
    found = rolling([0.1, 0.2, 0.3], 2, dates=dates(3))
    assert found.dates is not None
    for array in (found.dates, *found.values.values()):
        assert not array.flags.writeable
    with pytest.raises(TypeError):
        found.values["beta"] = found["volatility"]  # type: ignore[index]  # wrong on purpose
    frame = found.to_frame()
    frame.iloc[0] = 0.0  # a copy


@pytest.mark.parametrize(
    ("window", "names", "message"),
    [
        (0, None, "window: expected 1 to 3, the number of returns, received 0"),
        (4, None, "window: expected 1 to 3, the number of returns, received 4"),
        (2.0, None, "received 2.0"),
        ("2", None, "received '2'"),
        (2, "gamma", "metrics: 'gamma' cannot be computed in windows .*accepts total_return"),
        (2, ["cagr", "volatility"], "'cagr' cannot be computed in windows"),
        (2, [], "metrics: none cannot be computed"),
        (2, "beta", "benchmark: beta cannot be computed without one"),
    ],
)
def test_what_cannot_be_rolled(window: int, names: str | list[str], message: str) -> None:
    with pytest.raises(InvalidParametersError, match=message):
        rolling([0.1, 0.2, 0.3], window, names)


def test_returns_that_are_none() -> None:
    with pytest.raises(ReturnsError, match="number 1 is nan"):
        rolling([0.1, float("nan")], 1)


@settings(deadline=None)
@given(
    st.lists(st.floats(-1.0, 1e300) | st.floats(-1.0, 1.0), min_size=1, max_size=30),
    st.integers(1, 30),
)
def test_extremes_are_numbers_or_nan(returns: list[float], window: int) -> None:
    size = min(window, len(returns))
    found = rolling(returns, size, benchmark=returns[::-1], risk_free=-0.5)
    for name, values in found.values.items():
        assert not np.isinf(values).any(), name
