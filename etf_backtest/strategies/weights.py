"""Weights that a portfolio can have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from etf_backtest.errors import AllocationError, LeverageError
from etf_backtest.frozen_mapping import FrozenMapping
from etf_backtest.market.sessions import as_date
from etf_backtest.strategies.symbols import is_symbol, shown
from etf_backtest.typing import DateArray, FloatArray

SUM_TOLERANCE = 1e-9
"""Weights whose sum is this close to 1 mean all of the value: they are scaled to sum to 1."""
MOST_EXPOSURE = 10.0
"""Allocations whose sum is above are no fractions, but percent."""


def check_allocations(allocations: object) -> FrozenMapping[str, float]:
    """Allocations as floats, each a fraction of 0 or more; a pandas Series is taken, too.

    A sum above 1 is leverage; whether it is on is a matter of the rules, and checked with them.

    Raises
    ------
    AllocationError
        Naming the symbol and the value.
    """
    items = named_items(allocations)
    if items is None:
        raise AllocationError(
            f"expected a mapping of symbols to weights, received {shown(allocations)}"
        )
    if not items:
        raise AllocationError("there are no allocations")
    weights: dict[str, float] = {}
    for symbol, weight in items:
        if not is_symbol(symbol):
            raise AllocationError(f"there is a weight for {shown(symbol)}, which is no symbol")
        if symbol in weights:
            raise AllocationError(f"there are two weights for {symbol}", symbol=symbol)
        try:
            weights[symbol] = _number(weight)
        except (TypeError, ValueError, OverflowError):
            raise AllocationError(
                f"the weight of {symbol} is {shown(weight)}", symbol=symbol
            ) from None
    check_weights(np.array(list(weights.values())), tuple(weights), max_leverage=math.inf)
    total = math.fsum(weights.values())
    if total > MOST_EXPOSURE * (1 + SUM_TOLERANCE):
        raise AllocationError(
            f"the weights sum to {total:.10g}, above {MOST_EXPOSURE:g}: they look like percent",
            value=total,
        )
    return FrozenMapping(weights)


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
    items = named_items(asked)
    values = asked if items is None else _in_order(items, symbols, when)
    listed = values if isinstance(values, list | tuple) else ()
    if np.ma.is_masked(values) or any(value is np.ma.masked for value in listed):
        raise AllocationError(f"some of the weights {when} are masked: {shown(asked)}")
    try:
        received = np.asarray(values)
        # text and dates are no numbers, though NumPy would make some of them
        weights = received.astype(np.float64) if received.dtype.kind in "biuf" else None
        if received.dtype.kind == "O" and received.ndim == 1:
            weights = np.array([_number(value) for value in received])
    except (TypeError, ValueError, OverflowError):
        weights = None
    if weights is None:
        raise AllocationError(
            f"expected {len(symbols)} weights {when}, received {shown(asked)}"
        ) from None
    if weights.shape != (len(symbols),):
        raise AllocationError(
            f"expected {len(symbols)} weights {when}, received the shape {weights.shape}"
        )
    return weights


def _in_order(
    items: Sequence[tuple[object, object]], symbols: Sequence[str], when: str
) -> list[object]:
    """Values by name in the order of the symbols."""
    named: dict[object, object] = {}
    for symbol, weight in items:
        if symbol not in symbols:
            raise AllocationError(
                f"the weights {when} are for {shown(symbol)}, which is not among its symbols "
                f"{', '.join(symbols)}"
            )
        if symbol in named:
            raise AllocationError(f"the weights {when} name {symbol} twice", symbol=str(symbol))
        named[symbol] = weight
    return [named.get(symbol, 0.0) for symbol in symbols]


def named_items(given: object) -> list[tuple[Any, Any]] | None:
    """The items of a mapping or a pandas Series; None for what has no names."""
    items = getattr(given, "items", None)
    if isinstance(given, type) or not callable(items):
        return None
    return list(items())


def _number(value: object) -> float:
    """A single number that is no text, though `float` would take more than that."""
    if isinstance(value, str | bytes) or np.ndim(value):  # type: ignore[arg-type]  # of anything
        raise TypeError
    return float(value)  # type: ignore[arg-type]  # what it does not take is its TypeError


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
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    if not math.isfinite(total):
        raise AllocationError(f"the weights{when} sum to {total}", value=total)
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
    copy: bool = True,
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
    copy : bool
        Whether to scale a copy; else `targets` itself is scaled, if it is contiguous float64.
    """
    targets = np.ascontiguousarray(targets, dtype=np.float64)
    if not targets.size:
        return targets
    with np.errstate(over="ignore", invalid="ignore"):
        totals = targets.sum(axis=-1)
    # a NaN makes both comparisons false
    most = float(totals.max())
    if not (
        targets.min() >= 0 and most < np.inf and most - max_leverage <= SUM_TOLERANCE * max_leverage
    ):
        for place in np.ndindex(totals.shape):
            session: np.datetime64 = dates[int(place[-1])]
            when = f" that {name} decided on {as_date(session)}"
            check_weights(targets[place], symbols, when=when, max_leverage=max_leverage)
    rounded = (np.abs(totals - 1) <= SUM_TOLERANCE) & (totals != 1)
    if rounded.any():
        targets = targets.copy() if copy else targets
        targets[rounded] /= totals[rounded][:, np.newaxis]
    return targets
