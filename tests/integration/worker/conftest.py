"""A database with the queue, prices, strategies, and what is needed to queue backtests by SQL."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etf_backtest.database.connection import Database, connect
from etf_backtest.database.models import Backtest
from etf_backtest.database.price_store import store_bars
from etf_backtest.market.bar import Bar
from etf_backtest.services.accounts import local_user
from etf_backtest.services.jobs.options import WorkerOptions
from etf_backtest.services.portfolios import create_portfolio
from etf_backtest.services.worker import BacktestWorker
from etf_backtest.settings import Settings
from tests.fixtures.own_settings import settings_of
from tests.integration.worker import strangers

START, END = "2024-01-01", "2024-03-22"
SESSIONS = 60
INSERT = """
INSERT INTO backtests (user_id, portfolio_id, strategy_id, name, start_date, end_date,
                       initial_capital, benchmark_symbol, options, priority)
SELECT $1::uuid, p.id, s.id, $2, $3::date, $4::date, $5::numeric, $6, $7::jsonb, $8::smallint
FROM portfolios p, strategies s WHERE p.name = $9 AND s.name = $10
RETURNING id::text
"""

STRATEGY = """
INSERT INTO strategies (name, type, implementation, is_system)
VALUES ($1, $2::strategy_type, $3, true)
"""


@dataclass(frozen=True, slots=True)
class World:
    """A database with a portfolio `p` of AAA and BBB, and strategies by their types' names."""

    db: Database
    user: str

    async def queue(self, name: str = "queued", **changes: Any) -> str:
        """Insert a pending row by SQL, as somebody who knows nothing of us; its id."""
        values = {
            "start": START,
            "end": END,
            "capital": "1000",
            "benchmark": None,
            "options": {},
            "priority": 0,
            "portfolio": "p",
            "strategy": "buy_and_hold",
        } | changes
        values["options"] = json.dumps(values["options"])
        (row,) = await self.db.query_raw(INSERT, self.user, name, *values.values())
        return str(row["id"])

    async def row(self, backtest_id: str) -> Backtest:
        """A row as it is now, with its metrics."""
        row = await self.db.backtest.find_unique(
            where={"id": backtest_id}, include={"metrics": True}
        )
        assert row is not None
        return row

    async def endings(self) -> dict[str, str]:
        """The rows by name: why they failed, or their status."""
        rows = await self.db.query_raw(
            "SELECT name, coalesce(error_message, status::text) AS ending FROM backtests"
        )
        return {row["name"]: row["ending"] for row in rows}

    async def jobs(self) -> list[tuple[str, str]]:
        """Status and backtest of every job that the library has."""
        rows = await self.db.query_raw(
            "SELECT status::text, lock FROM etf_backtest_queue.procrastinate_jobs ORDER BY id"
        )
        return [(row["status"], row["lock"]) for row in rows]

    async def work(self, **options: Any) -> None:
        """Run what is queued."""
        await BacktestWorker(self.db, WorkerOptions(once=True, **options)).run()


@pytest.fixture
def settings(queue_url: str, user_home: Path) -> Settings:
    return settings_of(queue_url, user_home)


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with connect(settings) as db:
        walk = np.random.default_rng(5).normal(0.0005, 0.01, (SESSIONS, 2)).cumsum(axis=0)
        days = np.arange("2024-01-01", "2025-01-01", dtype="datetime64[D]")
        days = days[np.is_busday(days)][:SESSIONS]
        await store_bars(
            db.url,
            [
                Bar(symbol, day, adjusted_close=Decimal(f"{100 * np.exp(level):.4f}"))
                for column, symbol in enumerate(("AAA", "BBB"))
                for day, level in zip(days.astype(dt.date), walk[:, column], strict=True)
            ],
            source="test",
        )
        for kind in ("buy_and_hold", "equal_weight", "momentum"):
            await db.execute_raw(STRATEGY, kind, kind, None)
        for name in (*strangers.NAMES, "sleepless", "absent"):
            await db.execute_raw(STRATEGY, name, "custom", name)
        for name in ("p", "other"):
            await create_portfolio(
                db,
                name=name,
                allocations={"AAA": Decimal("0.6"), "BBB": Decimal("0.3")},
                initial_capital=Decimal(5000),
            )
        yield World(db, (await local_user(db)).id)


@pytest.fixture
def with_strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path with strategies of strangers."""
    strangers.install(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path
