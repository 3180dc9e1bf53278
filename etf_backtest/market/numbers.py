"""Numbers as float64 arrays, or one clear error."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import PriceDataError
from etf_backtest.typing import FloatArray


def float_array(values: ArrayLike, *, what: str, symbol: str | None = None) -> FloatArray:
    """A float64 copy, row after row in memory, whatever its shape; what is masked is NaN.

    Raises
    ------
    PriceDataError
        They are not real numbers.
    """
    try:
        # np.asarray would bring what a mask hides to light
        array = np.ma.filled(values, np.nan) if np.ma.isMA(values) else np.asarray(values)
        if array.dtype.kind in "biufOUS":
            return np.array(array, dtype=np.float64, order="C")
        problem = f"received the type {array.dtype}"
    except (TypeError, ValueError, OverflowError) as error:
        problem = str(error)
    of = "" if symbol is None else f" of {symbol}"
    raise PriceDataError(
        f"expected numbers for the {what}{of}: {problem}",
        symbol=symbol,
        remedy="give one number a session and symbol, NaN where there is none",
    )
