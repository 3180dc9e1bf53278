"""Hold what rose most, as long as it rose more than the safe asset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from etf_backtest.market import PricePanel
from etf_backtest.strategies.ranking import alphabetical, best, growth_between
from etf_backtest.strategies.strategy import Rebalance, Strategy
from etf_backtest.strategies.symbols import check_symbols, check_top_n
from etf_backtest.typing import FloatArray
from etf_backtest.validated import ValidatedModel


class DualMomentumParameters(ValidatedModel):
    """Parameters of dual momentum."""

    safe: str | None = Field(
        None,
        min_length=1,
        max_length=20,
        description="Symbol that is held in place of what did not beat it; none is cash.",
    )
    look_back: int = Field(252, ge=1, le=2520, description="Sessions whose return is compared.")
    top_n: int = Field(1, ge=1, le=1000, description="Symbols held, with equal weights.")
    rebalance: Rebalance = Field("monthly", description="How often returns are compared anew.")


class DualMomentum(Strategy):
    """Hold the `top_n` symbols that rose most, each only if it beat the safe asset.

    The return of a symbol at session d is ``P[d] / P[d - look_back] - 1``. Relative momentum ranks
    the symbols without the safe one and picks the `top_n` best, equal returns by symbol, A to Z.
    Absolute momentum then compares each pick with the safe asset, or with 0 where there is none: a
    pick that did not return more gives its ``1 / top_n`` to the safe asset, or to cash.

    Parameters
    ----------
    symbols : sequence of str
        What to choose from; a portfolio's allocations play no part. The safe symbol may be among
        them and is not ranked.
    safe, look_back, top_n, rebalance
        See DualMomentumParameters.

    Raises
    ------
    InvalidParametersError
        A value is out of bounds, or `top_n` above the number of symbols that are ranked.

    References
    ----------
    G. Antonacci, "Dual Momentum Investing", McGraw-Hill (2014), and "Risk Premia Harvesting Through
    Dual Momentum", Journal of Management & Entrepreneurship 2 (2017), 27-55.
    """

    name = "dual_momentum"
    Parameters = DualMomentumParameters
    parameters: DualMomentumParameters

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        safe: str | None = None,
        look_back: int = 252,
        top_n: int = 1,
        rebalance: Rebalance = "monthly",
    ) -> None:
        self.parameters = DualMomentumParameters(
            safe=safe, look_back=look_back, top_n=top_n, rebalance=rebalance
        )
        given = check_symbols("DualMomentum", symbols)
        self.symbols = given if safe is None or safe in given else (*given, safe)
        ranked = check_symbols("DualMomentum", [s for s in self.symbols if s != safe])
        check_top_n("DualMomentum", self.parameters.top_n, ranked)
        self.rebalance = self.parameters.rebalance
        self.history_sessions = self.parameters.look_back + 1
        order = alphabetical(self.symbols)
        self._order = order[[self.symbols[column] != safe for column in order]]
        self._safe = None if safe is None else self.symbols.index(safe)

    def target_weights(self, history: PricePanel) -> FloatArray:
        """1 / top_n for each symbol that rose most and beat the safe asset; it has the rest."""
        top_n, last = self.parameters.top_n, history.dates.size - 1
        growth = growth_between(
            history.prices[last - self.parameters.look_back], history.prices[last]
        )
        picks = best(growth, self._order, top_n)
        hurdle = 1.0 if self._safe is None else growth[self._safe]
        winners = picks[growth[picks] > hurdle]
        weights = np.zeros(len(self.symbols))
        weights[winners] = 1 / top_n
        if self._safe is not None:
            weights[self._safe] = (top_n - winners.size) / top_n
        return weights
