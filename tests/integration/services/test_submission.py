"""Backtests that are left to workers: submitted, called back, tried again, and watched.

No worker runs here: what one would write is written as SQL.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

import etf_backtest
from etf_backtest.database.connection import Database, connect
from etf_backtest.database.models import Backtest, BacktestStatus, PrismaError
from etf_backtest.database.queue_calls import live_workers
from etf_backtest.errors import (
    InvalidParametersError,
    LimitReachedError,
    NotCancellableError,
    NotFoundError,
    NotRetryableError,
)
from etf_backtest.services import progress
from etf_backtest.services.acting import Actor, acting_user
from etf_backtest.services.backtest import run_backtest
from etf_backtest.services.progress import Progress, progress_of, watch_backtests
from etf_backtest.services.stored_run import StoredOptions
from etf_backtest.services.submission import cancel_backtest, retry_backtest, submit_backtest
from etf_backtest.settings import Limits, Settings, TierLimits
from etf_backtest.simulation import Costs, Rules
from tests.fixtures.cluster import Cluster
from tests.fixtures.postgres import migrate
from tests.integration.services.conftest import AddPrices, make_portfolio


@pytest.fixture
async def ready(db: Database, add_prices: AddPrices) -> Database:
    """Prices of AAA and BBB on three sessions, and the portfolio `p` of both."""
    await make_portfolio(db)
    await add_prices("AAA", ["100", "120", "110"])
    await add_prices("BBB", ["50", "45", "45"])
    return db


async def submitted(db: Database, *, priority: int = 0, name: str | None = None) -> Backtest:
    return await submit_backtest(
        db, portfolio="p", strategy="buy-and-hold", priority=priority, name=name
    )


async def begin(db: Database, backtest: Backtest) -> None:
    """What a worker writes when it claims one."""
    await db.execute_raw(
        "UPDATE backtests SET status = 'running', attempt_id = gen_random_uuid(),"
        " attempts = attempts + 1, lease_expires_at = clock_timestamp() + interval '1 minute'"
        " WHERE id = $1::uuid",
        backtest.id,
    )


async def fail(db: Database, backtest: Backtest, reason: str) -> None:
    await db.execute_raw(
        "UPDATE backtests SET status = 'failed', error_message = $2 WHERE id = $1::uuid",
        backtest.id,
        reason,
    )


async def other_user(db: Database, *, tier: str = "free") -> Actor:
    """Somebody else, with the same portfolio."""
    await db.execute_raw(
        "INSERT INTO users (email, password_hash, first_name, last_name, subscription_tier)"
        " VALUES ('o@example.org', 'x', 'O', 'O', $1::subscription_tier)",
        tier,
    )
    actor = await acting_user(db, "o@example.org")
    await db.execute_raw(
        "WITH p AS (INSERT INTO portfolios (user_id, name, initial_capital)"
        " VALUES ($1::uuid, 'p', 1000) RETURNING id)"
        " INSERT INTO portfolio_holdings (portfolio_id, symbol, allocation)"
        " SELECT id, 'AAA', 1 FROM p",
        actor.id,
    )
    return actor


async def test_a_submitted_backtest_is_a_pending_row_that_says_what_to_run(
    ready: Database,
) -> None:
    rules = Rules(rebalance="weekly", costs=Costs(commission_bps=5))
    (before,) = await ready.query_raw("SELECT clock_timestamp() AS now")
    row = await etf_backtest.submit_backtest(
        ready,
        portfolio="p",
        strategy="buy-and-hold",
        rules=rules,
        start=dt.date(2024, 1, 2),
        benchmark="aaa",
        proxies=False,
        risk_free=0.01,
        priority=7,
    )
    assert (row.status, row.priority, row.attempts) == ("pending", 7, 0)
    assert row.results is None
    assert row.startedAt is None
    assert row.startDate.date() == dt.date(2024, 1, 2)
    assert row.benchmarkSymbol == "AAA"
    assert row.portfolio is not None
    assert row.portfolio.name == "p"
    options = StoredOptions.of(row)
    assert options.rules == rules.model_copy(update={"initial_capital": 1000.0})
    assert (options.risk_free, options.proxies) == (0.01, False)
    # by the database's clock, to the millisecond that the column keeps
    (after,) = await ready.query_raw("SELECT clock_timestamp() AS now")
    slack = dt.timedelta(milliseconds=1)
    assert dt.datetime.fromisoformat(before["now"]) - slack <= row.queuedAt
    assert row.queuedAt <= dt.datetime.fromisoformat(after["now"]) + slack
    assert row.createdAt == row.queuedAt


async def test_what_cannot_be_run_is_refused_before_a_row_is_written(ready: Database) -> None:
    for priority in (101, -101, True, 1.5):
        with pytest.raises(InvalidParametersError, match="whole number from -100 to 100"):
            await submitted(ready, priority=priority)  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="no portfolio 'q'"):
        await submit_backtest(ready, portfolio="q", strategy="buy-and-hold")
    assert await ready.backtest.count() == 0


@pytest.mark.each_postgres
async def test_a_tier_has_room_for_so_many_whoever_asks_at_once(
    ready: Database, settings: Settings
) -> None:
    """Two may wait: of six calls at once two are stored, whichever."""
    actor = await other_user(ready)
    limited = settings.model_copy(update={"limits": Limits(free=TierLimits(queued=2))})
    async with connect(limited) as db:

        async def ask() -> str:
            try:
                asked = await submit_backtest(
                    db, portfolio="p", strategy="buy-and-hold", user=actor
                )
            except LimitReachedError as error:
                return f"{error.count} of {error.limit}"
            return asked.id

        stored = [each for each in await asyncio.gather(*(ask() for _ in range(6))) if "-" in each]
        assert len(stored) == 2
        assert await db.backtest.count(where={"userId": actor.id}) == 2

        await cancel_backtest(db, stored[0], user=actor)
        assert "-" in await ask()
        with pytest.raises(LimitReachedError):
            await retry_backtest(db, stored[0], user=actor)
        assert (await progress_of(db, [stored[0]], user=actor))[0].status == "failed"


async def test_a_portfolio_that_goes_while_it_is_submitted_is_said_to_be_gone(
    ready: Database,
) -> None:
    """The lock on the user's row holds the submission up after all that it checks."""
    actor = await other_user(ready)
    connection = await asyncpg.connect(**ready.url.asyncpg_arguments())
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", UUID(actor.id))
            asked = asyncio.create_task(
                submit_backtest(ready, portfolio="p", strategy="buy-and-hold", user=actor)
            )
            async with asyncio.timeout(30):
                while not await connection.fetchval(  # noqa: ASYNC110  # no event tells
                    "SELECT count(*) FROM pg_locks WHERE NOT granted"
                    " AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
                ):
                    await asyncio.sleep(0.02)
            await connection.execute("DELETE FROM portfolios WHERE user_id = $1", UUID(actor.id))
        with pytest.raises(NotFoundError, match="there is no portfolio 'p'"):
            await asked
    finally:
        await connection.close()
    assert await ready.backtest.count() == 0


async def test_pending_and_running_ones_can_be_cancelled_and_nothing_else(
    ready: Database,
) -> None:
    pending, running = await submitted(ready), await submitted(ready)
    await begin(ready, running)
    for each in (pending, running):
        row = await cancel_backtest(ready, each.id[:13])
        assert (row.status, row.errorMessage) == ("failed", "cancelled")
        assert row.leaseExpiresAt is None
        assert row.completedAt is not None
        with pytest.raises(NotCancellableError, match=f"{each.id} is failed") as told:
            await cancel_backtest(ready, each.id)
        assert told.value.status == "failed"
    # the worker that had it may store nothing: the attempt is not running any more
    assert not await ready.backtest.update_many(
        where={"id": running.id, "status": BacktestStatus.running},
        data={"status": BacktestStatus.completed},
    )
    done = (await run_backtest(ready, portfolio="p", strategy="buy-and-hold")).backtest
    with pytest.raises(NotCancellableError, match="is completed"):
        await cancel_backtest(ready, done.id)


async def test_a_failed_one_is_pending_again_behind_the_others(ready: Database) -> None:
    first, second = await submitted(ready), await submitted(ready)
    with pytest.raises(NotRetryableError, match="is pending: only one that failed") as told:
        await retry_backtest(ready, first.id)
    assert str(told.value.remedy).startswith("wait for it")
    await begin(ready, first)
    with pytest.raises(NotRetryableError, match="is running"):
        await retry_backtest(ready, first.id)
    await fail(ready, first, "no luck")
    row = await retry_backtest(ready, first.id)
    assert (row.status, row.errorMessage, row.attempts) == ("pending", None, 0)
    assert row.startedAt is None
    assert row.completedAt is None
    assert [each.id for each in await progress_of(ready)] == [second.id, first.id]
    done = (await run_backtest(ready, portfolio="p", strategy="buy-and-hold")).backtest
    with pytest.raises(NotRetryableError, match="is completed"):
        await retry_backtest(ready, done.id)


async def test_what_is_somebody_elses_is_as_if_it_were_not(ready: Database) -> None:
    """The same class and the same words, but for the id that was asked for; nothing changes."""
    actor = await other_user(ready)
    mine = await submitted(ready)
    await begin(ready, mine)
    await fail(ready, mine, "no luck")
    waiting = await submitted(ready)
    nobodys = "00000000-0000-4000-8000-000000000000"
    for call, row in ((cancel_backtest, waiting), (retry_backtest, mine)):
        said = set()
        for asked in (row.id, row.id[:9], nobodys):
            with pytest.raises(NotFoundError) as told:
                await call(ready, asked, user=actor)
            said.add(str(told.value).replace(asked, "ID"))
        assert said == {"there is no backtest 'ID' (see etf-backtest backtest list)"}
    with pytest.raises(NotFoundError):
        await progress_of(ready, [waiting.id], user=actor)
    assert [each.status for each in await progress_of(ready, [waiting.id, mine.id])] == [
        "pending",
        "failed",
    ]
    for call in (cancel_backtest, retry_backtest):
        with pytest.raises(NotFoundError):
            await call(ready, "")
    with pytest.raises(NotFoundError):
        await progress_of(ready, [""])


@pytest.mark.each_postgres
async def test_progress_counts_everybodys_and_shows_ones_own(ready: Database) -> None:
    """By priority, then by the time of asking: high, a, theirs, b; low stands at the end."""
    actor = await other_user(ready)
    low = await submitted(ready, name="low", priority=-1)
    running = await submitted(ready, name="running")
    await begin(ready, running)
    a = await submitted(ready, name="a")
    theirs = await submit_backtest(ready, portfolio="p", strategy="buy-and-hold", user=actor)
    b = await submitted(ready, name="b")
    high = await submitted(ready, name="high", priority=100)

    places = [(each.name, each.status, each.ahead) for each in await progress_of(ready)]
    assert places == [
        ("running", "running", None),
        ("high", "pending", 0),
        ("a", "pending", 1),
        ("b", "pending", 3),
        ("low", "pending", 4),
    ]
    (seen,) = await progress_of(ready, user=actor)
    assert (seen.id, seen.ahead, seen.priority, seen.attempts) == (theirs.id, 2, 0, 0)
    assert seen.since == theirs.queuedAt
    assert 0 <= seen.seconds < 60
    # in the order that was asked for, whole ids and beginnings
    asked = await progress_of(ready, [b.id, high.id[:13], running.id, a.id, low.id])
    assert [each.name for each in asked] == ["b", "high", "running", "a", "low"]
    assert asked[2].attempts == 1


async def test_watching_ends_when_all_have_ended(
    ready: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SHORTEST_PAUSE", 0.01)
    first, second, third = [await submitted(ready, name=name) for name in "abc"]
    seen: list[list[tuple[str, int | None]]] = []
    watching = watch_backtests(ready)
    steps = iter(
        (
            lambda: begin(ready, first),
            lambda: fail(ready, first, "no luck"),
            lambda: ready.backtest.delete(where={"id": second.id}),
            lambda: cancel_backtest(ready, third.id),
        )
    )
    last: tuple[Progress, ...] = ()
    async for last in watching:
        seen.append([(each.status, each.ahead) for each in last])
        if (step := next(steps, None)) is not None:
            await step()
    pending, failed, deleted = "pending", ("failed", None), ("deleted", None)
    assert seen == [
        [(pending, 0), (pending, 1), (pending, 2)],
        [("running", None), (pending, 0), (pending, 1)],
        [failed, (pending, 0), (pending, 1)],
        [failed, deleted, (pending, 0)],
        [failed, deleted, failed],
    ]
    assert [each.error_message for each in last] == ["no luck", None, "cancelled"]


ROW = """
WITH u AS (INSERT INTO users (email, password_hash, first_name, last_name)
           VALUES ('local@etf-backtest.invalid', 'x', 'L', 'L') RETURNING id),
     p AS (INSERT INTO portfolios (user_id, name, initial_capital)
           SELECT id, 'p', 1000 FROM u RETURNING id, user_id),
     s AS (INSERT INTO strategies (name, type, is_system)
           VALUES ('buy-and-hold', 'buy_and_hold', true) RETURNING id)
INSERT INTO backtests (user_id, portfolio_id, strategy_id, name, start_date, end_date,
                       initial_capital)
SELECT p.user_id, p.id, s.id, 'r', '2024-01-01', '2024-01-03', 1000 FROM p, s
"""


async def test_watching_outlives_a_restart_of_the_server(
    own_postgres: Cluster, user_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Away for two looks: it is said once that it is, and once that it is back."""
    monkeypatch.setattr(progress, "OUTAGE_PAUSE", 0.1)
    await migrate(own_postgres.url())
    own_postgres.execute(ROW)
    said: list[str] = []
    settings = Settings(
        database_url=SecretStr(own_postgres.url()), data_dir=user_home, cache_dir=user_home
    )
    async with connect(settings) as db:
        seen: list[str] = []
        async for (each,) in watch_backtests(db, on_outage=said.append):
            if not seen:
                await asyncio.to_thread(own_postgres.stop)
                back = asyncio.create_task(asyncio.to_thread(start_later, own_postgres))
            seen.append(each.status)
            if len(seen) == 2:
                await back
                await cancel_backtest(db, each.id)
    assert (seen[:2], seen[-1]) == (["pending", "pending"], "failed")
    assert len(said) == 2
    assert said[0].startswith("the database does not answer (")
    assert said[0].endswith("): trying again")
    assert said[1] == "the database answers again"


def start_later(cluster: Cluster) -> None:
    time.sleep(1)
    cluster.start()


async def test_an_error_that_is_no_outage_ends_the_watching(ready: Database) -> None:
    await submitted(ready)
    watching = watch_backtests(ready)
    await anext(watching)
    await ready.execute_raw("ALTER TABLE backtests RENAME COLUMN queued_at TO gone")
    with pytest.raises(PrismaError, match="queued_at"):
        await anext(watching)


JOBS = """
SELECT b.name, j.status::text, j.abort_requested AS told
FROM etf_backtest_queue.procrastinate_jobs j JOIN backtests b ON b.id::text = j.lock ORDER BY j.id
"""


async def test_the_queue_hears_of_it(queue_url: str, user_home: Path) -> None:
    """What waits is taken back, whoever computes one is told; and it tells who works."""
    settings = Settings(database_url=SecretStr(queue_url), data_dir=user_home, cache_dir=user_home)
    async with connect(settings) as db:
        assert await live_workers(db) == 0
        await db.execute_raw(
            "INSERT INTO etf_backtest_queue.procrastinate_workers (last_heartbeat)"
            " VALUES (now()), (now() - interval '2 minutes')"
        )
        assert await live_workers(db) == 1

        await db.execute_raw(ROW)
        await db.execute_raw(
            "INSERT INTO backtests (user_id, portfolio_id, strategy_id, name, start_date, end_date,"
            " initial_capital) SELECT user_id, portfolio_id, strategy_id, 's', start_date,"
            " end_date, initial_capital FROM backtests"
        )
        waiting, running = await db.backtest.find_many(order={"name": "asc"})
        await begin(db, running)
        async with db.tx() as transaction:
            await transaction.execute_raw("SET LOCAL search_path = etf_backtest_queue")
            await transaction.execute_raw(
                "UPDATE procrastinate_jobs SET status = 'doing' WHERE lock = $1", running.id
            )
        for each in (waiting, running):
            await cancel_backtest(db, each.id)
        taken_back = [
            {"name": "r", "status": "cancelled", "told": False},
            {"name": "s", "status": "doing", "told": True},
        ]
        assert await db.query_raw(JOBS) == taken_back
        await retry_backtest(db, waiting.id)
        again = {"name": "r", "status": "todo", "told": False}
        assert await db.query_raw(JOBS) == [*taken_back, again]


async def test_without_a_queue_nobody_can_tell_who_works(db: Database) -> None:
    assert await live_workers(db) is None
