"""Optimal portfolios of Markowitz's kind, computed by skfolio (the extra `optimize`)."""

from __future__ import annotations

import importlib.util
import math
import warnings
from typing import Literal

import numpy as np

from etf_backtest.errors import OptimizationError, OptionalDependencyError
from etf_backtest.strategies.moments import covariance
from etf_backtest.typing import BoolArray, FloatArray

_DUST = 1e-5
"""Weights below are the solver's inaccuracy, not positions."""
_SLACK = 1e-9
"""Optimality conditions hold if they miss by less than this part of their right side."""


def check_skfolio(owner: str) -> None:
    """Say how to install skfolio where it is missing.

    Raises
    ------
    OptionalDependencyError
        In the name of `owner`, with the command.
    """
    if importlib.util.find_spec("skfolio") is None:
        raise OptionalDependencyError(owner, library="skfolio", extra="optimize")


def optimal_weights(
    returns: FloatArray,
    objective: Literal["MINIMIZE_RISK", "MAXIMIZE_RATIO"],
    *,
    owner: str,
    risk_free: float = 0.0,
) -> FloatArray:
    """Long-only weights, in sum 1, from the sample mean and covariance of returns.

    skfolio's interior-point solver stops short of the optimum, by up to 1e-3 of a weight. Which
    symbols it holds says which linear equations the optimum solves; these are solved exactly, and
    what meets all conditions of optimality is returned. Nothing may, where the covariance is
    singular because of fewer returns than symbols or of twins among them. Then the weights are
    skfolio's own, for the nearest covariance that is not singular, and those below 1e-5 are set to
    0 and given to the others.

    Parameters
    ----------
    returns : ndarray of shape (L, N)
        Simple returns a session; each column moves.
    objective : {"MINIMIZE_RISK", "MAXIMIZE_RATIO"}
        Of skfolio: the least variance, or the highest mean excess return by deviation.
    owner : str
        The strategy, for errors.
    risk_free : float
        Return a session.

    Raises
    ------
    OptionalDependencyError
        skfolio is not installed.
    OptimizationError
        skfolio finds no weights.
    """
    if returns.shape[1] == 1:
        return np.ones(1)
    check_skfolio(owner)
    # late: this imports scikit-learn, cvxpy and pandas, which takes seconds
    from skfolio.exceptions import SkfolioError  # type: ignore[import-untyped]  # has no types
    from skfolio.optimization import (  # type: ignore[import-untyped]  # has no types
        MeanRisk,
        ObjectiveFunction,
    )

    # the solver's tolerances are absolute: returns of the size of 1 make them small
    with np.errstate(over="ignore", invalid="ignore"):
        unit = float(returns.std())
    if not math.isfinite(unit):
        raise OptimizationError(owner, reason="the returns leave the range of numbers")
    scaled = returns / unit
    model = MeanRisk(
        objective_function=ObjectiveFunction[objective], risk_free_rate=risk_free / unit
    )
    try:
        with warnings.catch_warnings():
            for known in ("The covariance matrix is not positive", "Solution may be inaccurate"):
                warnings.filterwarnings("ignore", known)
            weights = np.asarray(model.fit(scaled).weights_, dtype=np.float64)
    except (SkfolioError, ValueError, ArithmeticError) as error:
        raise OptimizationError(owner, reason=str(error)) from error
    reward = scaled.mean(axis=0) - risk_free / unit
    right = np.ones(len(weights)) if objective == "MINIMIZE_RISK" else reward
    exact = _optimum(covariance(scaled), right, weights > 10 * _DUST)
    if exact is None:
        exact = np.where(weights < _DUST, 0.0, weights)
    normed: FloatArray = exact / exact.sum()
    return normed


def _optimum(spread: FloatArray, right: FloatArray, held: BoolArray) -> FloatArray | None:
    """Minimise ``x @ S @ x / 2 - right @ x`` over x >= 0, from a guess of who is above 0.

    Its conditions are ``S @ x = right`` for what is held and ``S @ x >= right`` for the others.
    Scaled to sum to 1, x has the least variance for ``right = 1``, and the highest ratio for the
    mean excess returns. None where no end is found.
    """
    tolerance = _SLACK * float(np.abs(right).max())
    for _ in range(3 * len(right)):
        columns = np.flatnonzero(held)
        x = np.zeros(len(right))
        try:
            x[columns] = np.linalg.solve(spread[np.ix_(columns, columns)], right[columns])
        except np.linalg.LinAlgError:
            return None
        if (x[columns] <= 0).any():
            held = x > 0
            continue
        excess = (spread * x).sum(axis=1) - right
        if np.abs(excess[columns]).max(initial=0.0) > tolerance:
            return None
        if (excess >= -tolerance).all():
            return x if columns.size else None
        held = held | (excess == excess.min())
    return None
