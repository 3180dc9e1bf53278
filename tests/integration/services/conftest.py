"""A connected client on a migrated database, with prices and strategies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from etf_backtest.database.connection import Database, connect
from etf_backtest.database.models import StrategyType, to_json
from etf_backtest.database.price_store import store_bars
from etf_backtest.market.bar import Bar
from etf_backtest.services.portfolios import create_portfolio
from etf_backtest.settings import Settings
from tests.fixtures.own_settings import settings_of

AddPrices = Callable[[str, list[str]], Awaitable[None]]
HALF = {"AAA": Decimal("0.5"), "BBB": Decimal("0.5")}


async def make_portfolio(db: Database, allocations: dict[str, Decimal] = HALF) -> None:
    """Store a portfolio `p` of 1000."""
    await create_portfolio(db, name="p", allocations=allocations, initial_capital=Decimal(1000))


@pytest.fixture
def settings(database_url: str, user_home: Path) -> Settings:
    """Settings whose database is the test's own."""
    return settings_of(database_url, user_home)


@pytest.fixture
async def db(settings: Settings) -> AsyncIterator[Database]:
    """The client, with the system's two strategies (momentum over 3 sessions, none skipped)."""
    async with connect(settings) as database:
        await database.strategy.create_many(
            [
                {"name": "buy-and-hold", "type": StrategyType.buy_and_hold, "isSystem": True},
                {
                    "name": "momentum",
                    "type": StrategyType.momentum,
                    "isSystem": True,
                    "parameters": to_json({"look_back": 3, "skip": 0, "top_n": 1}),
                },
            ]
        )
        yield database


@pytest.fixture
def add_prices(db: Database) -> AddPrices:
    """Store adjusted closes of one symbol on consecutive weekdays from 2024-01-01."""

    async def add(symbol: str, prices: list[str]) -> None:
        days = [day.date() for day in pd.bdate_range("2024-01-01", periods=len(prices))]
        bars = [
            Bar(symbol, day, adjusted_close=Decimal(price))
            for day, price in zip(days, prices, strict=True)
        ]
        await store_bars(db.url, bars, source="test")

    return add
