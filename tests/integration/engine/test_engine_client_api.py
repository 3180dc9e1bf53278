"""prisma-client-py's public API, every method once and more, on our schema."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from etf_backtest.database.client.engine import AsyncAbstractEngine
from etf_backtest.database.client.enums import StrategyType, SubscriptionTier
from etf_backtest.database.client.fields import Json
from etf_backtest.database.client.models import ETFInfo, MarketData, User
from etf_backtest.database.client.types import (
    MarketDataCreateWithoutRelationsInput,
    MarketDataScalarFieldKeys,
)
from etf_backtest.database.engine import QUERY_LOGGER
from tests.integration.engine.database import Database, a_portfolio, a_user, connected, engine_of

FIRST = datetime(2024, 1, 2, tzinfo=UTC)


def bar(symbol: str, day: int, close: str) -> MarketDataCreateWithoutRelationsInput:
    return {
        "symbol": symbol,
        "date": FIRST + timedelta(days=day),
        "close": Decimal(close),
        "volume": 1000 + day,
        "source": "test",
    }


async def bars(client: Database) -> None:
    """Two symbols, five sessions each."""
    rows = [bar(s, d, f"{10 * (d + 1)}.5") for s in ("QQQ", "SPY") for d in range(5)]
    assert await client.marketdata.create_many(rows) == 10


async def test_the_engine_is_one_that_the_client_knows(client: Database) -> None:
    assert isinstance(client._engine, AsyncAbstractEngine)


@pytest.mark.each_postgres
async def test_create_read_update_delete(client: Database) -> None:
    user = await a_user(client)
    assert user.subscriptionTier == "free"
    assert user.createdAt.tzinfo is not None
    assert await client.user.find_unique({"id": user.id}) == user
    assert await client.user.find_unique({"email": user.email}) == user
    assert await client.user.find_unique_or_raise({"id": user.id}) == user
    assert await client.user.find_first(where={"email": user.email}) == user
    assert await client.user.find_first_or_raise() == user
    assert await client.user.find_many() == [user]
    changed = await client.user.update(
        where={"id": user.id},
        data={"firstName": "Ada", "subscriptionTier": SubscriptionTier.premium},
    )
    assert changed is not None
    assert (changed.firstName, changed.subscriptionTier) == ("Ada", "premium")
    assert changed.updatedAt > user.updatedAt
    cleared = await client.user.update(where={"id": user.id}, data={"firstName": None})
    assert cleared is not None
    assert cleared.firstName is None
    assert await client.user.delete(where={"id": user.id}) == cleared
    assert await client.user.count() == 0


async def test_upsert(client: Database) -> None:
    for name in ("created", "updated"):
        row = await client.etfinfo.upsert(
            where={"symbol": "SPY"},
            data={"create": {"symbol": "SPY", "name": "created"}, "update": {"name": "updated"}},
        )
        assert row.name == name


async def test_many_at_once(client: Database) -> None:
    rows = [bar("SPY", 0, "1"), bar("SPY", 1, "2")]
    assert await client.marketdata.create_many(rows) == 2
    more = [*rows, bar("SPY", 2, "3")]
    assert await client.marketdata.create_many(more, skip_duplicates=True) == 1
    changed = await client.marketdata.update_many(
        where={"close": {"gte": Decimal(2)}}, data={"volume": {"increment": 5}}
    )
    assert changed == 2
    assert await client.marketdata.delete_many(where={"volume": {"gt": 1005}}) == 2
    assert await client.marketdata.delete_many() == 1


async def test_ten_thousand_rows_at_once(client: Database) -> None:
    rows = [bar(f"S{i // 100}", i % 100, "1.25") for i in range(10_000)]
    assert await client.marketdata.create_many(rows) == 10_000
    assert len(await client.marketdata.find_many()) == 10_000


async def test_filters_order_paging_distinct(client: Database) -> None:
    await bars(client)
    find = client.marketdata.find_many
    rows = await find(where={"symbol": "SPY"}, order={"date": "desc"}, take=2, skip=1)
    assert [row.close for row in rows] == [Decimal("40.5"), Decimal("30.5")]
    rows = await find(order=[{"date": "asc"}, {"symbol": "desc"}], take=3)
    assert [row.symbol for row in rows] == ["SPY", "QQQ", "SPY"]
    rows = await find(order={"date": "asc"}, cursor={"id": rows[2].id}, take=-2)
    assert len(rows) == 2
    assert {row.symbol for row in await find(distinct=["symbol"])} == {"SPY", "QQQ"}
    assert len(await find(where={"symbol": {"in": ["SPY"]}, "volume": {"not": 1000}})) == 4
    assert len(await find(where={"symbol": {"not_in": ["SPY"]}})) == 5
    assert len(await find(where={"symbol": {"startswith": "s", "mode": "insensitive"}})) == 5
    assert len(await find(where={"symbol": {"endswith": "Q"}})) == 5
    assert len(await find(where={"date": {"lt": FIRST + timedelta(days=2)}})) == 4
    assert len(await find(where={"high": None, "close": {"lte": Decimal("20.5")}})) == 4
    either = await find(
        where={"OR": [{"volume": 1000}, {"AND": [{"volume": 1001}, {"NOT": [{"symbol": "SPY"}]}]}]}
    )
    assert len(either) == 3
    key: Any = {"symbol_date": {"symbol": "SPY", "date": FIRST}}
    assert await client.marketdata.find_unique(where=key) is not None


async def test_counting(client: Database) -> None:
    await bars(client)
    assert await client.marketdata.count() == 10
    assert await client.marketdata.count(where={"symbol": "SPY"}, take=3) == 3
    assert await client.marketdata.count(select={"_all": True, "high": True, "close": True}) == {
        "_all": 10,
        "high": 0,
        "close": 10,
    }
    assert await client.marketdata.count(select={}) == {"_all": 10}


async def test_grouping(client: Database) -> None:
    await bars(client)
    by: list[MarketDataScalarFieldKeys] = ["symbol"]
    # Decimal fields are missing from prisma-client-py's type of numbers
    numbers: Any = {"close": True, "volume": True}
    order: Any = {"symbol": "asc"}
    groups = await client.marketdata.group_by(
        by,
        count=True,
        sum=numbers,
        avg=numbers,
        min={"date": True},
        max={"close": True},
        having={"volume": {"_avg": {"gt": 0}}},
        order=order,
        take=1,
    )
    # closes 10.5, 20.5 ... 50.5; volumes 1000 ... 1004
    assert groups == [
        {
            "symbol": "QQQ",
            "_count": {"_all": 5},
            "_sum": {"close": Decimal("152.5"), "volume": 5010},
            "_avg": {"volume": 1002.0, "close": Decimal("30.5")},
            "_min": {"date": FIRST},
            "_max": {"close": Decimal("50.5")},
        }
    ]
    assert isinstance(groups[0]["_avg"]["volume"], float)
    counted = await client.marketdata.group_by(by, count={"high": True, "_all": True})
    assert [group["_count"] for group in counted] == [{"high": 0, "_all": 5}] * 2


async def test_nested_writes_and_includes(client: Database) -> None:
    # prisma-client-py's types end after one level of nested writes; its queries do not
    data: Any = {
        "email": "ada@example.com",
        "passwordHash": "x",
        "portfolios": {
            "create": [
                {
                    "name": name,
                    "holdings": {
                        "create": [
                            {"symbol": "SPY", "allocation": Decimal("0.6")},
                            {"symbol": "AGG", "allocation": Decimal("0.4")},
                        ]
                    },
                }
                for name in ("one", "two")
            ]
        },
        "strategies": {
            "create": [{"name": "s", "type": StrategyType.momentum, "parameters": Json.keys(top=1)}]
        },
    }
    user = await client.user.create(
        data,
        include={
            "portfolios": {
                "include": {
                    "holdings": {"where": {"symbol": "SPY"}, "order_by": {"symbol": "asc"}}
                },
                "order_by": {"name": "desc"},
                "take": 1,
            },
            "strategies": True,
            "backtests": False,
        },
    )
    assert user.portfolios is not None
    assert [p.name for p in user.portfolios] == ["two"]
    assert user.portfolios[0].holdings is not None
    assert [(h.symbol, h.allocation) for h in user.portfolios[0].holdings] == [
        ("SPY", Decimal("0.6"))
    ]
    assert user.strategies is not None
    assert dict(user.strategies[0])["parameters"] == {"top": 1}
    assert user.backtests is None
    data = {
        "holdings": {
            "updateMany": [{"where": {"symbol": "AGG"}, "data": {"allocation": Decimal("0.3")}}],
            "deleteMany": [{"symbol": "SPY"}],
        },
        "user": {"connect": {"id": user.id}},
    }
    portfolio = await client.portfolio.update(
        where={"userId_name": {"userId": user.id, "name": "one"}},
        data=data,
        include={"holdings": True, "user": {"include": {"strategies": True}}},
    )
    assert portfolio is not None
    assert portfolio.holdings is not None
    assert [(h.symbol, h.allocation) for h in portfolio.holdings] == [("AGG", Decimal("0.3"))]
    assert portfolio.user is not None
    assert portfolio.user.strategies is not None
    owners = await client.user.find_many(
        where={"portfolios": {"some": {"holdings": {"every": {"symbol": {"not": "QQQ"}}}}}}
    )
    assert [owner.id for owner in owners] == [user.id]
    assert (
        await client.portfolio.count(where={"user": {"is_not": {"email": "ada@example.com"}}}) == 0
    )
    assert await client.user.delete(where={"id": user.id}) is not None
    assert await client.portfolio.count() == 0


async def test_json_filters(client: Database) -> None:
    data: Any = {"top": [1, 2]}
    await client.strategy.create(
        {"name": "m", "type": StrategyType.momentum, "isSystem": True, "parameters": Json(data)}
    )
    count = client.strategy.count
    assert await count(where={"parameters": {"equals": Json(data)}}) == 1
    assert await count(where={"parameters": {"not": Json({})}}) == 1
    by_path: Any = {"parameters": {"path": ["top"], "array_contains": Json([2])}}
    assert await count(where=by_path) == 1


async def test_partial_models_select_what_they_name(database_url: str) -> None:
    class Symbol(ETFInfo):
        pass

    async with connected(database_url) as client:
        client_of_model = Symbol.prisma(client)
        created = await client_of_model.create({"symbol": "SPY", "name": "x"})
        assert type(created) is Symbol


async def test_raw_queries(client: Database) -> None:
    await bars(client)
    assert await client.execute_raw("DELETE FROM market_data WHERE volume = $1", 1004) == 2
    rows = await client.query_raw(
        'SELECT symbol, sum(close) AS "sum" FROM market_data GROUP BY 1 ORDER BY 1'
    )
    # 10.5 + 20.5 + 30.5 + 40.5
    assert rows == [
        {"symbol": "QQQ", "sum": Decimal("102")},
        {"symbol": "SPY", "sum": Decimal("102")},
    ]
    model = """
        SELECT *, adjusted_close AS "adjustedClose", dividend_amount AS "dividendAmount",
               split_ratio AS "splitRatio", created_at AS "createdAt", updated_at AS "updatedAt"
        FROM market_data WHERE symbol = $1 ORDER BY date
    """
    found = await client.query_raw(model, "SPY", model=MarketData)
    assert [type(row) for row in found] == [MarketData] * 4
    assert found[0].close == Decimal("10.5")
    first = await client.query_first(model, "SPY", model=MarketData)
    assert first == found[0]
    assert await client.marketdata.query_first(model, "SPY") == first
    assert await client.query_first("SELECT 1 WHERE false") is None


async def test_the_model_based_api(client: Database) -> None:
    user = await User.prisma(client).create({"email": "a@example.com", "passwordHash": "x"})
    assert await User.prisma(client).find_unique({"id": user.id}) == user


async def test_batches_take_every_write(client: Database) -> None:
    portfolio = await a_portfolio(client)
    async with client.batch_() as batch:
        batch.etfinfo.create({"symbol": "SPY", "name": "x"})
        batch.etfinfo.create_many([{"symbol": "QQQ", "name": "x"}], skip_duplicates=True)
        batch.etfinfo.upsert(
            where={"symbol": "QQQ"},
            data={"create": {"symbol": "QQQ", "name": "c"}, "update": {"name": "u"}},
        )
        batch.portfolio.update(
            where={"id": portfolio.id}, data={"description": "\u2028", "currency": "EUR"}
        )
        batch.etfinfo.update_many(where={"name": "x"}, data={"name": "y"})
        batch.etfinfo.delete(where={"symbol": "SPY"})
        batch.etfinfo.delete_many(where={"symbol": "none"})
        batch.execute_raw("UPDATE etf_info SET issuer = $1", "z")
    [row] = await client.etfinfo.find_many()
    assert (row.symbol, row.name, row.issuer) == ("QQQ", "u", "z")
    batch = client.batch_()
    batch.etfinfo.delete_many()
    await batch.commit()
    await batch.commit()
    assert await client.etfinfo.count() == 0


async def test_metrics(client: Database) -> None:
    await client.user.count()
    async with client.tx():
        metrics = await client.get_metrics(global_labels={"app": "etf"})
    counters = {metric.key: metric.value for metric in metrics.counters}
    gauges = {metric.key: metric.value for metric in metrics.gauges}
    assert counters["prisma_client_queries_total"] == 1
    # SELECT and BEGIN
    assert counters["prisma_datasource_queries_total"] == 2
    assert counters["prisma_pool_connections_opened_total"] == 1
    assert gauges["prisma_pool_connections_busy"] == 1
    assert gauges["prisma_client_queries_active"] == 0
    assert all(metric.labels == {"app": "etf"} for metric in metrics.counters)
    [histogram] = [
        m for m in metrics.histograms if m.key == "prisma_datasource_queries_duration_histogram_ms"
    ]
    assert histogram.value.count == 2
    assert sum(bucket.total_count for bucket in histogram.value.buckets) == 2
    text = await client.get_metrics(format="prometheus", global_labels={"app": 'e"tf'})
    assert 'prisma_client_queries_total{app="e\\"tf"} 1\n' in text
    assert "# TYPE prisma_client_queries_duration_histogram_ms histogram" in text
    assert 'prisma_client_queries_duration_histogram_ms_bucket{app="e\\"tf",le="+Inf"} 1' in text


async def test_queries_are_logged_on_request(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, QUERY_LOGGER):
        async with connected(database_url, log_queries=True) as client:
            await client.etfinfo.create(
                {"symbol": "SPY", "name": "logged", "assetsUnderManagement": Decimal(1)}
            )
            await client.query_raw("SELECT $1::bigint AS n", 2**62)
    records = [record for record in caplog.records if record.name == QUERY_LOGGER]
    assert any('INSERT INTO "public"."etf_info"' in record.message for record in records)
    assert "logged" not in " ".join(record.message for record in records)
    assert vars(records[-1])["params"] == [str(2**62)]
    assert vars(records[-1])["duration_ms"] > 0


async def test_a_log_that_fails_holds_up_no_query(database_url: str) -> None:
    def fail(_: logging.LogRecord) -> bool:
        raise ZeroDivisionError

    failures: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
    logger = logging.getLogger(QUERY_LOGGER)
    async with connected(database_url, log_queries=True) as client:
        logger.addFilter(fail)
        try:
            async with asyncio.timeout(10):
                assert await asyncio.gather(*(client.user.count() for _ in range(3))) == [0, 0, 0]
        finally:
            logger.removeFilter(fail)
    assert [type(failure) for failure in failures] == [ZeroDivisionError] * 3


async def test_nothing_is_logged_without_a_request(
    client: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, QUERY_LOGGER):
        await client.user.count()
    assert not [record for record in caplog.records if record.name == QUERY_LOGGER]


async def test_large_queries_and_replies_pass_whole(client: Database) -> None:
    text = "\u00e9" * 3_000_000
    [row] = await client.query_raw("SELECT $1::text AS t, repeat('x', 5000000) AS r", text)
    assert row == {"t": text, "r": "x" * 5_000_000}


async def test_the_engine_keeps_nothing_of_answered_requests(client: Database) -> None:
    for _ in range(10):
        await client.user.count()
    process = engine_of(client)._process
    assert process is not None
    assert not process._waiting
