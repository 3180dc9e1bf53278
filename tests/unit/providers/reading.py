"""How the tests of price files look at what was read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from etf_backtest.market.bars import SCALES
from etf_backtest.market.quality import Finding, Level
from etf_backtest.providers.price_files import open_prices
from etf_backtest.providers.source import PriceBatch, PriceSource

FILES = Path(__file__).parents[2] / "fixtures" / "prices"


def opened(path: Path, **options: Any) -> PriceSource:
    """The one source of a file."""
    (source,) = open_prices([path], **options).sources
    return source


def batches(path: Path, **options: Any) -> list[PriceBatch]:
    """Everything in a file."""
    return list(opened(path, **options).batches())


def bars(read: list[PriceBatch]) -> list[dict[str, str | int]]:
    """Each bar as what is known of it, numbers as text."""
    rows = []
    for batch in read:
        for row in range(len(batch.bars)):
            known: dict[str, str | int] = {
                "row": int(batch.bars.rows[row]),
                "symbol": batch.bars.symbol(row),
                "date": str(batch.bars.dates[row]),
            }
            for field in SCALES:
                value = batch.bars.value(field, row)
                if value is not None:
                    known[field] = f"{value:f}"
            rows.append(known)
    return rows


def findings(read: list[PriceBatch], level: Level | None = None) -> list[Finding]:
    """Everything that was found, or that of one level."""
    found = (finding for batch in read for finding in batch.findings)
    return [finding for finding in found if level is None or finding.level is level]


def rejects(read: list[PriceBatch]) -> list[str]:
    """Place and message of each reject."""
    return [str(finding) for finding in findings(read, Level.REJECT)]
