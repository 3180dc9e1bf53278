"""Float noise is neither a gain nor a loss, of a session, a month or a year."""

from collections.abc import Callable

import numpy as np
import pytest

from etf_backtest import metrics
from etf_backtest.errors import UndefinedMetricError
from etf_backtest.metrics.periods import FLAT
from etf_backtest.typing import FloatArray

ULP = 2.220446049250313e-16
"""What a value of 1 changes by at least, if at all: numpy.finfo(float).eps."""
DAYS = np.array(
    ["2023-12-29", "2024-01-10", "2024-01-31", "2024-02-15", "2024-02-29", "2024-03-28"],
    dtype="datetime64[D]",
)


def test_a_month_in_cash_is_no_win() -> None:
    # January: 1 % and -0.5 %; February: noise of cash alone; March: -1 %
    returns = [0.01, -0.005, ULP, 0.0, -0.01]
    assert metrics.monthly_returns(returns, DAYS)[1] == 0.0
    assert metrics.win_rate(returns, DAYS) == 1 / 3
    table = metrics.return_table(returns, DAYS)
    assert table.months[0, 1] == 0.0
    assert metrics.summary(returns, dates=DAYS).win_rate == 1 / 3


def test_a_year_in_cash_has_a_return_of_0() -> None:
    noise = [ULP, -ULP / 2, ULP, ULP, ULP]
    assert metrics.annual_returns(noise, DAYS).tolist() == [0.0]
    assert metrics.return_table(noise, DAYS).totals.tolist() == [0.0]
    assert metrics.win_rate(noise, DAYS) == 0.0


@pytest.mark.parametrize(("gain", "rate"), [(2 * FLAT, 1.0), (FLAT / 2, 0.0), (-2 * FLAT, 0.0)])
def test_the_threshold_is_a_billionth_of_a_permille(gain: float, rate: float) -> None:
    assert FLAT == 1e-12
    assert metrics.win_rate([gain], DAYS[:2]) == rate


def test_months_in_which_the_benchmark_stood_still_are_not_captured() -> None:
    returns, noise = [0.01, 0.02, 0.03, 0.0, -0.01], [ULP, 0.0, -ULP / 2, 0.0, 0.02]
    # it rose in March alone: -1 % over 2 %
    assert metrics.up_capture(returns, noise, DAYS) == pytest.approx(-0.5, abs=1e-15)
    with pytest.raises(UndefinedMetricError, match="the benchmark fell in no month"):
        metrics.down_capture(returns, noise, DAYS)


UNDEFINED: dict[str, tuple[Callable[[FloatArray], float], str]] = {
    "omega_ratio": (metrics.omega_ratio, "no return is below 0"),
    "tail_ratio": (metrics.tail_ratio, "the 5th percentile of the returns is 0"),
    "sortino_ratio": (metrics.sortino_ratio, "no return is below the risk-free rate"),
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_noise_is_no_loss_alone_or_in_windows(name: str) -> None:
    function, reason = UNDEFINED[name]
    noise = np.full(30, -ULP)
    noise[::3] = 0.01
    with pytest.raises(UndefinedMetricError, match=reason):
        function(noise)
    assert metrics.summary(noise).undefined[name] == reason
    assert np.isnan(metrics.rolling(noise, 10, name)[name]).all()


@pytest.mark.parametrize("name", UNDEFINED)
def test_small_losses_are_losses_alone_and_in_windows(name: str) -> None:
    function, _ = UNDEFINED[name]
    small = np.full(30, -2 * FLAT)
    small[::3] = 0.01
    assert metrics.rolling(small, 30, name)[name][0] == pytest.approx(function(small), rel=1e-12)
