"""Hold what rose most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from etf_backtest.market import PricePanel
from etf_backtest.strategies.strategy import Rebalance, Strategy
from etf_backtest.strategies.symbols import check_symbols, check_top_n
from etf_backtest.typing import FloatArray
from etf_backtest.validated import ValidatedModel


class MomentumParameters(ValidatedModel):
    """Parameters of cross-sectional momentum."""

    look_back: int = Field(252, ge=1, le=2520, description="Sessions whose return is ranked.")
    skip: int = Field(
        21, ge=0, le=252, description="Latest sessions left out of the ranking (reversal)."
    )
    top_n: int = Field(1, ge=1, le=1000, description="Symbols held, with equal weights.")
    rebalance: Rebalance = Field("monthly", description="How often symbols are ranked anew.")


class Momentum(Strategy):
    """Hold the `top_n` symbols with the highest return over a look-back, in equal weights.

    The return of a symbol at session d is ``P[d - skip] / P[d - skip - look_back] - 1``. Equal
    returns are ranked by symbol, A to Z, whatever the order they are given in. With fewer than
    look_back + skip + 1 sessions of history the money stays in cash, and the result says so.

    Parameters
    ----------
    symbols : sequence of str
        What to choose from; a portfolio's allocations play no part.
    look_back, skip, top_n, rebalance
        See MomentumParameters.

    Raises
    ------
    InvalidParametersError
        A value is out of bounds, or `top_n` above the number of symbols.

    References
    ----------
    N. Jegadeesh and S. Titman, "Returns to Buying Winners and Selling Losers: Implications for
    Stock Market Efficiency", Journal of Finance 48 (1993), 65-91. They hold the best decile of
    single stocks, long and short; this holds the best `top_n` and is never short.
    """

    name = "momentum"
    looks_at_prices = True
    Parameters = MomentumParameters
    parameters: MomentumParameters

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        look_back: int = 252,
        skip: int = 21,
        top_n: int = 1,
        rebalance: Rebalance = "monthly",
    ) -> None:
        self.parameters = MomentumParameters(
            look_back=look_back, skip=skip, top_n=top_n, rebalance=rebalance
        )
        self.symbols = check_symbols("Momentum", symbols)
        check_top_n("Momentum", self.parameters.top_n, self.symbols)
        self.rebalance = self.parameters.rebalance
        self.history_sessions = self.parameters.look_back + self.parameters.skip + 1
        alphabetical = sorted(range(len(self.symbols)), key=self.symbols.__getitem__)
        self._alphabetical = np.array(alphabetical, dtype=np.intp)

    def target_weights(self, history: PricePanel) -> FloatArray:
        """1 / top_n for each of the symbols that rose most."""
        last = history.dates.size - 1 - self.parameters.skip
        growth = history.prices[last] / history.prices[last - self.parameters.look_back]
        ranked = self._alphabetical[np.argsort(-growth[self._alphabetical], kind="stable")]
        weights = np.zeros(len(self.symbols))
        weights[ranked[: self.parameters.top_n]] = 1 / self.parameters.top_n
        return weights
