"""Each metric against the library that conventions.md names for it, on random and real returns."""

import datetime as dt
import gzip
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import empyrical  # type: ignore[import-untyped]  # has no types
import ffn  # type: ignore[import-untyped]  # has no types
import numpy as np
import pandas as pd
import pytest
import pyxirr
import statsmodels.api as sm  # type: ignore[import-untyped]  # has no types
from scipy import optimize, stats  # type: ignore[import-untyped]  # has no types
from skfolio.measures import cvar  # type: ignore[import-untyped]  # has no types

from etf_backtest import metrics
from etf_backtest.typing import DateArray, FloatArray

EXACT = 1e-10


def real() -> pd.DataFrame:
    data = files("skfolio.datasets") / "data" / "factors_dataset.csv.gz"
    with data.open("rb") as packed, gzip.open(packed) as text:
        return pd.read_csv(text, index_col=0, parse_dates=True)


def random(seed: int, sessions: int) -> pd.DataFrame:
    steps = np.random.default_rng(seed).standard_t(4, (sessions, 2)) * 0.01
    index = pd.bdate_range("2001-03-01", periods=sessions)
    return pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), index=index)


CASES = {
    "MTUM over QUAL": real()[["MTUM", "QUAL"]],
    "SIZE over VLUE, three years": real().loc["2016-02-03":"2019-05-06", ["SIZE", "VLUE"]],
    "random, 20 years": random(1, 5040),
    "random, 501 returns": random(2, 502),
    "random, 500 returns": random(3, 501),
}
RISK_FREE = 0.023


def compounded(returns: "pd.Series[float]", period: str) -> "pd.Series[float]":
    """pandas' product of 1 + return in each period, less 1."""
    growth = (1 + returns).groupby(pd.PeriodIndex(returns.index, freq=period)).prod()
    return growth - 1


def invested(returns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Value of 100,000 of which 300 are taken each 21 sessions, twice a year 5,000 are added."""
    flows = np.zeros(returns.size + 1)
    flows[21::21] = -300.0
    flows[126::126] = 5000.0
    flows[-1] = 0.0
    equity = np.full(returns.size + 1, 100_000.0)
    for row, change in enumerate(returns):
        equity[row + 1] = equity[row] * (1 + change) + flows[row + 1]
    return equity, flows


class Case:
    """Prices of a fund and its benchmark, and their returns."""

    def __init__(self, prices: pd.DataFrame) -> None:
        self.prices = prices.iloc[:, 0]
        values = prices.to_numpy()
        changes: FloatArray = values[1:] / values[:-1] - 1
        self.returns, self.benchmark = changes[:, 0], changes[:, 1]
        self.dates: DateArray = prices.index.to_numpy()
        self.session_rate = (1 + RISK_FREE) ** (1 / 252) - 1
        own = pd.Series(self.returns, index=prices.index[1:])
        other = pd.Series(self.benchmark, index=prices.index[1:])
        self.months, self.benchmark_months = compounded(own, "M"), compounded(other, "M")
        market = sm.add_constant(self.benchmark - self.session_rate)
        self.regression = sm.OLS(self.returns - self.session_rate, market).fit()
        self.equity, self.flows = invested(self.returns)
        self.traded = 123_456.0
        self.summary = metrics.summary(
            self.returns,
            self.benchmark,
            RISK_FREE,
            self.dates,
            equity=self.equity,
            flows=self.flows,
            traded=self.traded,
        )


@pytest.fixture(params=CASES, scope="module")
def case(request: pytest.FixtureRequest) -> Case:
    return Case(CASES[request.param])


def ffn_ulcer_index(case: Case) -> float:
    return float(ffn.core.to_ulcer_index(case.prices)) / 100


def monthly_capture(case: Case, months: "pd.Series[bool]") -> float:
    """By pandas' months: geometric mean of the fund over that of the benchmark."""
    count = int(months.sum())
    own, other = (
        float(np.power(np.prod(returns[months] + 1), 1 / count)) - 1
        for returns in (case.months, case.benchmark_months)
    )
    return own / other


def paid(case: Case) -> tuple[list[dt.date], list[float]]:
    amounts = -case.flows
    amounts[0] = -case.equity[0]
    amounts[-1] += case.equity[-1]
    return case.dates.astype("datetime64[D]").tolist(), amounts.tolist()


def polished_xirr(case: Case) -> float:
    """pyxirr stops up to 1e-9 from the root; this is the root of its own present value."""
    days, amounts = paid(case)
    rate = pyxirr.xirr(days, amounts)
    assert rate is not None
    root: float = optimize.brentq(
        lambda x: pyxirr.xnpv(x, days, amounts), rate - 1e-6, rate + 1e-6, xtol=1e-15
    )
    return root


# metric, library, its answer; where the library's own definition differs, how it is translated
ORACLES: tuple[tuple[str, str, Callable[[Case], Any]], ...] = (
    ("total_return", "empyrical", lambda case: empyrical.cum_returns_final(case.returns)),
    ("cagr", "ffn", lambda case: ffn.calc_cagr(case.prices)),
    ("volatility", "empyrical", lambda case: empyrical.annual_volatility(case.returns)),
    (
        "sharpe_ratio",
        "empyrical",
        lambda case: empyrical.sharpe_ratio(case.returns, risk_free=case.session_rate),
    ),
    (
        "sortino_ratio",
        "empyrical",
        lambda case: empyrical.sortino_ratio(case.returns, required_return=case.session_rate),
    ),
    # ffn's own calc_calmar_ratio is that of three years for some windows; these are its two parts
    (
        "calmar_ratio",
        "ffn",
        lambda case: ffn.calc_cagr(case.prices) / abs(ffn.calc_max_drawdown(case.prices)),
    ),
    ("max_drawdown", "empyrical", lambda case: empyrical.max_drawdown(case.returns)),
    ("max_drawdown", "ffn", lambda case: ffn.calc_max_drawdown(case.prices)),
    # ffn counts in percent
    ("ulcer_index", "ffn", ffn_ulcer_index),
    (
        "ulcer_performance_index",
        "ffn",
        lambda case: ffn.core.to_ulcer_performance_index(case.prices, rf=RISK_FREE),
    ),
    (
        "value_at_risk_95",
        "empyrical",
        lambda case: empyrical.value_at_risk(case.returns, cutoff=0.05),
    ),
    ("value_at_risk_95", "numpy", lambda case: np.percentile(case.returns, 5)),
    # skfolio's is a loss, ours is signed
    ("conditional_value_at_risk_95", "skfolio", lambda case: -cvar(case.returns, beta=0.95)),
    ("alpha", "statsmodels", lambda case: case.regression.params[0] * 252),
    ("beta", "statsmodels", lambda case: case.regression.params[1]),
    (
        "beta",
        "empyrical",
        lambda case: empyrical.beta(case.returns, case.benchmark, case.session_rate),
    ),
    ("r_squared", "statsmodels", lambda case: case.regression.rsquared),
    (
        "correlation",
        "numpy",
        lambda case: np.corrcoef(case.returns, case.benchmark)[0, 1],
    ),
    # empyrical's excess_sharpe is the information ratio of one session
    (
        "information_ratio",
        "empyrical",
        lambda case: empyrical.excess_sharpe(case.returns, case.benchmark) * np.sqrt(252),
    ),
    (
        "tracking_error",
        "empyrical",
        lambda case: empyrical.annual_volatility(case.returns - case.benchmark),
    ),
    ("up_capture", "pandas", lambda case: monthly_capture(case, case.benchmark_months > 0)),
    ("down_capture", "pandas", lambda case: monthly_capture(case, case.benchmark_months < 0)),
    ("omega_ratio", "empyrical", lambda case: empyrical.omega_ratio(case.returns)),
    ("tail_ratio", "empyrical", lambda case: empyrical.tail_ratio(case.returns)),
    ("skewness", "pandas", lambda case: pd.Series(case.returns).skew()),
    ("skewness", "scipy", lambda case: stats.skew(case.returns, bias=False)),
    ("kurtosis", "pandas", lambda case: pd.Series(case.returns).kurt()),
    ("kurtosis", "scipy", lambda case: stats.kurtosis(case.returns, bias=False)),
    ("win_rate", "pandas", lambda case: (case.months > 0).mean()),
    ("money_weighted_return", "pyxirr", polished_xirr),
    (
        "turnover",
        "pandas",
        lambda case: (
            case.traded
            / 2
            / pd.Series(case.equity).mean()
            / ((case.prices.index[-1] - case.prices.index[0]).days / 365.25)
        ),
    ),
)


def test_every_metric_has_an_oracle() -> None:
    assert {metric for metric, _, _ in ORACLES} == set(metrics.METRIC_NAMES)


@pytest.mark.parametrize(
    ("metric", "oracle"),
    [(metric, oracle) for metric, _, oracle in ORACLES],
    ids=[f"{metric}-{library}" for metric, library, _ in ORACLES],
)
def test_agrees(case: Case, metric: str, oracle: Callable[[Case], float]) -> None:
    value = getattr(case.summary, metric)
    # alpha is a difference of near equals, 1e-5 a session: relative to 1 where it is smaller
    assert value == pytest.approx(float(oracle(case)), rel=EXACT, abs=EXACT * 1e-2)


# where definitions differ: by how much, and why


def test_empyricals_cagr_counts_sessions_not_days(case: Case) -> None:
    expected = empyrical.cagr(case.returns)
    assert case.summary.total_return is not None
    by_sessions = (1 + case.summary.total_return) ** (252 / case.returns.size) - 1
    assert by_sessions == pytest.approx(expected, rel=EXACT)
    assert case.summary.cagr != pytest.approx(expected, rel=1e-6)


def test_empyricals_alpha_is_compounded(case: Case) -> None:
    expected = empyrical.alpha(case.returns, case.benchmark, case.session_rate)
    assert case.summary.alpha is not None
    assert (1 + case.summary.alpha / 252) ** 252 - 1 == pytest.approx(expected, rel=1e-8)


def test_empyricals_conditional_value_at_risk_cuts_whole_observations(case: Case) -> None:
    # the mean of the int((n - 1) * 0.05) + 1 worst, the last one counted whole
    count = int((case.returns.size - 1) * 0.05) + 1
    expected = empyrical.conditional_value_at_risk(case.returns, cutoff=0.05)
    assert np.sort(case.returns)[:count].mean() == pytest.approx(expected, rel=EXACT)
    assert case.summary.conditional_value_at_risk_95 == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_empyricals_capture_annualises_the_means(case: Case, direction: str) -> None:
    # ours is the ratio of two monthly means; empyrical's of these two, each compounded to a year
    capture = getattr(empyrical, f"{direction}_capture")
    expected = capture(case.months.to_numpy(), case.benchmark_months.to_numpy(), period="monthly")
    moved = case.benchmark_months > 0 if direction == "up" else case.benchmark_months < 0
    own, other = (
        np.expm1(np.log1p(months[moved]).mean()) for months in (case.months, case.benchmark_months)
    )
    assert own / other == pytest.approx(getattr(case.summary, f"{direction}_capture"), rel=EXACT)
    assert ((1 + own) ** 12 - 1) / ((1 + other) ** 12 - 1) == pytest.approx(expected, rel=EXACT)


@pytest.mark.filterwarnings("ignore:A future version of pandas")  # ffn's own
def test_ffns_months_begin_with_the_second_one(case: Case) -> None:
    # ffn resamples prices, so that the first month has nothing to be compared with
    stats = ffn.core.PerformanceStats(case.prices)
    np.testing.assert_allclose(
        stats.monthly_returns.dropna(), case.months.iloc[1:], rtol=1e-9, atol=1e-12
    )


def test_pyxirr_stops_before_the_root(case: Case) -> None:
    days, amounts = paid(case)
    rate = case.summary.money_weighted_return
    assert rate == pytest.approx(pyxirr.xirr(days, amounts), abs=5e-9)
    # its present value at our rate, beside all money that moved
    assert rate is not None
    value = pyxirr.xnpv(rate, days, amounts)
    assert value == pytest.approx(0.0, abs=1e-13 * np.abs(amounts).sum())


def test_pyxirr_without_flows_is_a_year_of_365_days(case: Case) -> None:
    values = np.concatenate(([1.0], np.cumprod(1 + case.returns)))
    rate = metrics.money_weighted_return(values, np.zeros(values.size), case.dates)
    days = (case.prices.index[-1] - case.prices.index[0]).days
    assert rate == pytest.approx(values[-1] ** (365 / days) - 1, rel=EXACT)


def test_a_dated_risk_free_rate(case: Case) -> None:
    # the rate of the last date up to the session before the return holds for it: pandas' merge_asof
    months = pd.date_range("1990-01-31", "2030-01-31", freq="ME")
    rates = pd.Series(0.02 + 0.02 * np.sin(np.arange(months.size)), index=months)
    before = pd.DataFrame({"session": pd.DatetimeIndex(case.dates[:-1]).astype("datetime64[ns]")})
    table = pd.DataFrame({"date": months.astype("datetime64[ns]"), "rate": rates.to_numpy()})
    in_force = pd.merge_asof(before, table, left_on="session", right_on="date")["rate"].to_numpy()
    session = (1 + in_force) ** (1 / 252) - 1
    summary = metrics.summary(case.returns, case.benchmark, rates, case.dates)
    sharpe = empyrical.sharpe_ratio(case.returns, risk_free=session)
    assert summary.sharpe_ratio == pytest.approx(sharpe, rel=EXACT)
    sortino = empyrical.sortino_ratio(case.returns - session)
    assert summary.sortino_ratio == pytest.approx(sortino, rel=EXACT)
    fit = sm.OLS(case.returns - session, sm.add_constant(case.benchmark - session)).fit()
    assert summary.alpha == pytest.approx(fit.params[0] * 252, rel=1e-9)
    assert summary.beta == pytest.approx(fit.params[1], rel=EXACT)
    assert summary.r_squared == pytest.approx(fit.rsquared, rel=EXACT)
    assert (summary.cagr, summary.ulcer_index) == (case.summary.cagr, case.summary.ulcer_index)
    assert summary.cagr is not None
    assert summary.ulcer_index is not None
    annual = np.prod(1 + session) ** (252 / session.size) - 1
    expected = (summary.cagr - annual) / summary.ulcer_index
    assert summary.ulcer_performance_index == pytest.approx(expected, rel=EXACT)
