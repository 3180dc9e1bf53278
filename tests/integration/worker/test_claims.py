"""Whose a running backtest is: of two that have claimed it, the later alone can store anything."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any, cast

import asyncpg
import pytest

from etf_backtest.database.models import PerformanceMetricsCreateInput
from etf_backtest.errors import LostClaimError
from etf_backtest.services.jobs.claim import (
    Claim,
    GivenUp,
    claim,
    fail,
    give_back,
    renew,
    store_outcome,
)
from etf_backtest.services.submission import cancel_backtest, retry_backtest
from etf_backtest.typing import JsonObject
from tests.integration.worker.conftest import World

RESULTS = '{"equity": [1000.0, 1010.5]}'


async def claimed(world: World, backtest_id: str, **options: Any) -> Claim:
    taken = await claim(world.db, backtest_id, **{"lease": 30, "most_attempts": 5, **options})
    assert isinstance(taken, Claim)
    return taken


def metrics(backtest_id: str) -> PerformanceMetricsCreateInput:
    day = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    return {"backtestId": backtest_id, "windowStart": day, "windowEnd": day, "sessions": 2}


async def store(world: World, taken: Claim) -> None:
    await store_outcome(
        world.db, taken, metrics=metrics(taken.id), results=RESULTS, data_revision=1
    )


async def test_a_claim_says_what_the_row_and_its_owner_say(world: World) -> None:
    backtest_id = await world.queue("mine", benchmark="AAA", options={"lag": 2})
    taken = await claimed(world, backtest_id)
    assert (taken.attempts, taken.name, taken.benchmark, taken.options) == (
        1,
        "mine",
        "AAA",
        {"lag": 2},
    )
    assert (taken.owner.id, taken.owner_is_active) == (world.user, True)
    row = await world.row(backtest_id)
    assert (row.status, row.attemptId, row.attempts) == ("running", taken.attempt, 1)
    assert row.leaseExpiresAt is not None
    assert row.startedAt is not None
    # the lease is 30 s by the database's clock, as started_at is
    assert abs((row.leaseExpiresAt - row.startedAt).total_seconds() - 30) < 1


async def test_the_later_claim_stores_and_the_earlier_does_not(world: World) -> None:
    backtest_id = await world.queue()
    first = await claimed(world, backtest_id)
    second = await claimed(world, backtest_id)
    assert second.attempts == 2
    with pytest.raises(LostClaimError):
        await store(world, first)
    row = await world.row(backtest_id)
    assert (row.status, row.results, row.metrics) == ("running", None, None)
    await store(world, second)
    # whoever has not heard of the commit tries again: that is no loss
    await store(world, second)
    with pytest.raises(LostClaimError):
        await store(world, first)
    with pytest.raises(LostClaimError):
        await fail(world.db, first, "late")
    row = await world.row(backtest_id)
    assert (row.status, row.errorMessage) == ("completed", None)
    assert row.metrics is not None
    assert row.leaseExpiresAt is None
    assert cast("JsonObject", row.results) == {"equity": [1000.0, 1010.5]}
    assert await claim(world.db, backtest_id, lease=30, most_attempts=5) is None


async def test_many_claim_at_once_and_the_last_attempt_stores(world: World) -> None:
    backtest_id = await world.queue()
    taken = await asyncio.gather(*(claimed(world, backtest_id) for _ in range(5)))
    stored = await asyncio.gather(*(store(world, each) for each in taken), return_exceptions=True)
    winners = [each.attempts for each, error in zip(taken, stored, strict=True) if error is None]
    assert winners == [5]


async def test_a_cancelled_one_can_neither_be_renewed_nor_stored(world: World) -> None:
    backtest_id = await world.queue()
    taken = await claimed(world, backtest_id)
    await renew(world.db, taken, lease=60)
    await cancel_backtest(world.db, backtest_id)
    for late in (renew(world.db, taken, lease=30), store(world, taken), give_back(world.db, taken)):
        with pytest.raises(LostClaimError):
            await late
    row = await world.row(backtest_id)
    assert (row.errorMessage, row.results, row.metrics) == ("cancelled", None, None)
    # tried again it belongs to nobody, and counts anew
    await retry_backtest(world.db, backtest_id)
    with pytest.raises(LostClaimError):
        await store(world, taken)
    assert (await claimed(world, backtest_id)).attempts == 1


async def test_metrics_that_are_refused_take_the_results_back(world: World) -> None:
    backtest_id = await world.queue()
    taken = await claimed(world, backtest_id)
    await world.db.performancemetrics.create(data=metrics(backtest_id))
    with pytest.raises(asyncpg.UniqueViolationError):
        await store(world, taken)
    row = await world.row(backtest_id)
    assert (row.status, row.results) == ("running", None)


async def test_given_back_it_waits_as_if_it_had_not_begun(world: World) -> None:
    backtest_id = await world.queue()
    await give_back(world.db, await claimed(world, backtest_id))
    row = await world.row(backtest_id)
    assert (row.status, row.attempts, row.startedAt) == ("pending", 0, None)


async def test_there_is_an_end_to_the_attempts(world: World) -> None:
    backtest_id = await world.queue()
    for _ in range(2):
        await claimed(world, backtest_id, most_attempts=2)
    given_up = await claim(world.db, backtest_id, lease=30, most_attempts=2)
    assert isinstance(given_up, GivenUp)
    row = await world.row(backtest_id)
    assert (row.status, row.attempts) == ("failed", 2)
    assert row.errorMessage == given_up.reason == "its worker ended 2 times without a result"


async def test_what_somebody_else_runs_is_left_alone(world: World) -> None:
    backtest_id = await world.queue()
    await world.db.execute_raw("UPDATE backtests SET status = 'running'")
    assert await claim(world.db, backtest_id, lease=30, most_attempts=5) is None


async def test_a_reason_of_any_kind_can_be_stored(world: World) -> None:
    backtest_id = await world.queue()
    await fail(world.db, await claimed(world, backtest_id), "a\0b\ud800\x1b[31m" + "x" * 10_000)
    reason = (await world.row(backtest_id)).errorMessage
    assert reason is not None
    assert reason.startswith("a\\x00b\\ud800\\x1b[31mxxx")
    assert len(reason) == 4000
