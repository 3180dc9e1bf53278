"""SQLAlchemy, knowing only the database, reads and writes every table."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import DeclarativeBase, Session

from tests.integration.schema.rows import KEPT, TABLES

# automap's classes have no types to check against
Class = type[Any]

DAY, NEXT_DAY = dt.date(2014, 1, 2), dt.date(2022, 12, 28)
LATER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def sqlalchemy_url(database_url: str) -> str:
    return database_url.replace("postgresql://", "postgresql+asyncpg://")


def mapped(connection: Connection) -> dict[str, Class]:
    base: type[DeclarativeBase] = automap_base()
    base.prepare(autoload_with=connection)  # type: ignore[attr-defined]  # AutomapBase's
    return {mapper.local_table.name: mapper.class_ for mapper in base.registry.mappers}  # type: ignore[attr-defined]  # a Table


def new_rows(classes: dict[str, Class]) -> Iterator[Any]:
    """A row of every table, linked by automap's relationships or by key."""
    user = classes["users"](email="ada@example.org", password_hash="hash")
    portfolio = classes["portfolios"](
        users=user, name="core", initial_capital=Decimal("12345.67"), currency="USD"
    )
    strategy = classes["strategies"](
        users=user, name="hold", type="buy_and_hold", parameters={"lag": 0}
    )
    backtest = classes["backtests"](
        users=user,
        portfolios=portfolio,
        strategies=strategy,
        name="first",
        start_date=DAY,
        end_date=NEXT_DAY,
        initial_capital=Decimal("12345.67"),
        options={"rebalance": ["monthly"]},
    )
    yield from (user, portfolio, strategy, backtest)
    yield classes["user_tokens"](
        users=user, purpose="verify_email", email="ada@example.org", expires_at=LATER
    )
    yield classes["sign_in_throttles"](subject=bytes(32), failures=1, blocked_until=LATER)
    yield classes["portfolio_holdings"](
        portfolios=portfolio, symbol="SPY", allocation=Decimal("0.3333")
    )
    yield classes["performance_metrics"](
        backtests=backtest,
        total_return=Decimal("1.234567"),
        max_drawdown=Decimal("-0.345678"),
        window_start=DAY,
        window_end=NEXT_DAY,
        sessions=2262,
    )
    yield classes["market_data"](
        symbol="SPY", date=DAY, close=Decimal("182.9200"), volume=2**53 + 1, source="test"
    )
    fund = classes["etf_info"](symbol="SPY", name="SPDR", expense_ratio=Decimal("0.000945"))
    yield fund
    yield classes["etf_facts"](etf_info=fund, valid_from=DAY, category="Large Blend")
    yield classes["etf_proxies"](
        symbol="SPY",
        proxy_symbol="VFINX",
        splice_date=DAY,
        overlap_start=DAY,
        overlap_end=NEXT_DAY,
        overlap_sessions=2262,
        revision=1,
    )
    yield classes["packed_prices"](
        symbol="SPY",
        revision=1,
        layout=1,
        sessions=1,
        dates=bytes(4),
        closes=bytes(8),
        adjusted_closes=bytes(8),
        dividends=b"",
        splits=b"",
        split_adjusted="f",
        sources=[["2014-01-02", "test"]],
    )


def write(connection: Connection) -> None:
    with Session(connection) as session:
        session.add_all(new_rows(mapped(connection)))
        session.flush()


def first(session: Session, classes: dict[str, Class], name: str) -> Any:
    """The row of a table that was written here: triggers have added the others."""
    own = {
        "price_revisions": classes["price_revisions"].number.desc(),
        "etf_facts": classes["etf_facts"].valid_from,
    }
    return session.scalars(select(classes[name]).order_by(own.get(name))).first()


def change(connection: Connection) -> None:
    """Change a column of every table through the ORM, and take the backtest to its end."""
    classes = mapped(connection)
    with Session(connection) as session:
        for name, column, value in (
            ("users", "last_name", "Lovelace"),
            ("user_tokens", "used_at", LATER),
            ("sign_in_throttles", "failures", 2),
            ("portfolios", "description", "all of it"),
            ("portfolio_holdings", "allocation", Decimal("0.5")),
            ("strategies", "parameters", {"lag": 1}),
            ("backtests", "status", "running"),
            ("performance_metrics", "win_rate", Decimal("0.625")),
            ("market_data", "adjusted_close", Decimal("180.1234")),
            ("etf_facts", "expense_ratio", Decimal("0.000945")),
            ("etf_info", "assets_under_management", Decimal("400000000000.01")),
            ("etf_proxies", "tracking_error", Decimal("0.000123")),
            ("packed_prices", "closes", b"\x40\x59" + bytes(6)),
        ):
            setattr(first(session, classes, name), column, value)
        session.flush()
        backtest = session.scalars(select(classes["backtests"])).one()
        backtest.status, backtest.results = "completed", {"equity": [12345.67]}
        session.flush()


def read(connection: Connection) -> dict[str, Any]:
    classes = mapped(connection)
    with Session(connection, expire_on_commit=False) as session:
        rows = {name: first(session, classes, name) for name in TABLES}
        assert rows["portfolio_holdings"].portfolios is rows["portfolios"]
        assert rows["performance_metrics"].backtests.strategies is rows["strategies"]
    return rows


@pytest.mark.each_postgres
async def test_automap_reads_and_writes_every_table(sqlalchemy_url: str) -> None:
    engine = create_async_engine(sqlalchemy_url)
    try:
        for step in (write, change):
            async with engine.begin() as connection:
                await connection.run_sync(step)
        async with engine.connect() as connection:
            rows = await connection.run_sync(read)
    finally:
        await engine.dispose()

    assert set(rows) == set(TABLES)
    for name, row in rows.items():
        assert isinstance(row.id, uuid.UUID)
        if name in KEPT:
            continue
        assert row.created_at.utcoffset() == dt.timedelta(0)
        assert row.created_at < row.updated_at
    assert rows["users"].subscription_tier == "free"
    assert rows["user_tokens"].used_at == LATER
    assert rows["sign_in_throttles"].failures == 2
    assert rows["portfolios"].initial_capital == Decimal("12345.67")
    assert rows["portfolio_holdings"].allocation == Decimal("0.5")
    assert rows["strategies"].parameters == {"lag": 1}
    assert rows["backtests"].results == {"equity": [12345.67]}
    assert rows["backtests"].started_at <= rows["backtests"].completed_at
    assert rows["performance_metrics"].max_drawdown == Decimal("-0.345678")
    assert rows["market_data"].volume == 2**53 + 1
    assert rows["etf_info"].expense_ratio == Decimal("0.000945")
    # the second transaction's change of a price was kept, though the ORM knows nothing of it
    assert rows["price_revisions"].updated == 1
    assert rows["market_data_history"].adjusted_close is None
    assert rows["market_data_history"].valid_to == rows["market_data"].revision
