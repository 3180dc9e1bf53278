"""Metrics of series that are short enough to compute by hand."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

from etf_backtest import metrics
from etf_backtest.errors import InvalidParametersError, ReturnsError, UndefinedMetricError

# 100 -> 110 -> 99 -> 108.9 -> 87.12 over the turn of a month
RETURNS = np.array([0.1, -0.1, 0.1, -0.2])
DATES = np.array(
    ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02", "2024-03-01"], dtype="datetime64[D]"
)


def test_total_return() -> None:
    assert metrics.total_return(RETURNS) == pytest.approx(-0.1288, rel=1e-12)


def test_volatility() -> None:
    # mean -0.025; deviations 0.125, -0.075, 0.125, -0.175; squares sum to 0.0675
    assert metrics.volatility(RETURNS) == pytest.approx(math.sqrt(0.0675 / 3 * 252), rel=1e-12)


def test_sharpe_ratio() -> None:
    expected = -0.025 / math.sqrt(0.0675 / 3) * math.sqrt(252)
    assert metrics.sharpe_ratio(RETURNS) == pytest.approx(expected, rel=1e-12)


def test_sharpe_ratio_over_a_rate() -> None:
    # 0.1 % a session compounds to this in 252
    annual = 1.001**252 - 1
    expected = -0.026 / math.sqrt(0.0675 / 3) * math.sqrt(252)
    assert metrics.sharpe_ratio(RETURNS, annual) == pytest.approx(expected, rel=1e-12)


def test_sortino_ratio_counts_all_sessions() -> None:
    # downside squares 0.01 and 0.04 over four sessions
    expected = 252 * -0.025 / (math.sqrt(252) * math.sqrt(0.05 / 4))
    assert metrics.sortino_ratio(RETURNS) == pytest.approx(expected, rel=1e-12)


def test_drawdowns() -> None:
    expected = [0.0, -0.1, -0.01, 87.12 / 110 - 1]
    np.testing.assert_allclose(metrics.drawdowns(RETURNS), expected, atol=1e-15)
    assert metrics.max_drawdown(RETURNS) == pytest.approx(87.12 / 110 - 1, rel=1e-12)


def test_the_initial_value_is_a_peak() -> None:
    assert metrics.max_drawdown(np.array([-0.3, 0.1])) == pytest.approx(-0.3, rel=1e-12)
    assert metrics.max_drawdown(np.array([0.3, 0.1])) == 0.0


def test_cagr_counts_calendar_days_from_the_initial_value() -> None:
    # 2020-01-01 to 2022-01-01 is 731 days
    dates = np.array(["2020-01-01", "2021-06-01", "2022-01-01"], dtype="datetime64[D]")
    returns = np.array([0.1, 0.1])
    expected = 1.21 ** (365.25 / 731) - 1
    assert metrics.cagr(returns, dates) == pytest.approx(expected, rel=1e-12)
    # no drawdown: no calmar ratio
    with pytest.raises(UndefinedMetricError, match="no drawdown"):
        metrics.calmar_ratio(returns, dates)
    falling = np.array([0.5, -0.2])
    expected = (1.2 ** (365.25 / 731) - 1) / 0.2
    assert metrics.calmar_ratio(falling, dates) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("end", "defined"), [("2021-12-31", True), ("2022-01-01", True), ("2021-12-30", False)]
)
def test_a_year_is_any_calendar_year(end: str, defined: bool) -> None:
    # from the last day of 2020 to that of 2021: 365 days
    dates = np.array(["2020-12-31", end], dtype="datetime64[D]")
    summary = metrics.summary([0.1], dates=dates)
    assert (summary.cagr is not None) is defined
    assert ("cagr" in summary.undefined) is not defined


def test_ulcer_index_counts_the_initial_value() -> None:
    # drawdowns 0 (initial), 0, -0.1, -0.01, 87.12/110-1 = -0.208
    expected = math.sqrt((0.1**2 + 0.01**2 + 0.208**2) / 5)
    assert metrics.ulcer_index(RETURNS) == pytest.approx(expected, rel=1e-12)


def test_ulcer_performance_index() -> None:
    # +50 %, -20 %: CAGR of 1.2 over 731 days; drawdowns 0, 0, -0.2
    dates = np.array(["2020-01-01", "2021-06-01", "2022-01-01"], dtype="datetime64[D]")
    growth = 1.2 ** (365.25 / 731) - 1
    expected = (growth - 0.03) / math.sqrt(0.2**2 / 3)
    value = metrics.ulcer_performance_index(np.array([0.5, -0.2]), dates, 0.03)
    assert value == pytest.approx(expected, rel=1e-12)


def test_omega_ratio() -> None:
    # gains 0.1 + 0.1, losses 0.1 + 0.2
    assert metrics.omega_ratio(RETURNS) == pytest.approx(2 / 3, rel=1e-12)


def test_tail_ratio() -> None:
    # of 21 evenly spaced returns the 2nd and the 20th: -0.09 and 0.09; shifted: -0.08 and 0.1
    even = np.arange(21) / 100 - 0.1
    assert metrics.tail_ratio(even) == pytest.approx(1.0, rel=1e-12)
    assert metrics.tail_ratio(even + 0.01) == pytest.approx(0.1 / 0.08, rel=1e-12)


def test_skewness_and_kurtosis() -> None:
    # 0, 0, 0, 4 %: deviations -1, -1, -1, 3; squares sum to 12, cubes to 24, fourths to 84
    returns = np.array([0.0, 0.0, 0.0, 0.04])
    # G1 = n sqrt(n - 1) / (n - 2) * cubes / squares^1.5
    assert metrics.skewness(returns) == pytest.approx(
        4 * math.sqrt(3) / 2 * 24 / 12**1.5, rel=1e-12
    )
    # G2 = (n - 1) / ((n - 2)(n - 3)) * (n (n + 1) fourths / squares^2 - 3 (n - 1))
    assert metrics.kurtosis(returns) == pytest.approx(3 / 2 * (4 * 5 * 84 / 144 - 9), rel=1e-12)


def test_capture() -> None:
    # months of the benchmark: +10 %, -10 %, +20 %, -20 %; of the fund: +5 %, +1 %, +40 %, -30 %
    dates = np.array(
        ["2024-01-31", "2024-02-29", "2024-03-29", "2024-04-30", "2024-05-31"],
        dtype="datetime64[D]",
    )
    benchmark, fund = np.array([0.1, -0.1, 0.2, -0.2]), np.array([0.05, 0.01, 0.4, -0.3])
    up = (math.sqrt(1.05 * 1.4) - 1) / (math.sqrt(1.1 * 1.2) - 1)
    down = (math.sqrt(1.01 * 0.7) - 1) / (math.sqrt(0.9 * 0.8) - 1)
    assert metrics.up_capture(fund, benchmark, dates) == pytest.approx(up, rel=1e-12)
    assert metrics.down_capture(fund, benchmark, dates) == pytest.approx(down, rel=1e-12)


def test_value_at_risk_interpolates() -> None:
    # 5 % of the way from the 1st to the 21st of 21: exactly the 2nd; of 3: 0.1 of the way
    assert metrics.value_at_risk(np.arange(21) / 100 - 0.1) == pytest.approx(-0.09, rel=1e-12)
    assert metrics.value_at_risk(np.array([0.03, -0.02, 0.01])) == pytest.approx(
        -0.02 + 0.1 * 0.03, rel=1e-12
    )


def test_conditional_value_at_risk_cuts_through_an_observation() -> None:
    # 5 % of 50 are 2.5 observations: the two worst, and half of the third
    returns = np.arange(50) / 1000 - 0.01
    expected = (-0.010 - 0.009 + 0.5 * -0.008) / 2.5
    assert metrics.conditional_value_at_risk(returns) == pytest.approx(expected, rel=1e-12)
    # 5 % of 4 are 0.2: the worst alone
    assert metrics.conditional_value_at_risk(RETURNS) == pytest.approx(-0.2, rel=1e-12)
    # 5 % of 20 are 1
    twenty = np.arange(20) / 1000 - 0.01
    assert metrics.conditional_value_at_risk(twenty) == pytest.approx(-0.01, rel=1e-12)


def test_months() -> None:
    # the return of 01-31 is January's, 02-01 and 02-02 are February's: 0.9 * 1.1, March's -0.2
    np.testing.assert_allclose(
        metrics.monthly_returns(RETURNS, DATES), [0.1, -0.01, -0.2], rtol=1e-12
    )
    assert metrics.win_rate(RETURNS, DATES) == pytest.approx(1 / 3, rel=1e-12)


def test_a_flat_month_is_not_won() -> None:
    assert metrics.win_rate(np.array([0.0, 0.0]), DATES[:3]) == 0.0


def test_beta_and_alpha() -> None:
    # twice the benchmark and 1 % a session on top
    benchmark = np.array([0.01, -0.02, 0.03, 0.0])
    returns = 0.01 + 2 * benchmark
    assert metrics.beta(returns, benchmark) == pytest.approx(2.0, rel=1e-12)
    assert metrics.alpha(returns, benchmark) == pytest.approx(2.52, rel=1e-12)
    # over a rate f a session: r - f = 0.01 + f + 2 (b - f)
    rate = 0.001
    over = metrics.alpha(returns, benchmark, 1.001**252 - 1)
    assert over == pytest.approx(252 * (0.01 + rate), rel=1e-10)


def test_r_squared_and_correlation() -> None:
    # deviations of r: 1, 0, -1 %; of b: 0, 1, -1 %: products sum to 1, squares to 2 and 2
    returns, benchmark = np.array([0.02, 0.01, 0.0]), np.array([0.01, 0.02, 0.0])
    assert metrics.correlation(returns, benchmark) == pytest.approx(0.5, rel=1e-12)
    assert metrics.r_squared(returns, benchmark) == pytest.approx(0.25, rel=1e-12)
    assert metrics.correlation(returns, -benchmark) == pytest.approx(-0.5, rel=1e-12)
    assert metrics.r_squared(returns, -benchmark) == pytest.approx(0.25, rel=1e-12)


def test_tracking_error_and_information_ratio() -> None:
    # active returns 0.01, 0.03: mean 0.02, standard deviation sqrt(0.0002)
    returns, benchmark = np.array([0.02, 0.01]), np.array([0.01, -0.02])
    error = math.sqrt(0.0002 * 252)
    assert metrics.tracking_error(returns, benchmark) == pytest.approx(error, rel=1e-12)
    assert metrics.information_ratio(returns, benchmark) == pytest.approx(
        252 * 0.02 / error, rel=1e-12
    )


def test_summary_has_its_window() -> None:
    summary = metrics.summary(RETURNS, RETURNS / 2, 0.01, DATES)
    assert (summary.start, summary.end) == (dt.date(2024, 1, 30), dt.date(2024, 3, 1))
    assert summary.sessions == 5
    assert summary.total_return == metrics.total_return(RETURNS)
    assert summary.sharpe_ratio == metrics.sharpe_ratio(RETURNS, 0.01)
    assert summary.alpha == metrics.alpha(RETURNS, RETURNS / 2, 0.01)
    assert summary.value_at_risk_95 == metrics.value_at_risk(RETURNS)
    assert summary.conditional_value_at_risk_95 == -0.2
    assert summary.undefined == {
        "cagr": "the window has 31 days, less than a year",
        "calmar_ratio": "the window has 31 days, less than a year",
        "ulcer_performance_index": "the window has 31 days, less than a year",
        "money_weighted_return": "the value in currency is not known",
        "turnover": "the value in currency is not known",
    }


@pytest.mark.parametrize(
    ("returns", "options", "message"),
    [
        ([], {}, r"returns: expected one or more in a row, received \(0,\)"),
        ([[0.1, 0.2]], {}, r"received \(1, 2\)"),
        ([0.1, math.nan], {}, "returns: number 1 is nan"),
        ([0.1, math.inf], {}, "returns: number 1 is inf"),
        ([0.1, -1.1], {}, "returns: number 1 is -1.1"),
        (
            [0.1, 0.2],
            {"benchmark": [0.1]},
            "benchmark: expected 2, one for each return, received 1",
        ),
        ([0.1, 0.2], {"benchmark": [0.1, math.nan]}, "benchmark: number 1 is nan"),
        ([0.1, 0.2], {"dates": DATES[:2]}, "dates: expected 3, received 2"),
        ([0.1, 0.2], {"risk_free": -1.0}, "risk-free rate is -1.0"),
        ([0.1, 0.2], {"risk_free": math.nan}, "risk-free rate is nan"),
        ([0.1, 0.2], {"risk_free": math.inf}, "risk-free rate is inf"),
        (
            [0.1, 0.2],
            {"risk_free": "2 %"},
            "risk-free rate is '2 %', expected a number or a series",
        ),
        ([0.1, 0.2], {"risk_free": {"2020-01-01": 0.1}}, "dated series, but .* no dates"),
        ("ten", {}, "returns: expected numbers"),
        ([0.1, 1j], {}, "returns: expected numbers, received the type complex128"),
        ([0.1, None], {}, "returns: number 1 is nan"),
        (np.ma.array([0.1, 0.2], mask=[False, True]), {}, "returns: number 1 is nan"),
        (["0.1 %"], {}, "returns: expected numbers"),
        ([0.1], {"equity": [1.0]}, r"equity: expected 2, one for each session, received \(1,\)"),
        ([0.1], {"equity": [0.0, 1.0]}, "equity: it begins with 0.0, expected more than 0"),
        ([0.1], {"equity": [1.0, math.inf]}, "equity: number 1 is inf"),
        ([0.1], {"flows": [0.0, math.nan]}, "flows: number 1 is nan"),
        ([0.1], {"traded": -1.0}, "traded: expected an amount of 0 or more, received -1.0"),
        ([0.1], {"traded": math.nan}, "traded: expected an amount of 0 or more, received nan"),
    ],
)
def test_what_cannot_be_measured(
    returns: list[float], options: dict[str, object], message: str
) -> None:
    with pytest.raises(ReturnsError, match=message):
        metrics.summary(returns, **options)  # type: ignore[arg-type]  # wrong on purpose


def test_series_of_other_dates_are_not_compared() -> None:
    returns = pd.Series([0.1, 0.2], index=pd.bdate_range("2024-01-01", periods=2))
    assert metrics.correlation(returns, returns) == pytest.approx(1.0)
    assert metrics.correlation(returns, [0.2, 0.4]) == pytest.approx(1.0)
    shifted = returns.set_axis(returns.index + pd.offsets.BDay())
    with pytest.raises(ReturnsError, match="index is not that of the returns"):
        metrics.summary(returns, shifted)


@pytest.mark.parametrize("tail", [0.0, 1.0, -0.05, 5.0, math.nan])
def test_a_tail_is_a_part(tail: float) -> None:
    for metric in (metrics.value_at_risk, metrics.conditional_value_at_risk):
        with pytest.raises(InvalidParametersError, match="tail: expected a fraction between 0 and"):
            metric(RETURNS, tail)
