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
    TokenPurpose,
)
from etf_backtest.database.client.errors import (
    DataError,
    ForeignKeyViolationError,
    PrismaError,
    RawQueryError,
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
    SignInThrottle,
    Strategy,
    User,
    UserToken,
)
from etf_backtest.database.client.types import (
    BacktestCreateInput,
    BacktestWhereInput,
    ETFFactsCreateWithoutRelationsInput,
    ETFFactsUpdateInput,
    ETFInfoCreateWithoutRelationsInput,
    ETFInfoUpdateInput,
    ETFInfoWhereInput,
    ETFProxyCreateInput,
    ETFProxyUpdateInput,
    PerformanceMetricsCreateInput,
    PortfolioWhereInput,
    StrategyCreateWithoutRelationsInput,
    StrategyWhereInput,
    UserWhereInput,
)
from etf_backtest.typing import JsonValue

__all__ = [
    "Backtest",
    "BacktestCreateInput",
    "BacktestStatus",
    "BacktestWhereInput",
    "DataError",
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
    "ForeignKeyViolationError",
    "Json",
    "MarketData",
    "PerformanceMetrics",
    "PerformanceMetricsCreateInput",
    "Portfolio",
    "PortfolioHolding",
    "PortfolioWhereInput",
    "Prisma",
    "PrismaError",
    "RawQueryError",
    "SignInThrottle",
    "Strategy",
    "StrategyCreateWithoutRelationsInput",
    "StrategyType",
    "StrategyWhereInput",
    "SubscriptionTier",
    "TableNotFoundError",
    "TokenPurpose",
    "UniqueViolationError",
    "User",
    "UserToken",
    "UserWhereInput",
    "to_json",
]


def to_json(data: Mapping[str, JsonValue]) -> Json:
    """A JSONB value for the client, from any mapping that is JSON."""
    return Json(data)  # type: ignore[arg-type]  # its type names dict and list, not their kinds
