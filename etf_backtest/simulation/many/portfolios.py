"""What is to be run: strategies, or rows of weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, overload

import numpy as np

from etf_backtest.errors import InvalidParametersError
from etf_backtest.market import PricePanel
from etf_backtest.market.symbols import check_symbols
from etf_backtest.strategies import FixedWeights, Strategy
from etf_backtest.strategies.checks import check_strategy
from etf_backtest.strategies.weights import SUM_TOLERANCE, check_weights
from etf_backtest.typing import FloatArray, IndexArray


class Portfolios(Sequence[Strategy]):
    """The strategies of a batch by number; of weights, FixedWeights that are made when asked for.

    Attributes
    ----------
    symbols : tuple of str, or None
        Columns of the weights; None where strategies were given.
    weights : ndarray of shape (P, N), or None
        As given, each row checked; read-only.
    """

    def __init__(
        self,
        strategies: tuple[Strategy, ...] = (),
        *,
        symbols: tuple[str, ...] | None = None,
        weights: FloatArray | None = None,
    ) -> None:
        self._strategies, self.symbols, self.weights = strategies, symbols, weights
        if weights is not None:
            weights.flags.writeable = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Unpickled weights are read-only again."""
        return _restored, (self._strategies, self.symbols, self.weights)

    def __len__(self) -> int:
        return len(self._strategies) if self.weights is None else len(self.weights)

    @overload
    def __getitem__(self, number: int) -> Strategy: ...
    @overload
    def __getitem__(self, number: slice) -> tuple[Strategy, ...]: ...
    def __getitem__(self, number: int | slice) -> Strategy | tuple[Strategy, ...]:
        if isinstance(number, slice):
            return tuple(self[i] for i in range(*number.indices(len(self))))
        if self.weights is None or self.symbols is None:
            return self._strategies[number]
        return FixedWeights(dict(zip(self.symbols, self.weights[number].tolist(), strict=True)))

    def __iter__(self) -> Iterator[Strategy]:
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        return f"Portfolios({len(self)})"

    def targets(self, numbers: IndexArray) -> FloatArray:
        """Some of the weights, scaled to sum to 1 where they miss that by rounding: (p, 1, N)."""
        assert self.weights is not None  # noqa: S101  # asked before
        chosen = self.weights[numbers]
        totals = chosen.sum(axis=1, keepdims=True)
        near = np.abs(totals - 1.0) <= SUM_TOLERANCE
        scaled: FloatArray = chosen / np.where(near, totals, 1.0)
        return scaled[:, np.newaxis]

    def alike(self, numbers: Sequence[int]) -> Iterator[tuple[Strategy, Sequence[int]]]:
        """Strategies and their numbers; rows of weights are alike in all but the weights."""
        if self.weights is not None:
            yield self[numbers[0]], numbers
        else:
            yield from ((self[number], (number,)) for number in numbers)


def _restored(
    strategies: tuple[Strategy, ...], symbols: tuple[str, ...] | None, weights: FloatArray | None
) -> Portfolios:
    return Portfolios(strategies, symbols=symbols, weights=weights)


def portfolios_of(given: object, panel: PricePanel, max_leverage: float) -> Portfolios:
    """Strategies from a sequence of them, or rows of weights for the symbols of the panel.

    A frame of weights names its symbols itself.

    Raises
    ------
    InvalidParametersError
        There are none, one is no strategy or lacks an attribute, or the weights are no numbers or
        have not the shape (P, N).
    PriceDataError
        A column of a frame is no symbol, or stands twice.
    AllocationError
        Weights that no portfolio can have, with the number of the portfolio.
    """
    if isinstance(given, np.ndarray) or _is_frame(given):
        return _of_weights(given, panel, max_leverage)
    if isinstance(given, Portfolios):
        return given
    strategies = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else ()
    if not strategies:
        raise _refused(
            "expected a sequence of strategies or an array of weights (P, N), received "
            + ("none" if isinstance(given, Sequence) and not given else type(given).__name__)
        )
    for number, strategy in enumerate(strategies):
        if not isinstance(strategy, Strategy):
            raise _refused(
                f"number {number} is no Strategy but {type(strategy).__name__}; weights are given "
                "as one array (P, N)"
            )
        check_strategy(strategy)
    return Portfolios(strategies)


def _of_weights(given: Any, panel: PricePanel, max_leverage: float) -> Portfolios:
    symbols = check_symbols(tuple(given.columns)) if _is_frame(given) else panel.symbols
    weights = _as_numbers(np.asarray(given))
    if weights.ndim != 2 or weights.shape[1] != len(symbols) or not len(weights):
        raise _refused(
            f"expected weights of the shape (P, {len(symbols)}), a row a portfolio and a column "
            f"for each of {', '.join(symbols)}, received {weights.shape}"
        )
    with np.errstate(over="ignore"):  # what overflows is above all that is allowed
        most = weights.sum(axis=1).max()
        # a NaN makes both comparisons false
        if not (weights.min() >= 0 and most <= max_leverage * (1 + SUM_TOLERANCE)):
            for number, row in enumerate(weights):
                when = f" of portfolio {number}"
                check_weights(row, symbols, when=when, max_leverage=max_leverage)
    return Portfolios(symbols=symbols, weights=weights)


def _is_frame(given: object) -> bool:
    return hasattr(given, "columns") and not isinstance(given, type)


def _as_numbers(given: Any) -> FloatArray:
    """A copy as float64; text, dates, truths and complex numbers are no weights."""
    fine = given.dtype.kind in "iuf"
    if given.dtype.kind == "O":
        fine = all(
            isinstance(one, Real | Decimal) and not isinstance(one, bool) for one in given.flat
        )
    if not fine:
        raise _refused("the weights are not all numbers")
    return np.array(given, dtype=np.float64)


def _refused(problem: str) -> InvalidParametersError:
    return InvalidParametersError("simulate_many", [f"strategies: {problem}"])
