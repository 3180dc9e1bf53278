"""Hold what trades close to its highest price of the year."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from etf_backtest import PricePanel, Strategy
from etf_backtest.validated import ValidatedModel


class NearHighParameters(ValidatedModel):
    """Bounds for every value; the JSON schema that is stored and shown follows from them."""

    look_back: int = Field(252, ge=2, le=2520, description="Sessions whose highest price counts.")
    distance: float = Field(
        0.05, ge=0, le=0.5, description="How far below it a symbol may be, a fraction."
    )


class NearHigh(Strategy):
    """Hold, in equal parts, what is at most `distance` below its high of `look_back` sessions.

    A symbol has 1/N where ``P[d] >= max(P[d - look_back + 1 .. d]) * (1 - distance)``; the parts of
    the others are cash.

    References
    ----------
    T. J. George and C.-Y. Hwang, "The 52-Week High and Momentum Investing", Journal of Finance 59
    (2004), 2145-2176.
    """

    name = "near_high"
    Parameters = NearHighParameters
    parameters: NearHighParameters

    def __init__(
        self, symbols: Sequence[str], *, look_back: int = 252, distance: float = 0.05
    ) -> None:
        self.parameters = NearHighParameters(look_back=look_back, distance=distance)
        self.symbols = tuple(symbols)
        self.history_sessions = look_back

    def target_weights(self, history: PricePanel) -> NDArray[np.float64]:
        """1/N for each symbol that is near its high."""
        is_near = history.prices[-1] >= history.prices.max(axis=0) * (1 - self.parameters.distance)
        return np.where(is_near, 1 / len(self.symbols), 0.0)
