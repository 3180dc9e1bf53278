"""What the queue's statements are repeated for, and what counts as a database that is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import psycopg
import pytest
from procrastinate import App
from procrastinate.exceptions import ConnectorException

from etf_backtest.database.direct import direct_connection
from etf_backtest.database.queue.connector import psycopg_arguments
from etf_backtest.services.jobs.library import PatientConnector
from tests.integration.worker.conftest import World

LOCKED = """
SELECT CASE WHEN set_config('lock_timeout', '50ms', true) IS NOT NULL
            THEN pg_advisory_xact_lock(7)::text END AS locked
"""
ENDED = "SELECT pg_terminate_backend(pg_backend_pid())"


@pytest.fixture
async def connector(world: World) -> AsyncIterator[PatientConnector]:
    connector = PatientConnector(kwargs=psycopg_arguments(world.db.url), min_size=1, max_size=2)
    async with App(connector=connector).open_async():
        yield connector


async def test_a_lock_is_waited_for_and_is_no_outage(
    world: World, connector: PatientConnector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    before = connector.last_away
    async with direct_connection(world.db.url) as other:
        await other.execute("SELECT pg_advisory_lock(7)")
        asked = asyncio.create_task(connector.execute_query_one_async(LOCKED))
        async with asyncio.timeout(10):
            while "which is tried again" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert await asked == {"locked": ""}
    # else nobody would look for dead workers' jobs
    assert connector.last_away == before
    assert "away" not in caplog.text


async def test_a_lost_connection_is_an_outage(
    connector: PatientConnector, caplog: pytest.LogCaptureFixture
) -> None:
    before = connector.last_away
    asked = asyncio.create_task(connector.execute_query_async(ENDED))
    async with asyncio.timeout(10):
        while "the database is away" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert connector.last_away > before
    assert await connector.execute_query_one_async("SELECT 1 AS one") == {"one": 1}
    assert "the database is back" in caplog.text
    asked.cancel()


async def test_what_a_role_may_not_do_is_not_tried_again(connector: PatientConnector) -> None:
    with pytest.raises(ConnectorException) as error:
        await connector.execute_query_async("DO $$BEGIN RAISE insufficient_privilege; END$$")
    assert isinstance(error.value.__cause__, psycopg.errors.InsufficientPrivilege)
