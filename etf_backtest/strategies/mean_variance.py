"""Optimal portfolios of Markowitz's kind, computed by skfolio (the extra `optimize`)."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Literal

import numpy as np

from etf_backtest.errors import OptimizationError, OptionalDependencyError
from etf_backtest.typing import FloatArray

_DUST = 1e-5
"""Weights below are the solver's inaccuracy, not positions."""


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

    Weights below 1e-5 are set to 0 and given to the others. A covariance that is singular, because
    of fewer returns than symbols or of twins among them, is replaced by skfolio with the nearest
    one that is not. Where skfolio warns that its solution may be inaccurate, which takes symbols
    whose deviations are many orders of magnitude apart, the weights are still valid ones.

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
    unit = float(returns.std())
    model = MeanRisk(
        objective_function=ObjectiveFunction[objective], risk_free_rate=risk_free / unit
    )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The covariance matrix is not positive definite")
            weights = np.asarray(model.fit(returns / unit).weights_, dtype=np.float64)
    except (SkfolioError, ValueError, ArithmeticError) as error:
        raise OptimizationError(owner, reason=str(error)) from error
    weights = np.where(weights < _DUST, 0.0, weights)
    scaled: FloatArray = weights / weights.sum()
    return scaled
