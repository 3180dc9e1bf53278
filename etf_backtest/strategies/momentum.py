"""Hold what rose most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from etf_backtest.market import PricePanel
from etf_backtest.strategies.momentum_sweep import sweep
from etf_backtest.strategies.ranking import alphabetical, best, growth_between
from etf_backtest.strategies.strategy import Rebalance, Strategy
from etf_backtest.strategies.symbols import check_symbols, check_top_n
from etf_backtest.typing import FloatArray, IndexArray
from etf_backtest.validated import ValidatedModel


class MomentumParameters(ValidatedModel):
    """Parameters of cross-sectional momentum."""

    look_back: int = Field(252, ge=1, le=2520, description="Sessions whose return is ranked.")
    skip: int = Field(
        21, ge=0, le=252, description="Latest sessions left out of the ranking (reversal)."
    )
    top_n: int = Field(1, ge=1, le=1000, description="Symbols held, with equal weights.")
    minimum_return: float | None = Field(
        None,
        ge=-1,
        le=100,
        description="Absolute filter: what returned no more than this over the look-back is "
        "replaced by cash; none is no filter.",
    )
    rebalance: Rebalance = Field("monthly", description="How often symbols are ranked anew.")


class Momentum(Strategy):
    """Hold the `top_n` symbols with the highest return over a look-back, in equal weights.

    The return of a symbol at session d is ``P[d - skip] / P[d - skip - look_back] - 1``. Equal
    returns are ranked by symbol, A to Z, whatever the order they are given in. With a
    `minimum_return` the ``1 / top_n`` of each chosen symbol that did not return more than it is in
    cash. With fewer than look_back + skip + 1 sessions of history the money stays in cash, and the
    result says so.

    Parameters
    ----------
    symbols : sequence of str
        What to choose from; a portfolio's allocations play no part.
    look_back, skip, top_n, minimum_return, rebalance
        See MomentumParameters.

    Raises
    ------
    InvalidParametersError
        A value is out of bounds, or `top_n` above the number of symbols.

    References
    ----------
    N. Jegadeesh and S. Titman, "Returns to Buying Winners and Selling Losers: Implications for
    Stock Market Efficiency", Journal of Finance 48 (1993), 65-91. They hold the best decile of
    single stocks, long and short; this holds the best `top_n` and is never short. The filter is
    the time-series momentum of T. J. Moskowitz, Y. H. Ooi and L. H. Pedersen, Journal of Financial
    Economics 104 (2012), 228-250.
    """

    name = "momentum"
    Parameters = MomentumParameters
    parameters: MomentumParameters

    def __init__(
        self,
        symbols: Sequence[str],
        *,
        look_back: int = 252,
        skip: int = 21,
        top_n: int = 1,
        minimum_return: float | None = None,
        rebalance: Rebalance = "monthly",
    ) -> None:
        self.parameters = MomentumParameters(
            look_back=look_back,
            skip=skip,
            top_n=top_n,
            minimum_return=minimum_return,
            rebalance=rebalance,
        )
        self.symbols = check_symbols("Momentum", symbols)
        check_top_n("Momentum", self.parameters.top_n, self.symbols)
        self.rebalance = self.parameters.rebalance
        self.history_sessions = self.parameters.look_back + self.parameters.skip + 1

    def target_weights(self, history: PricePanel) -> FloatArray:
        """1 / top_n for each of the symbols that rose most."""
        chosen = self.parameters
        last = history.dates.size - 1 - chosen.skip
        growth = growth_between(history.prices[last - chosen.look_back], history.prices[last])
        picks = best(growth, alphabetical(self.symbols), chosen.top_n)
        if chosen.minimum_return is not None:
            picks = picks[growth[picks] > 1 + chosen.minimum_return]
        weights = np.zeros(len(self.symbols))
        weights[picks] = 1 / chosen.top_n
        return weights

    def targets(self, history: PricePanel, ends: IndexArray) -> FloatArray:
        """What `target_weights` returns on each decision, shape (K, N)."""
        weights: FloatArray = sweep([self], history, ends)[0]
        return weights

    @classmethod
    def targets_of_many(
        cls, strategies: Sequence[Strategy], history: PricePanel, ends: IndexArray
    ) -> FloatArray:
        """What `target_weights` of each strategy returns on each decision, shape (P, K, N).

        Strategies of one look-back and skip share the returns and their ranking.
        """
        return sweep([s for s in strategies if isinstance(s, Momentum)], history, ends)
