"""What a reader of a result has to know about its inputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from etf_backtest.market import LONGEST_CLOSURE, PriceBasis, PricePanel
from etf_backtest.simulation.rules import Rules
from etf_backtest.strategies import Rebalance, Strategy


def notes_on(
    panel: PricePanel, strategy: Strategy, *, rebalance: Rebalance, lag: int, rules: Rules
) -> Iterator[str]:
    """Yield the warnings that follow from prices, strategy and rules, before anything is run."""
    adjusted = [
        symbol
        for symbol, basis in zip(panel.symbols, panel.basis, strict=True)
        if basis is PriceBasis.ADJUSTED_CLOSE
    ]
    if adjusted:
        yield (
            f"{', '.join(adjusted)}: only the vendor's adjusted closes are known; returns are "
            "their ratios, not computed from closes, dividends and splits"
        )
    yield from _holes(panel)
    if strategy.looks_at_prices and lag == 0:
        yield (
            f"{strategy.name} looks at prices and was run with lag 0: it buys at the very close "
            "that it decides on, which nobody can do"
        )
    if strategy.rebalance == "never" and rebalance != "never":
        yield (
            f"{strategy.name} does not rebalance by itself; the rules take it back to its weights "
            f"({rules.rebalance})"
        )


def _holes(panel: PricePanel) -> Iterator[str]:
    """Weeks without a session, which no exchange calendar explains."""
    closed = np.busday_count(panel.dates[:-1] + 1, panel.dates[1:])
    holes = np.flatnonzero(closed > LONGEST_CLOSURE)
    if holes.size:
        row = int(holes[0])
        more = "" if holes.size == 1 else f", and {holes.size - 1} more such holes"
        yield (
            f"there is no session on {closed[row]} weekdays between {panel.dates[row]} and "
            f"{panel.dates[row + 1]}{more}: prices may be missing, and a hole counts as one return"
        )
