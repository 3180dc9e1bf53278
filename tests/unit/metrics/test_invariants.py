"""What must hold for metrics of any returns: bounds, signs, scales."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etf_backtest import metrics
from etf_backtest.errors import UndefinedMetricError
from etf_backtest.metrics import METRIC_NAMES, Metrics, summary
from etf_backtest.typing import DateArray, FloatArray

Pair = tuple[FloatArray, FloatArray]


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Returns and those of a benchmark, 5 to 400 sessions, of a fund that may be levered."""
    size = draw(st.integers(5, 400))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    benchmark = rng.standard_t(4, size).clip(-20, 20) * 0.01
    own = draw(st.floats(-2, 2)) * benchmark + rng.normal(0, 0.01, size)
    return own.clip(-0.9, None), benchmark


def dates(returns: int) -> DateArray:
    days: DateArray = np.datetime64("2015-01-01") + np.arange(returns + 1) * 3
    return days


def measured(pair: Pair, risk_free: float = 0.0) -> Metrics:
    own, benchmark = pair
    return summary(own, benchmark, risk_free, dates(own.size))


def known(value: float | None) -> float:
    assert value is not None
    return value


@settings(deadline=None)
@given(pairs(), st.floats(-0.1, 0.2))
def test_bounds(pair: Pair, risk_free: float) -> None:
    found = measured(pair, risk_free)
    assert known(found.total_return) >= -1.0
    assert -1.0 <= known(found.max_drawdown) <= 0.0
    assert 0.0 <= known(found.ulcer_index) <= -known(found.max_drawdown) + 1e-15
    assert known(found.conditional_value_at_risk_95) <= known(found.value_at_risk_95) + 1e-15
    assert known(found.value_at_risk_95) >= pair[0].min()
    assert known(found.conditional_value_at_risk_95) >= pair[0].min() - 1e-15
    assert -1.0 <= known(found.correlation) <= 1.0
    assert 0.0 <= known(found.r_squared) <= 1.0
    assert 0.0 <= known(found.win_rate) <= 1.0
    assert known(found.volatility) >= 0.0
    assert known(found.tracking_error) >= 0.0
    # kurtosis is never below skewness squared - 2, up to the correction for bias
    assert known(found.kurtosis) > -7.0
    # the fall from the initial value cannot be deeper than the deepest one
    assert known(found.max_drawdown) <= known(found.total_return) + 1e-12


@settings(deadline=None)
@given(pairs())
def test_a_constant_rate_moves_nothing_of_second_order(pair: Pair) -> None:
    one, other = measured(pair, 0.0), measured(pair, 0.08)
    for name in ("volatility", "beta", "r_squared", "correlation", "tracking_error", "skewness"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(pairs(), st.floats(0.05, 1.0))
def test_scale(pair: Pair, scale: float) -> None:
    # scaled returns: means and deviations go with them, ratios of them stay
    one, other = measured(pair), measured((pair[0] * scale, pair[1]))
    for name in ("volatility", "value_at_risk_95", "conditional_value_at_risk_95", "beta", "alpha"):
        expected = getattr(one, name) * scale
        assert getattr(other, name) == pytest.approx(expected, rel=1e-9, abs=1e-13)
    for name in ("sharpe_ratio", "sortino_ratio", "omega_ratio", "tail_ratio", "correlation"):
        if getattr(one, name) is None:  # without losses
            assert getattr(other, name) is None
            continue
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-7, abs=1e-10)
    for name in ("skewness", "kurtosis", "r_squared"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-7, abs=1e-8)


@settings(deadline=None)
@given(pairs())
def test_sign(pair: Pair) -> None:
    own = pair[0].clip(-0.5, 0.5)
    one, other = measured((own, pair[1])), measured((-own, pair[1]))
    for name in ("sharpe_ratio", "skewness", "beta", "correlation", "alpha"):
        assert getattr(other, name) == pytest.approx(-getattr(one, name), rel=1e-9, abs=1e-12)
    for name in ("volatility", "kurtosis", "r_squared"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-9, abs=1e-12)
    if one.omega_ratio and other.omega_ratio:  # neither without gains nor without losses
        assert other.omega_ratio == pytest.approx(1 / one.omega_ratio, rel=1e-9)


@settings(deadline=None)
@given(pairs(), st.integers(0, 2**32 - 1))
def test_order_plays_no_part_where_there_is_no_path(pair: Pair, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(pair[0].size)
    one, other = measured(pair), measured((pair[0][order], pair[1][order]))
    path = {"max_drawdown", "ulcer_index", "calmar_ratio", "ulcer_performance_index"}
    months = {"up_capture", "down_capture", "win_rate"}
    for name in set(METRIC_NAMES) - path - months:
        expected = getattr(one, name)
        if expected is None:
            assert getattr(other, name) is None
        else:
            assert getattr(other, name) == pytest.approx(expected, rel=1e-8, abs=1e-11)


@settings(deadline=None)
@given(pairs())
def test_identities(pair: Pair) -> None:
    found = measured(pair)
    assert known(found.r_squared) == pytest.approx(known(found.correlation) ** 2, rel=1e-9)
    ratio = np.std(pair[0]) / np.std(pair[1])
    assert known(found.beta) == pytest.approx(known(found.correlation) * ratio, rel=1e-9, abs=1e-12)
    fitted = 252 * (pair[0].mean() - known(found.beta) * pair[1].mean())
    assert known(found.alpha) == pytest.approx(fitted, rel=1e-8, abs=1e-12)
    if found.calmar_ratio is not None:
        product = found.calmar_ratio * -known(found.max_drawdown)
        assert product == pytest.approx(known(found.cagr), rel=1e-12)


@settings(deadline=None)
@given(pairs())
def test_functions_and_summary_are_one(pair: Pair) -> None:
    own, benchmark = pair
    days = dates(own.size)
    found = summary(own, benchmark, 0.03, days)
    alone: dict[str, Callable[[], float]] = {
        "total_return": lambda: metrics.total_return(own),
        "cagr": lambda: metrics.cagr(own, days),
        "volatility": lambda: metrics.volatility(own),
        "sharpe_ratio": lambda: metrics.sharpe_ratio(own, 0.03),
        "sortino_ratio": lambda: metrics.sortino_ratio(own, 0.03),
        "calmar_ratio": lambda: metrics.calmar_ratio(own, days),
        "max_drawdown": lambda: metrics.max_drawdown(own),
        "ulcer_index": lambda: metrics.ulcer_index(own),
        "ulcer_performance_index": lambda: metrics.ulcer_performance_index(own, days, 0.03),
        "value_at_risk_95": lambda: metrics.value_at_risk(own),
        "conditional_value_at_risk_95": lambda: metrics.conditional_value_at_risk(own),
        "alpha": lambda: metrics.alpha(own, benchmark, 0.03),
        "beta": lambda: metrics.beta(own, benchmark, 0.03),
        "r_squared": lambda: metrics.r_squared(own, benchmark, 0.03),
        "correlation": lambda: metrics.correlation(own, benchmark),
        "information_ratio": lambda: metrics.information_ratio(own, benchmark),
        "tracking_error": lambda: metrics.tracking_error(own, benchmark),
        "up_capture": lambda: metrics.up_capture(own, benchmark, days),
        "down_capture": lambda: metrics.down_capture(own, benchmark, days),
        "omega_ratio": lambda: metrics.omega_ratio(own),
        "tail_ratio": lambda: metrics.tail_ratio(own),
        "skewness": lambda: metrics.skewness(own),
        "kurtosis": lambda: metrics.kurtosis(own),
        "win_rate": lambda: metrics.win_rate(own, days),
    }
    assert set(alone) | {"money_weighted_return", "turnover"} == set(METRIC_NAMES)
    for name, function in alone.items():
        if name in found.undefined:
            with pytest.raises(UndefinedMetricError, match=found.undefined[name]):
                function()
        else:
            assert function() == getattr(found, name)


WILD = st.floats(-1.0, 1e300) | st.floats(-1e-300, 1e-300) | st.sampled_from([-1.0, 0.0, 1e300])


@settings(deadline=None)
@given(st.lists(st.tuples(WILD, WILD), min_size=1, max_size=50), st.floats(-0.99, 1.0))
def test_extremes_have_a_value_or_a_reason(wild: list[tuple[float, float]], rate: float) -> None:
    own, benchmark = (np.array(column) for column in zip(*wild, strict=True))
    days = np.datetime64("2000-01-01") + np.arange(own.size + 1) * 20
    money = np.concatenate(([1.0], own))
    found = summary(own, benchmark, rate, days, equity=money, flows=-money, traded=1e300)
    for name in METRIC_NAMES:
        value = getattr(found, name)
        assert (value is None) == (name in found.undefined)
        assert value is None or math.isfinite(value), name


@settings(deadline=None)
@given(st.floats(-1.0, 1e6), st.integers(2, 400))
def test_constant_returns_have_no_risk(value: float, size: int) -> None:
    assume(value == 0.0 or abs(value) > 1e-12)
    own = np.full(size, value)
    found = summary(own, own, 0.0, dates(size))
    for name in ("sharpe_ratio", "beta", "alpha", "correlation", "r_squared", "information_ratio"):
        assert getattr(found, name) is None
    assert known(found.volatility) == pytest.approx(0.0, abs=1e-12 * max(1.0, abs(value)))
    assert found.tracking_error == 0.0
    if size > 3:
        assert (found.skewness, found.kurtosis) == (None, None)
