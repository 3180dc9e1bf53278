"""What `simulate_many` was asked for, beside the portfolios."""

from __future__ import annotations

from dataclasses import dataclass

from etf_backtest.market import PricePanel
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation.rules import Rules
from etf_backtest.typing import DateLike


@dataclass(frozen=True, slots=True)
class Request:
    """Arguments of `simulate_many`, checked; `names` are those of the metrics."""

    panel: PricePanel
    rules: Rules
    benchmark: str | None
    risk_free: float | DatedRates
    start: DateLike | None
    end: DateLike | None
    names: tuple[str, ...]
    curves: bool
