"""What came of a fetch: by symbol, and altogether."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from etf_backtest.errors import EtfBacktestError
from etf_backtest.market.quality import Finding
from etf_backtest.typing import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolFetch:
    """What came of fetching one symbol.

    Attributes
    ----------
    symbol : str
    inserted, updated, unchanged : int
        Rows.
    first, last : date, optional
        Of what was fetched.
    anew : str, optional
        Why the whole history was fetched, where something was stored before.
    findings : tuple of Finding
        Warnings, and the rejects that a failure is about.
    failure : EtfBacktestError, optional
        Why nothing of it was stored.
    """

    symbol: str
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    first: dt.date | None = None
    last: dt.date | None = None
    anew: str | None = None
    findings: tuple[Finding, ...] = ()
    failure: EtfBacktestError | None = None

    def to_dict(self) -> JsonObject:
        """The same, ready for JSON."""
        return {
            "symbol": self.symbol,
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "first_date": None if self.first is None else self.first.isoformat(),
            "last_date": None if self.last is None else self.last.isoformat(),
            "anew": self.anew,
            "findings": [finding.to_dict() for finding in self.findings],
            "error": None if self.failure is None else self.failure.message,
            "remedy": None if self.failure is None else self.failure.remedy,
        }


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What came of a fetch, in the order in which symbols were asked for."""

    symbols: tuple[SymbolFetch, ...]

    @property
    def failures(self) -> tuple[SymbolFetch, ...]:
        """Those of which nothing was stored."""
        return tuple(fetched for fetched in self.symbols if fetched.failure is not None)

    @property
    def exit_code(self) -> int:
        """0 if all symbols are stored, else 1."""
        return 1 if self.failures else 0
