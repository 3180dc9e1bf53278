"""Weights that a portfolio can have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from etf_backtest.errors import AllocationError, LeverageError
from etf_backtest.market.sessions import as_date
from etf_backtest.typing import DateArray, FloatArray

SUM_TOLERANCE = 1e-9
"""Weights whose sum is this close to 1 mean all of the value: they are scaled to sum to 1."""
MOST_EXPOSURE = 10.0
"""Allocations whose sum is above are no fractions, but percent."""


def check_allocations(allocations: Mapping[str, float]) -> dict[str, float]:
    """Allocations as floats, each a fraction of 0 or more.

    A sum above 1 is leverage; whether it is on is a matter of the rules, and checked with them.

    Raises
    ------
    AllocationError
        Naming the symbol and the value.
    """
    if not allocations:
        raise AllocationError("there are no allocations")
    weights = {}
    for symbol, weight in allocations.items():
        try:
            weights[symbol] = float(weight)
        except (TypeError, ValueError):
            raise AllocationError(f"the weight of {symbol} is {weight!r}", symbol=symbol) from None
    check_weights(np.array(list(weights.values())), tuple(weights), max_leverage=math.inf)
    total = math.fsum(weights.values())
    if total > MOST_EXPOSURE:
        raise AllocationError(
            f"the weights sum to {total:.10g}, above {MOST_EXPOSURE:g}: they look like percent",
            value=total,
        )
    return weights


def as_weights(asked: object, symbols: Sequence[str], *, when: str) -> FloatArray:
    """Weights in the order of the symbols, from what a strategy returns.

    Parameters
    ----------
    asked : array of shape (N,), or a mapping or pandas Series of weights by symbol
        A symbol that is left out has the weight 0.
    symbols : sequence of str, N of them
    when : str
        Said after "weights" in errors.

    Raises
    ------
    AllocationError
        A symbol is not traded, a weight is no number, or they are not N.
    """
    if hasattr(asked, "items"):
        named = dict(asked.items())
        for symbol in named:
            if symbol not in symbols:
                raise AllocationError(
                    f"the weights {when} are for {symbol!r}, which is not among its symbols "
                    f"{', '.join(symbols)}"
                )
        asked = [named.get(symbol, 0.0) for symbol in symbols]
    try:
        weights = np.asarray(asked, dtype=np.float64)
    except (TypeError, ValueError):
        raise AllocationError(
            f"expected {len(symbols)} weights {when}, received {asked!r}"
        ) from None
    if weights.shape != (len(symbols),):
        raise AllocationError(
            f"expected {len(symbols)} weights {when}, received the shape {weights.shape}"
        )
    return weights


def check_weights(
    weights: FloatArray, symbols: Sequence[str], *, when: str = "", max_leverage: float = 1.0
) -> FloatArray:
    """Weights of shape (N,), scaled to sum to 1 where they miss it by rounding alone.

    Parameters
    ----------
    weights : ndarray of shape (N,)
    symbols : sequence of str, N of them
    when : str
        Said after "the weight of A" in errors.
    max_leverage : float
        The most that the sum may be; above 1 only where the rules have borrowing on.

    Raises
    ------
    AllocationError
        Naming the symbol and the value.
    LeverageError
        The sum is above `max_leverage`.
    """
    weights = np.array(weights, dtype=np.float64)
    if weights.shape != (len(symbols),):
        raise AllocationError(
            f"expected {len(symbols)} weights{when}, received the shape {weights.shape}"
        )
    for symbol, weight in zip(symbols, weights.tolist(), strict=True):
        if not (math.isfinite(weight) and weight >= 0):
            raise AllocationError(
                f"the weight of {symbol}{when} is {weight}", symbol=symbol, value=weight
            )
    total = float(weights.sum())
    if total - max_leverage > SUM_TOLERANCE * max_leverage:
        raise LeverageError(total, when=when, max_leverage=max_leverage)
    return weights / total if abs(total - 1) <= SUM_TOLERANCE else weights


def check_targets(
    targets: FloatArray,
    symbols: Sequence[str],
    dates: DateArray,
    *,
    name: str,
    max_leverage: float = 1.0,
) -> FloatArray:
    """Check and scale the weights of many decisions as `check_weights` does, all at once.

    Parameters
    ----------
    targets : ndarray of shape (..., K, N)
    symbols : sequence of str, N of them
    dates : ndarray of shape (K,), datetime64[D]
        Sessions of the decisions, for errors.
    name : str
        Of the strategy, for errors.
    max_leverage : float
        The most that a sum may be.
    """
    targets = np.ascontiguousarray(targets, dtype=np.float64)
    totals = targets.sum(axis=-1)
    if not targets.size:
        return targets
    # a NaN makes both comparisons false
    most = float(totals.max()) - max_leverage
    if not (targets.min() >= 0 and most <= SUM_TOLERANCE * max_leverage):
        for place in np.ndindex(totals.shape):
            session: np.datetime64 = dates[int(place[-1])]
            when = f" that {name} decided on {as_date(session)}"
            check_weights(targets[place], symbols, when=when, max_leverage=max_leverage)
    rounded = (np.abs(totals - 1) <= SUM_TOLERANCE) & (totals != 1)
    if rounded.any():
        targets = targets.copy()
        targets[rounded] /= totals[rounded][:, np.newaxis]
    return targets
