"""Weights to which every symbol contributes the same risk."""

from __future__ import annotations

import math

import numpy as np

from etf_backtest.typing import FloatArray

_MOST_STEPS = 200
_CLOSE = 1e-12
"""Newton's method stops here: risk contributions are equal but for rounding."""
_NO_END = 1e6
"""Where y grows beyond, the function has no minimum: a mix has a millionth of its parts' risk."""
_EQUAL = 1e-10
"""What is promised: no risk contribution differs from the others by more, as a fraction of them."""


def equal_risk_weights(correlation: FloatArray, deviations: FloatArray) -> FloatArray | None:
    """Weights, in sum 1, whose risk contributions ``w[i] * (S @ w)[i]`` are all the same.

    Minimises ``y @ C @ y / 2 - sum(log(y))`` over y > 0 by damped Newton steps. The function is
    convex and self-concordant, so the damping keeps y positive and the method converges from any
    start; at the minimum ``y[i] * (C @ y)[i] = 1`` for each i. Then ``w = y / s``, scaled.

    Parameters
    ----------
    correlation : ndarray of shape (N, N)
        C, positive semi-definite.
    deviations : ndarray of shape (N,)
        s, volatilities above 0; the covariance S is C scaled by them.

    Returns
    -------
    ndarray of shape (N,), or None
        None where there is no such portfolio: some mix without short sales has no risk at all.

    References
    ----------
    S. Maillard, T. Roncalli and J. Teiletche, "The Properties of Equally Weighted Risk Contribution
    Portfolios", Journal of Portfolio Management 36 (2010), 60-70.
    F. Spinu, "An Algorithm for Computing Risk Parity Weights", SSRN 2297383 (2013).
    """
    size = len(correlation)
    total = float(correlation.sum())
    if total <= size * size * _EQUAL:
        return None
    y = np.full(size, math.sqrt(size / total))
    for _ in range(_MOST_STEPS):
        excess = y * _times(correlation, y) - 1.0
        if np.abs(excess).max() <= _CLOSE:
            break
        # Newton's step as a fraction of y: its matrix has no eigenvalue below 1
        step = np.linalg.solve(y[:, np.newaxis] * correlation * y + np.eye(size), excess)
        decrement = math.sqrt(max(float((excess * step).sum()), 0.0))
        y = y * (1.0 - step / (1.0 if decrement < 0.25 else 1.0 + decrement))
        if y.max() > _NO_END:
            return None
    contributions = y * _times(correlation, y)
    if not np.abs(contributions / contributions.mean() - 1.0).max() <= _EQUAL:
        return None
    scaled = y / deviations
    weights: FloatArray = scaled / scaled.sum()
    return weights


def _times(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    product: FloatArray = (matrix * vector).sum(axis=1)
    return product
