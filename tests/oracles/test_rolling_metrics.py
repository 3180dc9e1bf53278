"""Rolling metrics against pandas and empyrical, which roll in ways of their own."""

import empyrical  # type: ignore[import-untyped]  # has no types
import numpy as np
import pandas as pd
import pytest

from etf_backtest import metrics
from etf_backtest.typing import FloatArray

WINDOW = 60
STEPS = np.random.default_rng(7).standard_t(5, (1200, 2)) * 0.01
INDEX = pd.bdate_range("2015-01-01", periods=1201)
RETURNS = pd.Series(STEPS[:, 0] + 0.5 * STEPS[:, 1], index=INDEX[1:])
BENCHMARK = pd.Series(STEPS[:, 1], index=INDEX[1:])
RATE = 0.03
SESSION_RATE = (1 + RATE) ** (1 / 252) - 1


@pytest.fixture(scope="module")
def rolled() -> metrics.RollingMetrics:
    return metrics.rolling(
        RETURNS, WINDOW, benchmark=BENCHMARK, risk_free=RATE, dates=INDEX.to_numpy()
    )


def close(actual: FloatArray, expected: object, rtol: float = 1e-10) -> None:
    np.testing.assert_allclose(actual, np.asarray(expected), rtol=rtol, atol=1e-11)


def test_pandas(rolled: metrics.RollingMetrics) -> None:
    own, both = RETURNS.rolling(WINDOW), BENCHMARK.rolling(WINDOW)
    first = WINDOW - 1
    close(rolled["volatility"], own.std().iloc[first:] * np.sqrt(252))
    sharpe = (own.mean() - SESSION_RATE) / own.std() * np.sqrt(252)
    close(rolled["sharpe_ratio"], sharpe.iloc[first:], rtol=1e-9)
    close(rolled["correlation"], own.corr(BENCHMARK).iloc[first:], rtol=1e-9)
    close(rolled["beta"], (own.cov(BENCHMARK) / both.var()).iloc[first:], rtol=1e-9)
    active = (RETURNS - BENCHMARK).rolling(WINDOW)
    close(rolled["tracking_error"], active.std().iloc[first:] * np.sqrt(252))
    close(rolled["skewness"], own.skew().iloc[first:], rtol=1e-8)
    close(rolled["kurtosis"], own.kurt().iloc[first:], rtol=1e-8)
    close(rolled["value_at_risk_95"], own.quantile(0.05).iloc[first:])
    values = (1 + RETURNS).cumprod()
    before = values.shift(WINDOW).fillna(1.0)
    close(rolled["total_return"], (values / before - 1).iloc[first:])
    assert list(rolled.to_frame().index) == list(RETURNS.index[first:])


def test_empyrical(rolled: metrics.RollingMetrics) -> None:
    close(rolled["max_drawdown"], empyrical.roll_max_drawdown(RETURNS, window=WINDOW))
    sharpe = empyrical.roll_sharpe_ratio(RETURNS, window=WINDOW, risk_free=SESSION_RATE)
    close(rolled["sharpe_ratio"], sharpe)
    sortino = empyrical.roll_sortino_ratio(RETURNS, window=WINDOW, required_return=SESSION_RATE)
    close(rolled["sortino_ratio"], sortino)
    beta = empyrical.roll_beta(RETURNS, BENCHMARK, window=WINDOW, risk_free=SESSION_RATE)
    close(rolled["beta"], beta)
    # empyrical compounds alpha
    alpha = empyrical.roll_alpha(RETURNS, BENCHMARK, window=WINDOW, risk_free=SESSION_RATE)
    close((1 + rolled["alpha"] / 252) ** 252 - 1, alpha, rtol=1e-8)
