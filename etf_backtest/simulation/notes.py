"""What a reader of a result has to know about its inputs."""

from __future__ import annotations

from collections.abc import Iterator

from etf_backtest.market import PriceBasis, PricePanel
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
