"""Each metric against the library that conventions.md names for it, on random and real returns."""

import gzip
from importlib.resources import files

import empyrical  # type: ignore[import-untyped]  # has no types
import ffn  # type: ignore[import-untyped]  # has no types
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm  # type: ignore[import-untyped]  # has no types
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


class Case:
    """Prices of a fund and its benchmark, and their returns."""

    def __init__(self, prices: pd.DataFrame) -> None:
        self.prices = prices.iloc[:, 0]
        values = prices.to_numpy()
        changes: FloatArray = values[1:] / values[:-1] - 1
        self.returns, self.benchmark = changes[:, 0], changes[:, 1]
        self.dates: DateArray = prices.index.to_numpy()
        self.session_rate = (1 + RISK_FREE) ** (1 / 252) - 1
        self.summary = metrics.summary(self.returns, self.benchmark, RISK_FREE, self.dates)


@pytest.fixture(params=CASES, scope="module")
def case(request: pytest.FixtureRequest) -> Case:
    return Case(CASES[request.param])


def test_total_return_is_empyricals(case: Case) -> None:
    expected = empyrical.cum_returns_final(case.returns)
    assert case.summary.total_return == pytest.approx(expected, rel=EXACT)


def test_annualized_return_is_ffns(case: Case) -> None:
    expected = ffn.calc_cagr(case.prices)
    assert case.summary.annualized_return == pytest.approx(expected, rel=EXACT)


def test_volatility_is_empyricals(case: Case) -> None:
    expected = empyrical.annual_volatility(case.returns)
    assert case.summary.volatility == pytest.approx(expected, rel=EXACT)


def test_sharpe_ratio_is_empyricals(case: Case) -> None:
    expected = empyrical.sharpe_ratio(case.returns, risk_free=case.session_rate)
    assert case.summary.sharpe_ratio == pytest.approx(expected, rel=EXACT)


def test_sortino_ratio_is_empyricals(case: Case) -> None:
    expected = empyrical.sortino_ratio(case.returns, required_return=case.session_rate)
    assert case.summary.sortino_ratio == pytest.approx(expected, rel=EXACT)


def test_max_drawdown_is_empyricals(case: Case) -> None:
    expected = empyrical.max_drawdown(case.returns)
    assert case.summary.max_drawdown == pytest.approx(expected, rel=EXACT)


def test_calmar_ratio_is_ffns(case: Case) -> None:
    # ffn's own calc_calmar_ratio is that of three years for some windows; these are its two parts
    expected = ffn.calc_cagr(case.prices) / abs(ffn.calc_max_drawdown(case.prices))
    assert case.summary.calmar_ratio == pytest.approx(expected, rel=EXACT)


def test_value_at_risk_is_empyricals(case: Case) -> None:
    expected = empyrical.value_at_risk(case.returns, cutoff=0.05)
    assert case.summary.value_at_risk_95 == pytest.approx(expected, rel=EXACT)


def test_conditional_value_at_risk_is_skfolios(case: Case) -> None:
    # skfolio's is a loss, ours is signed
    expected = -cvar(case.returns, beta=0.95)
    assert case.summary.conditional_value_at_risk_95 == pytest.approx(expected, rel=EXACT)


def test_alpha_and_beta_are_statsmodels(case: Case) -> None:
    market = sm.add_constant(case.benchmark - case.session_rate)
    fit = sm.OLS(case.returns - case.session_rate, market).fit()
    assert case.summary.alpha == pytest.approx(fit.params[0] * 252, rel=1e-9)
    assert case.summary.beta == pytest.approx(fit.params[1], rel=EXACT)


def test_tracking_error_and_information_ratio_are_empyricals(case: Case) -> None:
    active = case.returns - case.benchmark
    error = empyrical.annual_volatility(active)
    assert case.summary.tracking_error == pytest.approx(error, rel=EXACT)
    # empyrical's excess_sharpe is the information ratio of one session
    expected = empyrical.excess_sharpe(case.returns, case.benchmark) * np.sqrt(252)
    assert case.summary.information_ratio == pytest.approx(expected, rel=EXACT)


def test_win_rate_is_pandas(case: Case) -> None:
    # growth from each month's last value to the next one's; the first from the initial value
    ends = case.prices.groupby(pd.PeriodIndex(case.prices.index, freq="M")).last()
    start = pd.Series([case.prices.iloc[0]])
    growth = pd.concat([start, ends]).pct_change().iloc[1:]
    assert case.summary.win_rate == pytest.approx((growth > 0).mean(), rel=EXACT)
