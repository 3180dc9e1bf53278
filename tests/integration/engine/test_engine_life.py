"""The engine's process: killed, orphaned, interrupted, shared between event loops, closed."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from etf_backtest.database.client.engine.errors import (
    EngineConnectionError,
    EngineError,
    NotConnectedError,
)
from etf_backtest.database.client.errors import DataError, TransactionError
from tests.fixtures.cluster import Cluster, run_apart
from tests.integration.engine.database import (
    Database,
    a_user,
    connected,
    engine_of,
    engine_pid,
    new_client,
)

SLEEP = "SELECT pg_sleep(30)"


async def sessions(url: str, condition: str = "true") -> int:
    """Sessions of others in this database."""
    connection = await asyncpg.connect(url)
    try:
        count = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            f"AND datname = current_database() AND {condition}"
        )
        return int(count)
    finally:
        await connection.close()


async def until(url: str, count: int, condition: str = "true") -> None:
    """Wait for so many sessions."""
    deadline = time.monotonic() + 5
    while await sessions(url, condition) != count:
        assert time.monotonic() < deadline, f"not {count} sessions with {condition}"
        await asyncio.sleep(0.02)


def ended(pid: int) -> bool:
    """Whether the process has gone, or is a zombie that only its parent can remove."""
    with suppress(psutil.NoSuchProcess, FileNotFoundError):
        zombie = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        # its files are open until the last of its threads has gone
        return bool(zombie and len(list(Path(f"/proc/{pid}/task").iterdir())) == 1)
    return True


def wait_until_ended(pid: int, seconds: float = 3) -> None:
    deadline = time.monotonic() + seconds
    while not ended(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


async def test_a_killed_engine_fails_what_is_in_flight_and_is_replaced(
    client: Database, database_url: str
) -> None:
    pid = engine_pid(client)
    queries = [asyncio.create_task(client.query_raw(SLEEP)) for _ in range(3)]
    await until(database_url, 3, "state = 'active'")
    os.kill(pid, signal.SIGKILL)
    for outcome in await asyncio.gather(*queries, return_exceptions=True):
        assert isinstance(outcome, EngineConnectionError)
        assert "signal 9" in str(outcome)
        assert "may or may not" in str(outcome)
    # many at once start one new engine, not many
    counts = await asyncio.gather(*(client.user.count() for _ in range(20)))
    assert counts == [0] * 20
    assert engine_pid(client) != pid
    engines = [
        p for p in psutil.Process().children() if "query_engine.mjs" in " ".join(p.cmdline())
    ]
    assert len(engines) == 1


async def test_an_engine_killed_while_idle_is_replaced_unnoticed(client: Database) -> None:
    pid = engine_pid(client)
    os.kill(pid, signal.SIGKILL)
    wait_until_ended(pid)
    # the event loop has had no chance to notice
    assert await client.user.count() == 0
    assert engine_pid(client) != pid


async def test_disconnecting_during_a_restart_leaves_no_engine(database_url: str) -> None:
    client = new_client(database_url)
    await client.connect()
    before = set(psutil.Process().children())
    os.kill(engine_pid(client), signal.SIGKILL)
    await asyncio.sleep(0.05)
    query = asyncio.create_task(client.user.count())
    await asyncio.sleep(0.02)
    await client.disconnect()
    with pytest.raises(NotConnectedError):
        await query
    assert all(ended(child.pid) for child in set(psutil.Process().children()) - before)


async def test_a_transaction_does_not_outlive_its_engine(client: Database) -> None:
    with pytest.raises(TransactionError, match="Transaction lost"):  # noqa: PT012  # one transaction
        async with client.tx() as transaction:
            await a_user(transaction)
            os.kill(engine_pid(client), signal.SIGKILL)
            await transaction.user.count()
    assert await client.user.count() == 0
    # the new engine does not know the old one's id
    with pytest.raises(TransactionError, match="Transaction not found"):
        await transaction.user.count()


async def test_an_engine_killed_during_a_commit_leaves_the_outcome_open(
    client: Database, database_url: str
) -> None:
    # a deferred trigger keeps the commit busy
    for statement in (
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN PERFORM pg_sleep(30); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON etf_info DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION slow()",
    ):
        await client.execute_raw(statement)
    manager = client.tx()
    transaction = await manager.start()
    await transaction.etfinfo.create({"symbol": "SPY", "name": "x"})
    committing = asyncio.create_task(manager.commit())
    await until(database_url, 1, "state = 'active' AND query = 'COMMIT'")
    os.kill(engine_pid(client), signal.SIGKILL)
    with pytest.raises(TransactionError, match="during the commit: it may or may not"):
        await committing


async def test_a_new_engine_that_cannot_reach_the_database_says_so(own_postgres: Cluster) -> None:
    async with connected(own_postgres.url()) as client:
        own_postgres.stop()
        os.kill(engine_pid(client), signal.SIGKILL)
        await asyncio.sleep(0.05)
        with pytest.raises(EngineConnectionError, match="P1001"):
            await client.query_raw("SELECT 1")
        own_postgres.start()
        assert await client.query_raw("SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.each_postgres
async def test_a_restarted_server_fails_one_query_and_serves_the_next(
    own_postgres: Cluster,
) -> None:
    async with connected(own_postgres.url()) as client:
        pid = engine_pid(client)
        await asyncio.gather(*(client.query_raw("SELECT 1") for _ in range(5)))
        sleeping = asyncio.create_task(client.query_raw(SLEEP))
        await until(own_postgres.url(), 1, "state = 'active' AND query LIKE '%pg_sleep%'")
        await asyncio.to_thread(own_postgres.restart)
        with pytest.raises(DataError) as lost:
            await sleeping
        assert lost.value.code == "P1017"
        assert await client.query_raw("SELECT 1 AS one") == [{"one": 1}]
        assert engine_pid(client) == pid


async def test_a_crashed_server_takes_the_transaction_along(own_postgres: Cluster) -> None:
    async with connected(own_postgres.url()) as client:
        with pytest.raises(DataError) as lost:  # noqa: PT012  # one transaction
            async with client.tx() as transaction:
                await transaction.execute_raw("CREATE TABLE t (i int)")
                await asyncio.to_thread(own_postgres.restart, "kill")
                await transaction.execute_raw("INSERT INTO t VALUES (1)")
        assert lost.value.code == "P1017"
        assert await client.query_raw("SELECT to_regclass('t')::text AS t") == [{"t": None}]


PROGRAM = """
import asyncio, os, signal, sys, time
from tests.integration.engine.database import engine_pid, new_client

async def main():
    client = new_client(sys.argv[1])
    await client.connect()
    {body}

# a job of a shell's background ignores it, and what it starts does so too
signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.run(main())
"""


def program(url: str, body: str, repository: Path) -> subprocess.Popen[str]:
    """Start another Python with a connected `client`, warnings and all."""
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM.format(body=body), url],
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, process.communicate()[1]
    return line


async def test_a_parent_killed_with_9_leaves_no_engine(database_url: str, repository: Path) -> None:
    body = """
    async with client.tx(timeout=__import__('datetime').timedelta(minutes=5)) as transaction:
        await transaction.execute_raw("LOCK TABLE users")
        running = asyncio.create_task(client.query_raw("SELECT pg_sleep(30)"))
        await asyncio.sleep(0.2)
        print(engine_pid(client), flush=True)
        await asyncio.sleep(60)
"""
    parent = program(database_url, body.strip(), repository)
    pid = int(await asyncio.to_thread(first_line, parent))
    await until(database_url, 2)
    parent.kill()
    parent.communicate()
    wait_until_ended(pid)
    await until(database_url, 0)


async def test_a_fork_that_outlives_its_parent_keeps_no_engine(
    database_url: str, repository: Path
) -> None:
    body = """
    sibling = os.fork()
    if sibling == 0:
        # the pipes are the test's; the engine's socket stays open
        os.close(1), os.close(2)
        time.sleep(60)
        os._exit(0)
    print(engine_pid(client), sibling, flush=True)
    await asyncio.sleep(60)
"""
    parent = program(database_url, body.strip(), repository)
    pid, sibling = map(int, (await asyncio.to_thread(first_line, parent)).split())
    try:
        parent.kill()
        parent.communicate()
        wait_until_ended(pid)
        await until(database_url, 0)
        assert not ended(sibling)
    finally:
        os.kill(sibling, signal.SIGKILL)


async def test_ctrl_c_reaches_python_and_not_the_engine(
    database_url: str, repository: Path
) -> None:
    body = """
    try:
        print("ready", flush=True)
        await asyncio.sleep(60)
    finally:
        print(await client.user.count(), flush=True)
        await client.disconnect()
"""
    parent = program(database_url, body.strip(), repository)
    assert await asyncio.to_thread(first_line, parent) == "ready"
    os.killpg(parent.pid, signal.SIGINT)
    output, errors = await asyncio.to_thread(parent.communicate, None, 20)
    assert output == "0\n"
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "query engine" not in errors


@pytest.mark.parametrize("end", ["pass", "del client", "await client.disconnect()", "sys.exit(0)"])
async def test_the_end_of_a_program_is_quiet_and_quick(
    database_url: str, repository: Path, end: str
) -> None:
    body = f"""
    assert await client.user.count() == 0
    print(engine_pid(client), flush=True)
    {end}
"""
    parent = program(database_url, body.strip(), repository)
    pid = int(await asyncio.to_thread(first_line, parent))
    output, errors = await asyncio.to_thread(parent.communicate, None, 20)
    assert (output, errors, parent.returncode) == ("", "", 0)
    assert ended(pid)


async def test_a_client_that_is_dropped_ends_its_engine(database_url: str) -> None:
    client = new_client(database_url)
    await client.connect()
    pid = engine_pid(client)
    del client
    gc.collect()
    wait_until_ended(pid)


async def test_stopping_rolls_back_and_takes_its_time_at_most(database_url: str) -> None:
    client = new_client(database_url)
    await client.connect()
    manager = client.tx()
    transaction = await manager.start()
    await a_user(transaction)
    in_transaction = asyncio.create_task(transaction.query_raw(SLEEP))
    outside = asyncio.create_task(client.query_raw(SLEEP))
    await until(database_url, 2, "state = 'active'")
    began = time.monotonic()
    await client.disconnect()
    assert time.monotonic() - began < 1.5
    outcomes = await asyncio.gather(in_transaction, outside, return_exceptions=True)
    assert all(isinstance(outcome, Exception) for outcome in outcomes)
    # what ran was cancelled, not left to run on
    await until(database_url, 0)
    async with connected(database_url) as again:
        assert await again.user.count() == 0


async def test_a_cancelled_connect_leaves_no_engine(database_url: str) -> None:
    before = set(psutil.Process().children())
    client = new_client(database_url)
    connecting = asyncio.create_task(client.connect())
    await asyncio.sleep(0.02)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert not client.is_connected()
    assert all(ended(child.pid) for child in set(psutil.Process().children()) - before)


async def test_a_cancelled_query_disturbs_nobody(client: Database) -> None:
    query = asyncio.create_task(client.query_raw("SELECT pg_sleep(0.1)"))
    await asyncio.sleep(0.02)
    query.cancel()
    with pytest.raises(asyncio.CancelledError):
        await query
    await asyncio.sleep(0.15)
    assert await client.user.count() == 0


def test_event_loops_may_take_turns(database_url: str) -> None:
    client = new_client(database_url)
    asyncio.run(client.connect())
    assert asyncio.run(client.user.count()) == 0
    # a loop that is neither closed nor running may be left and returned to
    one, two = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        for loop in (one, two, one):
            assert loop.run_until_complete(client.user.count()) == 0
    finally:
        one.close()
        two.close()
    os.kill(engine_pid(client), signal.SIGKILL)
    wait_until_ended(engine_pid(client))
    assert asyncio.run(client.user.count()) == 0
    asyncio.run(client.disconnect())


async def test_two_running_event_loops_may_not_share_a_client(client: Database) -> None:
    outcome: list[BaseException] = []

    def elsewhere() -> None:
        try:
            asyncio.run(client.user.count())
        except EngineError as error:
            outcome.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert "each event loop a client of its own" in str(outcome[0])
    assert await client.user.count() == 0


def test_a_fork_may_not_use_nor_end_its_parents_engine(database_url: str) -> None:
    async def parent() -> None:
        async with connected(database_url) as client:
            child = os.fork()
            if child == 0:
                engine_of(client).close()
                os._exit(0)
            assert (await asyncio.to_thread(os.waitpid, child, 0))[1] == 0
            assert await client.user.count() == 0

    run_apart(parent())
