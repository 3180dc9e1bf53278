"""The generated client's names that other rooms use: rows, enums, inputs, errors.

Nothing outside `etf_backtest.database` imports the generated client itself.
"""

from collections.abc import Mapping

from etf_backtest.database.client import Json, Prisma
from etf_backtest.database.client.enums import (
    BacktestStatus,
    ETFStatus,
    StrategyType,
    SubscriptionTier,
)
from etf_backtest.database.client.errors import (
    PrismaError,
    TableNotFoundError,
    UniqueViolationError,
)
from etf_backtest.database.client.models import (
    Backtest,
    ETFFacts,
    ETFInfo,
    ETFProxy,
    MarketData,
    PerformanceMetrics,
    Portfolio,
    PortfolioHolding,
    Strategy,
    User,
)
from etf_backtest.database.client.types import (
    BacktestWhereInput,
    ETFFactsCreateWithoutRelationsInput,
    ETFFactsUpdateInput,
    ETFInfoCreateWithoutRelationsInput,
    ETFInfoUpdateInput,
    ETFInfoWhereInput,
    ETFProxyCreateInput,
    ETFProxyUpdateInput,
    PerformanceMetricsCreateInput,
    StrategyCreateWithoutRelationsInput,
)
from etf_backtest.typing import JsonValue

__all__ = [
    "Backtest",
    "BacktestStatus",
    "BacktestWhereInput",
    "ETFFacts",
    "ETFFactsCreateWithoutRelationsInput",
    "ETFFactsUpdateInput",
    "ETFInfo",
    "ETFInfoCreateWithoutRelationsInput",
    "ETFInfoUpdateInput",
    "ETFInfoWhereInput",
    "ETFProxy",
    "ETFProxyCreateInput",
    "ETFProxyUpdateInput",
    "ETFStatus",
    "Json",
    "MarketData",
    "PerformanceMetrics",
    "PerformanceMetricsCreateInput",
    "Portfolio",
    "PortfolioHolding",
    "Prisma",
    "PrismaError",
    "Strategy",
    "StrategyCreateWithoutRelationsInput",
    "StrategyType",
    "SubscriptionTier",
    "TableNotFoundError",
    "UniqueViolationError",
    "User",
    "to_json",
]


def to_json(data: Mapping[str, JsonValue]) -> Json:
    """A JSONB value for the client, from any mapping that is JSON."""
    return Json(data)  # type: ignore[arg-type]  # its type names dict and list, not their kinds
