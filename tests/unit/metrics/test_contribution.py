"""The parts of return and risk are what they must be by hand, and add up."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest.errors import ReturnsError, UndefinedMetricError
from etf_backtest.metrics import (
    contribution_to_return,
    contribution_to_risk,
    total_return,
    volatility,
)

WEIGHTS = np.array([[0.5, 0.4], [0.6, 0.3]])
ASSETS = np.array([[0.1, -0.05], [0.2, 0.1]])
# 0.05 - 0.02 and 0.001 of interest; 0.12 + 0.03 and 0.002 of costs
PORTFOLIO = np.array([0.031, 0.148])


def test_contribution_to_return() -> None:
    # the second session counts 1.031 times: so much of the initial capital was there
    parts = contribution_to_return(WEIGHTS, ASSETS, PORTFOLIO)
    np.testing.assert_allclose(
        parts.holdings, [0.05 + 1.031 * 0.12, -0.02 + 1.031 * 0.03], rtol=1e-12
    )
    assert parts.residual == pytest.approx(0.001 - 1.031 * 0.002, rel=1e-10)
    assert parts.total == pytest.approx(1.031 * 1.148 - 1, rel=1e-12)


def test_it_is_the_money_that_a_holding_earned() -> None:
    # 60 and 40 bought and held: 60 -> 66 -> 79.2 and 40 -> 38 -> 41.8 of 100
    held = np.array([[60.0, 40.0], [66.0, 38.0]])
    values = held.sum(axis=1)
    portfolio = np.array([104.0 / 100 - 1, 121.0 / 104 - 1])
    parts = contribution_to_return(held / values[:, np.newaxis], ASSETS, portfolio)
    np.testing.assert_allclose(parts.holdings, [0.192, 0.018], rtol=1e-12)
    assert parts.residual == pytest.approx(0.0, abs=1e-15)


def test_contribution_to_risk() -> None:
    # two sessions: deviations of the portfolio -+0.0585, std 0.0585 sqrt 2, of the first holding
    # 0.05 and 0.12: -+0.035, of the second -0.02 and 0.03: -+0.025, of the rest 0.001, -0.002
    parts = contribution_to_risk(WEIGHTS, ASSETS, PORTFOLIO)
    yearly = math.sqrt(2 * 252)
    np.testing.assert_allclose(parts.holdings, [0.035 * yearly, 0.025 * yearly], rtol=1e-12)
    assert parts.residual == pytest.approx(-0.0015 * yearly, rel=1e-10)
    assert parts.total == pytest.approx(0.0585 * yearly, rel=1e-12)


def test_numpys_covariance() -> None:
    rng = np.random.default_rng(3)
    assets = rng.normal(0, 0.01, (500, 4))
    weights = rng.dirichlet(np.ones(4), 500)
    portfolio = (weights * assets).sum(axis=1) + rng.normal(0, 1e-4, 500)
    parts = contribution_to_risk(weights, assets, portfolio)
    for column in range(4):
        together = np.cov(weights[:, column] * assets[:, column], portfolio)
        expected = together[0, 1] / math.sqrt(together[1, 1]) * math.sqrt(252)
        assert parts.holdings[column] == pytest.approx(expected, rel=1e-10)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 800), st.integers(1, 6))
def test_the_parts_add_up(seed: int, sessions: int, holdings: int) -> None:
    rng = np.random.default_rng(seed)
    assets = rng.standard_t(4, (sessions, holdings)).clip(-20, 20) * 0.01
    weights = rng.dirichlet(np.ones(holdings), sessions) * rng.uniform(0, 1.5)
    portfolio = (weights * assets).sum(axis=1) + rng.normal(0, 1e-4, sessions)
    earned = contribution_to_return(weights, assets, portfolio)
    scale = max(1.0, np.abs(earned.holdings).sum())
    total = earned.holdings.sum() + earned.residual
    assert total == pytest.approx(total_return(portfolio), abs=1e-12 * scale)
    assert earned.total == total_return(portfolio)
    risked = contribution_to_risk(weights, assets, portfolio)
    total = risked.holdings.sum() + risked.residual
    assert total == pytest.approx(volatility(portfolio), rel=1e-12)
    assert risked.total == volatility(portfolio)


def test_a_session_that_loses_everything() -> None:
    parts = contribution_to_return([[1.0], [2.0], [1.0]], [[0.1], [-0.5], [0.3]], [0.1, -1.0, 0.0])
    # 0.1, then 1.1 * -1, then nothing of nothing
    np.testing.assert_allclose(parts.holdings, [-1.0], rtol=1e-12)
    assert parts.total == -1.0


def test_frozen_and_named() -> None:
    parts = contribution_to_return(WEIGHTS, ASSETS, PORTFOLIO)
    assert not parts.holdings.flags.writeable
    series = parts.to_series(["AAA", "BBB"])
    assert series.index.tolist() == ["AAA", "BBB", "residual", "total"]
    assert series["AAA"] == parts.holdings[0]
    assert series.iloc[:-1].sum() == pytest.approx(series["total"], rel=1e-12)
    with pytest.raises(ReturnsError, match="symbols: expected 2, one for each holding, received 1"):
        parts.to_series(["AAA"])


@pytest.mark.parametrize("contribution", [contribution_to_return, contribution_to_risk])
def test_what_does_not_fit(contribution: object) -> None:
    assert callable(contribution)
    with pytest.raises(ReturnsError, match=r"weights_before: expected \(2, holdings\)"):
        contribution(WEIGHTS[:1], ASSETS, PORTFOLIO)
    with pytest.raises(ReturnsError, match=r"asset_returns: .*received \(2, 1\)"):
        contribution(WEIGHTS, ASSETS[:, :1], PORTFOLIO)
    with pytest.raises(ReturnsError, match="asset_returns: row 1, column 0 is nan"):
        contribution(WEIGHTS, [[0.1, 0.1], [math.nan, 0.0]], PORTFOLIO)
    with pytest.raises(ReturnsError, match="portfolio_returns: number 0 is -2"):
        contribution(WEIGHTS, ASSETS, [-2.0, 0.0])


def test_no_risk() -> None:
    with pytest.raises(UndefinedMetricError, match="returns do not vary"):
        contribution_to_risk([[1.0]] * 9, [[0.001]] * 9, [0.001] * 9)
    with pytest.raises(UndefinedMetricError, match="one return has no standard deviation"):
        contribution_to_risk([[1.0]], [[0.001]], [0.001])


def test_beyond_all_numbers() -> None:
    with pytest.raises(UndefinedMetricError, match="not finite"):
        contribution_to_return([[1.0]] * 3, [[1e200]] * 3, [1e200] * 3)
