"""What a worker asks a computing child, what it is told, and how both travel.

Frames: 8 bytes length, most significant first, then the body. A question is a pickle. An answer is
a line of JSON and, behind it, the text of the column `results`: whoever computes a stranger's
strategy is not believed anything that could run code in the worker.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from etf_backtest.market.rates import DatedRates
    from etf_backtest.services.price_panel import LoadedPrices
    from etf_backtest.simulation import Rules

LENGTH: Final = struct.Struct(">Q")
LONGEST_ANSWER: Final = 1 << 28
"""Bytes; PostgreSQL holds no larger JSONB."""


@dataclass(frozen=True, slots=True)
class StrategyRecord:
    """A stored strategy, as data: nothing of a stranger's is imported to pass it on."""

    name: str
    """A built-in's, or an entry point's."""
    parameters: Mapping[str, object]
    allocations: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SymbolsQuestion:
    """Which symbols does the strategy trade?"""

    strategy: StrategyRecord


@dataclass(frozen=True, slots=True)
class RunQuestion:
    """What comes out of this run?"""

    backtest_id: str
    strategy: StrategyRecord
    rules: Rules
    benchmark: str | None
    risk_free: float | DatedRates
    prices: LoadedPrices
    start: dt.date
    end: dt.date


Question: TypeAlias = SymbolsQuestion | RunQuestion
