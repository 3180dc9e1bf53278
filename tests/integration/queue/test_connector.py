"""How the library connects: what our URL says, and nothing that the environment says."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Final
from urllib.parse import quote

import procrastinate
import psycopg
import pytest

from etf_backtest.database.queue import can_listen
from etf_backtest.database.queue.connector import psycopg_arguments
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import DatabaseUrlError
from tests.fixtures.cluster import Cluster
from tests.fixtures.pgbouncer import StartPgBouncer
from tests.integration.queue.jobs import Connection, add, identity

SEEN: Final = (
    "SELECT current_setting('search_path') AS path, current_setting('application_name') AS name,"
    " current_setting('tcp_user_timeout') AS lost_after, current_schema() AS schema,"
    " inet_client_addr() IS NULL AS on_socket,"
    " current_setting('transaction_isolation') AS isolation"
)


def connector(url: DatabaseUrl, *, size: int) -> procrastinate.PsycopgConnector:
    """The library's own, with our arguments: it gives up where a worker's is patient."""
    return procrastinate.PsycopgConnector(kwargs=psycopg_arguments(url), min_size=1, max_size=size)


async def ask(url: DatabaseUrl) -> dict[str, object]:
    """What one connection of the library's says."""
    pool = connector(url, size=1)
    await pool.open_async()
    try:
        return dict(await pool.execute_query_one_async(SEEN))
    finally:
        await pool.close_async()


async def test_the_url_alone_decides(
    queue_url: str, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = DatabaseUrl.parse(queue_url).database
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = serializable")
    with monkeypatch.context() as environment:
        for name, value in {
            "PGHOSTADDR": "127.9.9.9",
            "PGPASSWORD": "wrong",
            "PGOPTIONS": "-c search_path=public",
            "PGSSLMODE": "verify-full",
            "PGTARGETSESSIONATTRS": "standby",
            "PGAPPNAME": "x",
            "PGCONNECT_TIMEOUT": "x",
        }.items():
            environment.setenv(name, value)
        seen = await ask(DatabaseUrl.parse(queue_url))
    assert seen == {
        "path": '"etf_backtest_queue"',
        "name": "etf-backtest worker",
        "lost_after": "30000",
        "schema": "etf_backtest_queue",
        "on_socket": False,
        "isolation": "read committed",
    }
    more = "?application_name=mine&connect_timeout=2.5&options=-c%20search_path%3Dpublic"
    seen = await ask(DatabaseUrl.parse(queue_url + more))
    assert (seen["name"], seen["schema"]) == ("mine", "etf_backtest_queue")


@pytest.mark.each_postgres
async def test_a_socket_and_a_schema_with_an_odd_name(postgres: Cluster, queue_url: str) -> None:
    url = DatabaseUrl.parse(queue_url)
    home = 'My "odd" \\ Schema'
    postgres.execute('CREATE SCHEMA "queue_of_My ""odd"" \\ Schema"', database=url.database)
    on_socket = replace(
        url, socket_directory=str(postgres.socket_dir), parameters=(("schema", home),)
    )
    seen = await ask(on_socket)
    assert (seen["schema"], seen["on_socket"]) == (f"queue_of_{home}", True)


async def test_tls_is_what_the_other_drivers_make_of_the_url() -> None:
    def tls(parameters: str, host: str = "example.org") -> dict[str, object]:
        url = DatabaseUrl.parse(f"postgresql://u:p@{host}/d{parameters}")
        return {k: v for k, v in psycopg_arguments(url).items() if k.startswith("ssl")}

    assert tls("", "localhost") == {"sslmode": "disable"}
    assert tls("") == {"sslmode": "prefer"}
    assert tls("?sslmode=require") == {"sslmode": "require"}
    assert tls("?sslmode=require&sslaccept=strict")["sslmode"] == "verify-full"
    assert tls("?sslmode=require&sslcert=/ca.pem") == {
        "sslmode": "verify-ca",
        "sslrootcert": "/ca.pem",
    }
    assert tls("?sslmode=verify-full&sslrootcert=/ca&sslcert=/c&sslkey=/k&sslpassword=s") == {
        "sslmode": "verify-full",
        "sslrootcert": "/ca",
        "sslcert": "/c",
        "sslkey": "/k",
        "sslpassword": "s",
    }


async def test_a_password_is_shown_nowhere(
    queue_url: str, postgres: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """The server's is right in one URL, and wrong in the other."""
    caplog.set_level(logging.DEBUG)
    secret = "p@:/?#%20 \\'\"&=ü"
    wrong = replace(DatabaseUrl.parse(queue_url), password=secret)
    url = DatabaseUrl.parse(queue_url)
    refused = connector(wrong, size=1)
    with pytest.raises(psycopg.OperationalError) as error:
        await psycopg.AsyncConnection.connect(**psycopg_arguments(wrong))
    accepted = connector(url, size=1)
    await accepted.open_async()
    shown = "".join(
        (caplog.text, str(error.value), repr(error.value.__cause__), repr(refused), repr(accepted))
    )
    shown += f"{accepted.pool!r}{procrastinate.App(connector=accepted)!r}"
    async with accepted.pool.connection() as connection:
        shown += f"{connection!r}{connection.info.dsn}"
    await accepted.close_async()
    for password in (secret, quote(secret), postgres.password):
        assert password not in shown


async def test_pgbouncer_needs_no_search_path_of_a_session(
    queue_url: str, connection: Connection, start_pgbouncer: StartPgBouncer
) -> None:
    """The library's own statements find their tables, whatever connection they are given."""
    url = DatabaseUrl.parse(start_pgbouncer(pool_size=2).url(queue_url, "pgbouncer=true"))
    assert (can_listen(url), can_listen(DatabaseUrl.parse(queue_url))) == (False, True)
    await add(connection, 1, 2)
    app = procrastinate.App(connector=connector(url, size=3))
    async with app.open_async():
        for _ in range(6):
            jobs = await app.job_manager.list_jobs_async(status="todo")
            assert {job.lock for job in jobs} == {identity(1), identity(2)}
        assert await app.job_manager.cancel_job_by_id_async(next(iter(jobs)).id or 0)
        assert len(list(await app.job_manager.list_jobs_async(status="todo"))) == 1
    with pytest.raises(DatabaseUrlError, match="schema cannot be combined with pgbouncer=true"):
        connector(replace(url, parameters=(*url.parameters, ("schema", "x"))), size=1)


@pytest.mark.parametrize("pooled", [False, True])
async def test_a_job_is_fetched_soon_from_many_that_statistics_know_nothing_of(
    queue_url: str, connection: Connection, start_pgbouncer: StartPgBouncer, pooled: bool
) -> None:
    """By the plan of an empty table 30,000 jobs take half a minute: each is compared with all."""
    await connection.execute("VACUUM ANALYZE etf_backtest_queue.procrastinate_jobs")
    async with connection.transaction():
        # only statistics of the table count, so no rows of ours, and no triggers
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(
            "INSERT INTO etf_backtest_queue.procrastinate_jobs"
            " (queue_name, task_name, lock, queueing_lock)"
            " SELECT 'backtests', 'run_backtest', n::text, n::text"
            " FROM generate_series(1, 30000) AS n"
        )
    url = start_pgbouncer().url(queue_url, "pgbouncer=true") if pooled else queue_url
    app = procrastinate.App(connector=connector(DatabaseUrl.parse(url), size=1))
    async with app.open_async():
        number = await app.job_manager.register_worker()
        async with asyncio.timeout(5):
            job = await app.job_manager.fetch_job(["backtests"], number)
    assert job is not None
    assert job.lock == "1"


async def test_the_library_defers_and_fetches_through_it(
    queue_url: str, connection: Connection
) -> None:
    """One real worker of the library's runs what a row queued, and nothing twice."""
    ran: list[str] = []
    app = procrastinate.App(connector=connector(DatabaseUrl.parse(queue_url), size=2))

    @app.task(name="run_backtest", queue="backtests")
    async def run(backtest_id: str) -> None:
        ran.append(backtest_id)

    await add(connection, 1, 2)
    async with app.open_async():
        await app.run_worker_async(wait=False, queues=["backtests"], install_signal_handlers=False)
    assert ran == [identity(1), identity(2)]
