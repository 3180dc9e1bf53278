"""Each strategy against numbers of others: pandas, skfolio, scipy, an enumeration."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize  # type: ignore[import-untyped]  # has no types
from skfolio.optimization import (  # type: ignore[import-untyped]  # has no types
    InverseVolatility as SkfolioInverseVolatility,
)
from skfolio.optimization import MeanRisk, ObjectiveFunction, RiskBudgeting

from etf_backtest.market import PricePanel
from etf_backtest.strategies import (
    DualMomentum,
    EqualRiskContribution,
    InverseVolatility,
    MaximumSharpe,
    MinimumVariance,
    Momentum,
    MovingAverage,
    VolatilityTarget,
)
from etf_backtest.typing import FloatArray
from tests.oracles.test_metrics_against_libraries import real

EXACT = 1e-10
SYMBOLS = ("MTUM", "QUAL", "SIZE", "USMV", "VLUE")
FRAME = real()[list(SYMBOLS)].dropna()
PANEL = PricePanel.from_frame(FRAME)
ENDS = np.flatnonzero(np.diff(PANEL.dates.astype("datetime64[M]").astype(int))) + 1
"""Rows known at each month's end."""
ALLOCATIONS = dict(zip(SYMBOLS, (0.3, 0.1, 0.25, 0.15, 0.2), strict=True))


def windows(look_back: int) -> list[tuple[int, pd.DataFrame]]:
    """Number and returns of the look-back of each decision that has one."""
    returns = FRAME.pct_change(fill_method=None)
    return [
        (k, returns.iloc[end - look_back : end]) for k, end in enumerate(ENDS) if end > look_back
    ]


def factors(seed: int, sessions: int, size: int) -> FloatArray:
    """Returns with a common factor and deviations from 0.2 to 4 %."""
    random = np.random.default_rng(seed)
    common = random.normal(0.0003, 0.01, (sessions, 1)) * random.uniform(0.2, 1.5, size)
    returns: FloatArray = common + random.normal(0, 1, (sessions, size)) * random.uniform(
        0.002, 0.04, size
    )
    return returns


def prices_of(returns: FloatArray) -> PricePanel:
    frame = pd.DataFrame(
        np.concatenate((np.ones((1, returns.shape[1])), np.cumprod(1 + returns, axis=0))),
        index=pd.bdate_range("2001-01-01", periods=len(returns) + 1),
        columns=[f"S{column:02d}" for column in range(returns.shape[1])],
    )
    return PricePanel.from_frame(frame)


def test_momentum_against_pandas() -> None:
    past = FRAME.shift(21) / FRAME.shift(21 + 252) - 1
    rank = past.rank(axis=1, ascending=False)
    wanted = ((rank <= 2) & (past > 0)).to_numpy()[ENDS - 1] / 2
    strategy = Momentum(SYMBOLS, top_n=2, minimum_return=0.0)
    np.testing.assert_array_equal(strategy.targets(PANEL, ENDS), wanted)


def test_dual_momentum_against_pandas() -> None:
    past = FRAME / FRAME.shift(252) - 1
    risky = past.drop(columns="USMV")
    wins = risky.eq(risky.max(axis=1), axis=0) & risky.gt(past["USMV"], axis=0)
    wanted = wins.astype(float).assign(USMV=(~wins.any(axis=1)).astype(float))[list(SYMBOLS)]
    wanted[past["USMV"].isna()] = 0.0
    strategy = DualMomentum(SYMBOLS, safe="USMV")
    np.testing.assert_array_equal(strategy.targets(PANEL, ENDS), wanted.to_numpy()[ENDS - 1])


@pytest.mark.parametrize("average", ["simple", "exponential"])
@pytest.mark.parametrize("tolerance", [0.0, 0.02])
def test_moving_average_against_pandas(average: str, tolerance: float) -> None:
    window = 100
    level = (
        FRAME.rolling(window).mean()
        if average == "simple"
        else FRAME.ewm(span=window, adjust=False, min_periods=window).mean()
    )
    state = pd.DataFrame(np.nan, index=FRAME.index, columns=FRAME.columns)
    state = state.mask(FRAME.gt(level * (1 + tolerance)), 1.0)
    state = state.mask(FRAME.lt(level * (1 - tolerance)), 0.0)
    wanted = state.ffill().fillna(0.0).to_numpy()[ENDS - 1] * list(ALLOCATIONS.values())
    strategy = MovingAverage(
        ALLOCATIONS,
        average=average,  # type: ignore[arg-type]
        window=window,
        tolerance=tolerance,
    )
    received = strategy.targets(PANEL, ENDS)
    np.testing.assert_array_equal(received, wanted)
    assert (received > 0).mean() > 0.3


def test_inverse_volatility_against_skfolio() -> None:
    received = InverseVolatility(SYMBOLS).targets(PANEL, ENDS)
    for k, returns in windows(63):
        expected = SkfolioInverseVolatility().fit(returns).weights_
        np.testing.assert_allclose(received[k], expected, rtol=EXACT)


def test_equal_risk_contribution_against_skfolio() -> None:
    """skfolio's interior-point solver stops within 1e-4 of a weight; ours within 1e-10 of the risk.

    Which of the two is nearer is seen in the risk contributions, from numpy's covariance.
    """
    received = EqualRiskContribution(SYMBOLS).targets(PANEL, ENDS)
    for k, returns in windows(252)[::6]:
        scale = float(returns.to_numpy().std())  # its tolerances are absolute
        expected = RiskBudgeting().fit(returns / scale).weights_
        np.testing.assert_allclose(received[k], expected, atol=1e-5)
        contributions = received[k] * (returns.cov().to_numpy() @ received[k])
        np.testing.assert_allclose(contributions / contributions.mean(), 1.0, rtol=EXACT)


@pytest.mark.parametrize("seed", range(5))
def test_equal_risk_contribution_of_many_symbols_against_skfolio(seed: int) -> None:
    returns = factors(seed, 252, 25)
    panel = prices_of(returns)
    weights = EqualRiskContribution(panel.symbols).target_weights(panel)
    expected = RiskBudgeting().fit(returns / returns.std()).weights_
    np.testing.assert_allclose(weights, expected, atol=1e-5)
    contributions = weights * (np.cov(returns.T) @ weights)
    np.testing.assert_allclose(contributions / contributions.mean(), 1.0, rtol=EXACT)


def test_equal_risk_contribution_against_scipy() -> None:
    """Spinu's function, minimised by somebody else's Newton method."""
    returns = factors(9, 500, 6)
    spread = np.cov(returns.T)
    scale = np.sqrt(np.diag(spread))
    correlation = spread / np.outer(scale, scale)
    found = minimize(
        lambda y: y @ correlation @ y / 2 - np.log(y).sum(),
        np.ones(6),
        jac=lambda y: correlation @ y - 1 / y,
        hess=lambda y: correlation + np.diag(1 / y**2),
        method="trust-exact",
        options={"gtol": 1e-13},
    )
    expected = found.x / scale
    panel = prices_of(returns)
    weights = EqualRiskContribution(panel.symbols, look_back=500).target_weights(panel)
    np.testing.assert_allclose(weights, expected / expected.sum(), rtol=EXACT)


def test_volatility_target_against_pandas() -> None:
    strategy = VolatilityTarget(ALLOCATIONS, target=0.12, max_exposure=2.0)
    mix = np.array(list(ALLOCATIONS.values()))
    received = strategy.targets(PANEL, ENDS)
    daily = (FRAME.pct_change(fill_method=None) * mix).sum(axis=1, skipna=False)
    volatility = daily.rolling(63).std() * np.sqrt(252)
    exposure = (0.12 / volatility).clip(upper=2.0).fillna(0.0).to_numpy()[ENDS - 1]
    # pandas rolls its sums along, which costs it digits
    np.testing.assert_allclose(received, exposure[:, np.newaxis] * mix, rtol=1e-9)
    assert 0 < np.count_nonzero(exposure == 2.0) < np.count_nonzero(exposure > 1.0)


def by_enumeration(spread: FloatArray, reward: FloatArray | None) -> FloatArray:
    """The exact solution: the best of those with each set of symbols, by their linear equations."""
    size = len(spread)
    best, least = np.zeros(size), float("inf")
    for count in range(1, size + 1):
        for chosen in itertools.combinations(range(size), count):
            columns = list(chosen)
            right = np.ones(count) if reward is None else reward[columns]
            solved = np.linalg.solve(spread[np.ix_(columns, columns)], right)
            if not (solved > 0).all():
                continue
            weights = np.zeros(size)
            weights[columns] = solved / solved.sum()
            risk = weights @ spread @ weights
            value = float(risk if reward is None else -(weights @ reward) / np.sqrt(risk))
            if value < least:
                best, least = weights, value
    return best


@pytest.mark.parametrize("seed", range(10))
def test_optimal_portfolios_against_enumeration(seed: int) -> None:
    returns = factors(seed, 252, 7)
    panel = prices_of(returns)
    spread, hurdle = np.cov(returns.T), 1.02 ** (1 / 252) - 1
    least = MinimumVariance(panel.symbols).target_weights(panel)
    np.testing.assert_allclose(least, by_enumeration(spread, None), atol=EXACT)
    best = MaximumSharpe(panel.symbols, risk_free=0.02).target_weights(panel)
    expected = by_enumeration(spread, returns.mean(axis=0) - hurdle)
    np.testing.assert_allclose(best, expected, atol=EXACT)


def test_optimal_portfolios_against_skfolio() -> None:
    """As it comes, without our scaling of the returns: its own tolerances show."""
    least = MinimumVariance(SYMBOLS).targets(PANEL, ENDS)
    best = MaximumSharpe(SYMBOLS).targets(PANEL, ENDS)
    for k, returns in windows(252)[::12]:
        model = MeanRisk().fit(returns)
        np.testing.assert_allclose(least[k], model.weights_, atol=5e-3)
        if (returns.mean() > 0).any():
            ratio = MeanRisk(objective_function=ObjectiveFunction.MAXIMIZE_RATIO).fit(returns)
            np.testing.assert_allclose(best[k], ratio.weights_, atol=5e-3)
        else:
            assert not best[k].any()
