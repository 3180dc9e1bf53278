"""What a price is: bars, series of total-return prices, panels of them."""

from etf_backtest.market.bar import Bar
from etf_backtest.market.basis import PriceBasis
from etf_backtest.market.missing import ForwardFill, MissingPolicy
from etf_backtest.market.panel import PricePanel
from etf_backtest.market.quotes import Quotes
from etf_backtest.market.series import PriceSeries
from etf_backtest.market.sessions import LONGEST_CLOSURE

__all__ = [
    "LONGEST_CLOSURE",
    "Bar",
    "ForwardFill",
    "MissingPolicy",
    "PriceBasis",
    "PricePanel",
    "PriceSeries",
    "Quotes",
]
