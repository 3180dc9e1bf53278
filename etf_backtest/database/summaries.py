"""Rows without what is large in them: the query asks for the fields that a model has."""

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Optional

from etf_backtest.database.client.actions import BacktestActions
from etf_backtest.database.client.bases import BaseBacktest
from etf_backtest.database.client.enums import BacktestStatus
from etf_backtest.database.client.fields import Json
from etf_backtest.database.client.models import PerformanceMetrics, Portfolio, Strategy

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database


class BacktestSummary(BaseBacktest):
    """A backtest without its results, of which fifty would be megabytes."""

    id: str
    userId: str  # noqa: N815  # the client's names
    portfolioId: str  # noqa: N815
    strategyId: str  # noqa: N815
    name: str
    startDate: dt.datetime  # noqa: N815
    endDate: dt.datetime  # noqa: N815
    initialCapital: Decimal  # noqa: N815
    benchmarkSymbol: str | None = None  # noqa: N815
    status: BacktestStatus
    isShared: bool  # noqa: N815
    priority: int
    attempts: int
    options: Json
    errorMessage: str | None = None  # noqa: N815
    queuedAt: dt.datetime  # noqa: N815
    startedAt: dt.datetime | None = None  # noqa: N815
    completedAt: dt.datetime | None = None  # noqa: N815
    engineVersion: str | None = None  # noqa: N815
    conventionsVersion: int | None = None  # noqa: N815
    dataRevision: int | None = None  # noqa: N815
    createdAt: dt.datetime  # noqa: N815
    updatedAt: dt.datetime  # noqa: N815
    portfolio: Optional[Portfolio] = None  # noqa: UP045  # as the client writes relations
    strategy: Optional[Strategy] = None  # noqa: UP045
    metrics: Optional[PerformanceMetrics] = None  # noqa: UP045


def backtest_summaries(db: "Database") -> BacktestActions[BacktestSummary]:
    """As `db.backtest`, for rows without results."""
    return BacktestActions(db, BacktestSummary)
