"""Limits of a tier hold, however many calls there are at once."""

from __future__ import annotations

import asyncio
import datetime as dt
from decimal import Decimal

import asyncpg
import pytest

from etf_backtest.database.connection import Database, connect
from etf_backtest.database.models import BacktestStatus
from etf_backtest.errors import LimitReachedError, NameTakenError, NotFoundError
from etf_backtest.services.acting import Actor, acting_user
from etf_backtest.services.limits import room_for_backtest, room_for_portfolio
from etf_backtest.services.portfolios import STORE_WITHIN, create_portfolio, delete_portfolio
from etf_backtest.services.sharing import copy_portfolio
from etf_backtest.settings import Limits, Settings, TierLimits
from tests.integration.services.conftest import HALF

ANN = "ann@example.org"


@pytest.fixture
async def ann(db: Database) -> Actor:
    await db.user.create(data={"email": ANN, "passwordHash": "!"})
    return await acting_user(db, ANN)


async def create(db: Database, number: int, user: Actor | None) -> str:
    row = await create_portfolio(db, name=f"p{number}", allocations=HALF, user=user)
    return row.id


async def pending(db: Database, actor: Actor, number: int) -> str:
    """What a submission does: ask for room and insert, in one transaction."""
    strategy = await db.strategy.find_first_or_raise(where={"name": "buy-and-hold"})
    portfolio = await db.portfolio.find_first_or_raise(where={"userId": actor.id})
    async with db.tx(max_wait=STORE_WITHIN, timeout=STORE_WITHIN) as transaction:
        await room_for_backtest(transaction, actor, db.settings)
        row = await transaction.backtest.create(
            data={
                "userId": actor.id,
                "portfolioId": portfolio.id,
                "strategyId": strategy.id,
                "name": f"b{number}",
                "startDate": dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
                "endDate": dt.datetime(2024, 2, 1, tzinfo=dt.UTC),
                "initialCapital": Decimal(1),
            }
        )
    return row.id


async def test_of_20_portfolios_at_once_10_are_stored(db: Database, ann: Actor) -> None:
    done = await asyncio.gather(*(create(db, n, ann) for n in range(20)), return_exceptions=True)
    refused = [each for each in done if isinstance(each, LimitReachedError)]
    assert len([each for each in done if isinstance(each, str)]) == 10
    assert len(refused) == 10
    assert await db.portfolio.count() == 10
    assert await db.portfolioholding.count() == 20
    assert str(refused[0]) == (
        "no room for more portfolios: you have 10, and the tier free allows 10 (delete one "
        "(etf-backtest portfolio delete NAME), or ask whoever runs this installation for a higher "
        "tier)"
    )
    assert (refused[0].what, refused[0].tier) == ("portfolios", "free")
    assert (refused[0].count, refused[0].limit) == (10, 10)


async def test_the_same_from_two_connections_whatever_they_see_by_default(
    db: Database, ann: Actor, settings: Settings
) -> None:
    """REPEATABLE READ would count what there was before the lock was waited for."""
    client = await asyncpg.connect(db.url.render())
    name = await client.fetchval("SELECT current_database()")
    await client.execute(
        f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'"
    )
    await client.close()
    async with connect(settings) as first, connect(settings) as second:
        clients = (first, second)
        done = await asyncio.gather(
            *(create(clients[n % 2], n, ann) for n in range(14)), return_exceptions=True
        )
    assert len([each for each in done if isinstance(each, LimitReachedError)]) == 4
    assert await db.portfolio.count() == 10


async def test_of_30_submissions_at_once_20_are_stored(db: Database, ann: Actor) -> None:
    await create(db, 0, ann)
    done = await asyncio.gather(*(pending(db, ann, n) for n in range(30)), return_exceptions=True)
    refused = [each for each in done if isinstance(each, LimitReachedError)]
    assert len(refused) == 10
    assert await db.backtest.count() == 20
    assert str(refused[0]).startswith(
        "no room for more backtests pending or running: you have 20, and the tier free allows 20 "
        "(wait until one has ended, cancel one (etf-backtest backtest cancel ID), or ask"
    )
    # a running one counts, one that has ended does not
    ids = [each for each in done if isinstance(each, str)]
    await db.backtest.update(where={"id": ids[0]}, data={"status": BacktestStatus.running})
    with pytest.raises(LimitReachedError):
        await pending(db, ann, 99)
    await db.backtest.update(
        where={"id": ids[0]}, data={"status": BacktestStatus.failed, "errorMessage": "gone"}
    )
    await pending(db, ann, 99)


async def test_the_local_user_has_no_limits_and_takes_no_lock(settings: Settings) -> None:
    none = Limits(free=TierLimits(portfolios=0, queued=0))
    async with connect(settings.model_copy(update={"limits": none})) as db:
        await create(db, 0, None)
        local = await acting_user(db)
        async with db.tx() as transaction:
            await room_for_backtest(transaction, local, db.settings)
            locks = await transaction.query_raw(
                "SELECT count(*)::int AS held FROM pg_locks WHERE pid = pg_backend_pid()"
                " AND relation = 'users'::regclass AND mode <> 'AccessShareLock'"
            )
        assert locks == [{"held": 0}]
        assert await db.portfolio.count() == 1


async def test_the_tier_of_now_counts(db: Database, ann: Actor, settings: Settings) -> None:
    limits = Limits(free=TierLimits(portfolios=1), basic=TierLimits(portfolios=2))
    db.settings = settings.model_copy(update={"limits": limits})
    await create(db, 0, ann)
    with pytest.raises(LimitReachedError, match="the tier free allows 1 "):
        await create(db, 1, ann)
    await db.execute_raw("UPDATE users SET subscription_tier = 'basic'")
    assert ann.tier == "free"  # as it was read before
    await create(db, 1, ann)
    with pytest.raises(LimitReachedError, match="the tier basic allows 2 "):
        await create(db, 2, ann)
    await db.execute_raw("UPDATE users SET subscription_tier = 'premium'")
    await create(db, 2, ann)
    await create(db, 3, ann)
    # what is there already stays where a tier allows less
    await db.execute_raw("UPDATE users SET subscription_tier = 'free'")
    with pytest.raises(LimitReachedError, match="you have 4, and the tier free allows 1 "):
        await create(db, 4, ann)
    assert await db.portfolio.count() == 4


async def test_a_copy_counts_and_what_was_deleted_does_not(
    db: Database, ann: Actor, settings: Settings
) -> None:
    db.settings = settings.model_copy(update={"limits": Limits(free=TierLimits(portfolios=2))})
    await create(db, 0, ann)
    await copy_portfolio(db, "p0", name="copy", user=ann)
    with pytest.raises(LimitReachedError):
        await copy_portfolio(db, "p0", name="another", user=ann)
    await delete_portfolio(db, "copy", user=ann)
    with pytest.raises(NameTakenError):  # told only where there is room
        await copy_portfolio(db, "p0", user=ann)
    await copy_portfolio(db, "p0", name="another", user=ann)


async def test_who_was_deactivated_since_has_no_room(db: Database, ann: Actor) -> None:
    await db.user.update(where={"email": ANN}, data={"isActive": False})
    with pytest.raises(NotFoundError, match=f"^there is no active user '{ANN}'"):
        await create(db, 0, ann)


async def test_inserts_of_others_do_not_wait_for_the_lock(db: Database, ann: Actor) -> None:
    """Plain SQL that refers to the user takes FOR KEY SHARE, which FOR UPDATE would hold up."""
    client = await asyncpg.connect(db.url.render())
    try:
        async with db.tx() as transaction:
            await room_for_portfolio(transaction, ann, db.settings)
            await client.execute("SET lock_timeout = '1s'")
            await client.execute(
                "INSERT INTO portfolios (user_id, name) VALUES ($1::uuid, 'plain')", ann.id
            )
            assert await client.fetchval("SELECT count(*) FROM portfolios") == 1
    finally:
        await client.close()
