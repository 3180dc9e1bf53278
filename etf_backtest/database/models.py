"""The generated client's names that other rooms use: rows, enums, inputs, errors.

Nothing outside `etf_backtest.database` imports the generated client itself.
"""

from etf_backtest.database.client import Json
from etf_backtest.database.client.enums import BacktestStatus, StrategyType, SubscriptionTier
from etf_backtest.database.client.errors import PrismaError, TableNotFoundError
from etf_backtest.database.client.models import (
    Backtest,
    ETFInfo,
    MarketData,
    PerformanceMetrics,
    Portfolio,
    PortfolioHolding,
    Strategy,
    User,
)
from etf_backtest.database.client.types import (
    BacktestWhereInput,
    ETFInfoCreateWithoutRelationsInput,
    ETFInfoWhereInput,
    PerformanceMetricsCreateWithoutRelationsInput,
    StrategyCreateWithoutRelationsInput,
)

__all__ = [
    "Backtest",
    "BacktestStatus",
    "BacktestWhereInput",
    "ETFInfo",
    "ETFInfoCreateWithoutRelationsInput",
    "ETFInfoWhereInput",
    "Json",
    "MarketData",
    "PerformanceMetrics",
    "PerformanceMetricsCreateWithoutRelationsInput",
    "Portfolio",
    "PortfolioHolding",
    "PrismaError",
    "Strategy",
    "StrategyCreateWithoutRelationsInput",
    "StrategyType",
    "SubscriptionTier",
    "TableNotFoundError",
    "User",
]
