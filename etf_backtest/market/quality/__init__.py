"""Are prices believable? Rules over bars and stored series; each finding names its place.

`check_bars` finds rows that cannot be stored (level reject), `check_series` what somebody should
look at in the history of a symbol (level warn). docs/prices.md lists the rules.
"""

from etf_backtest.market.quality.bar_rules import BarCheck, bar_findings, check_bars
from etf_backtest.market.quality.calendar_rules import ExchangeSessions
from etf_backtest.market.quality.duplicates import Repeats, SessionsSeen
from etf_backtest.market.quality.finding import Finding, Level
from etf_backtest.market.quality.history import PriceHistory, histories
from etf_backtest.market.quality.rules import BAR_RULES, SERIES_RULES
from etf_backtest.market.quality.series_rules import SeriesCheck, check_series

__all__ = [
    "BAR_RULES",
    "SERIES_RULES",
    "BarCheck",
    "ExchangeSessions",
    "Finding",
    "Level",
    "PriceHistory",
    "Repeats",
    "SeriesCheck",
    "SessionsSeen",
    "bar_findings",
    "check_bars",
    "check_series",
    "histories",
]
