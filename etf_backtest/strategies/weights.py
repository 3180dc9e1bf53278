"""Weights that a portfolio can have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from etf_backtest.errors import AllocationError
from etf_backtest.typing import FloatArray

SUM_TOLERANCE = 1e-9
"""Weights whose sum is this close to 1 mean all of the value: they are scaled to sum to 1."""


def check_allocations(allocations: Mapping[str, float]) -> dict[str, float]:
    """Allocations as floats, each a fraction from 0 to 1, in sum at most 1.

    Raises
    ------
    AllocationError
        Naming the symbol and the value.
    """
    if not allocations:
        raise AllocationError("there are no allocations")
    weights = {symbol: float(weight) for symbol, weight in allocations.items()}
    check_weights(np.array(list(weights.values())), tuple(weights))
    return weights


def check_weights(weights: FloatArray, symbols: Sequence[str], *, when: str = "") -> FloatArray:
    """Weights of shape (N,), scaled to sum to 1 where they miss it by rounding alone.

    Raises
    ------
    AllocationError
        Naming the symbol and the value.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (len(symbols),):
        raise AllocationError(
            f"expected {len(symbols)} weights{when}, received the shape {weights.shape}"
        )
    for symbol, weight in zip(symbols, weights.tolist(), strict=True):
        if not (math.isfinite(weight) and weight >= 0):
            raise AllocationError(
                f"the weight of {symbol}{when} is {weight}", symbol=symbol, value=weight
            )
    total = math.fsum(weights.tolist())
    if total > 1 + SUM_TOLERANCE:
        raise AllocationError(f"the weights{when} sum to {total:.10g}, above 1", value=total)
    return weights / total if abs(total - 1) <= SUM_TOLERANCE else weights
