"""What total-return prices are made of."""

from __future__ import annotations

from enum import StrEnum


class PriceBasis(StrEnum):
    """Where a symbol's total-return prices come from; recorded, never guessed from the numbers."""

    TOTAL_RETURN = "total_return"
    """The caller says that these are total-return prices."""
    CLOSE = "close"
    """Raw traded closes, with dividends and splits."""
    SPLIT_ADJUSTED_CLOSE = "split_adjusted_close"
    """Closes and dividends that the source has adjusted for splits, but not for dividends."""
    ADJUSTED_CLOSE = "adjusted_close"
    """The vendor's back-adjusted closes alone: nothing here can check its arithmetic."""
