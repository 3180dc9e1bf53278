"""Are prices believable? Rules over bars and stored series; each finding names its place."""

from etf_backtest.market.quality.finding import Finding, Level

__all__ = ["Finding", "Level"]
