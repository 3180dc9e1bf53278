"""What workers that died, and statements that were lost, have left behind is put right.

Every worker does it, one at a time; import this late, as `library`.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from procrastinate.jobs import Status
from psycopg import sql

from etf_backtest.database.queue import JOB_QUEUE, home_schema, queue_schema

if TYPE_CHECKING:
    import psycopg
    from procrastinate.worker import Worker

    from etf_backtest.database.url import DatabaseUrl
    from etf_backtest.services.jobs.library import BacktestJobs, DatabaseClock, PatientConnector

log = logging.getLogger(__name__)

_ONE_AT_A_TIME: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS ours"
# A worker that is halted in the middle of it (SIGSTOP, a laptop that sleeps) must not keep the
# others from it.
_GIVES_WAY: Final = "SELECT set_config('idle_in_transaction_session_timeout', '60s', true)"

# Running under an attempt's id, with a lease that has ended, and no job in which somebody could
# still see to it. A trigger queues what becomes pending.
_LOST_ROWS: Final = """
UPDATE {home}.backtests SET status = 'pending'
WHERE id IN (
    SELECT backtest.id FROM {home}.backtests AS backtest
    WHERE backtest.status = 'running' AND backtest.attempt_id IS NOT NULL
      AND backtest.lease_expires_at < clock_timestamp()
      AND NOT EXISTS (
          SELECT FROM {queue}.procrastinate_jobs AS job
          WHERE job.lock = backtest.id::text AND job.status IN ('todo', 'doing')
      )
    FOR NO KEY UPDATE SKIP LOCKED
)
"""
_WAITING: Final = "SELECT {queue}.defer_waiting() AS deferred"

# Jobs at work on rows that have ended a while ago, or are gone: somebody has not heard that the
# end of the job was not stored.
_ENDED: Final = """
SELECT job.id FROM {queue}.procrastinate_jobs AS job
LEFT JOIN {home}.backtests AS backtest
    ON backtest.id = CASE WHEN job.lock ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$'
                          THEN job.lock::uuid END
WHERE job.status = 'doing' AND job.queue_name = %s
  AND (backtest.id IS NULL
       OR backtest.completed_at < clock_timestamp() - make_interval(secs => %s))
"""
_NOT_OURS_ANY_MORE: Final = """
SELECT id FROM procrastinate_jobs
WHERE status = 'doing' AND worker_id = %(worker)s AND NOT (id = ANY(%(running)s::bigint[]))
"""
# The table, too: in one that has taken its place (after a restore, or a reset) the number may be
# another worker's, and two of one number would take each other's jobs for lost.
_IS_KNOWN: Final = """
SELECT EXISTS (SELECT FROM procrastinate_workers WHERE id = %(worker)s) AS known,
       (SELECT database.oid FROM pg_database AS database WHERE datname = current_database())::text
       || ' ' || 'procrastinate_workers'::regclass::oid::text AS place
"""
_TAKE_BACK: Final = """
UPDATE procrastinate_jobs SET worker_id = %(worker)s
WHERE id = ANY(%(running)s::bigint[]) AND status = 'doing' AND worker_id IS NULL
"""
OLD_HOURS: Final = 1
"""After which jobs that ended otherwise than well are dropped: the rows say what became of them."""


class Rescue:
    """One worker's share of putting things right."""

    def __init__(
        self,
        url: DatabaseUrl,
        connector: PatientConnector,
        jobs: BacktestJobs,
        clock: DatabaseClock,
        *,
        stalled_after: float,
    ) -> None:
        self._connector = connector
        self._jobs = jobs
        self._clock = clock
        self._stalled_after = stalled_after
        self._names = {
            "home": sql.Identifier(home_schema(url)),
            "queue": sql.Identifier(queue_schema(url)),
        }
        self._lock = f"etf_backtest rescue {queue_schema(url)}"
        self._suspects: frozenset[int] = frozenset()
        self._cleaned = -1e9
        self._place: str | None = None

    async def of_all(self) -> None:
        """See to everybody's jobs, unless another worker is just doing that.

        After an outage all workers seem dead; the living get the time to say that they are not.
        """
        await self._clock.measure(self._connector)
        if time.monotonic() - self._connector.last_away < self._stalled_after:
            return
        async with self._connector.pool.connection() as connection, connection.transaction():
            await connection.execute(_GIVES_WAY)
            ours = await (await connection.execute(_ONE_AT_A_TIME, (self._lock,))).fetchone()
            if ours is None or not ours[0]:
                return
            await self._retry_stalled()
            await self._finish_ended(connection)
            async with connection.transaction():
                lost = await connection.execute(self._named(_LOST_ROWS))
                await connection.execute(self._named(_WAITING))
            if lost.rowcount > 0:
                log.warning("%d backtests whose worker is gone wait again", lost.rowcount)
        await self._drop_old()

    async def _retry_stalled(self) -> None:
        stalled = await self._jobs.get_stalled_jobs(
            queue=JOB_QUEUE, seconds_since_heartbeat=self._stalled_after
        )
        for job in stalled:
            log.warning("the worker of backtest %.8s is gone: it is run again", job.lock)
            await self._jobs.retry_job(job, retry_at=self._clock.now())
        await self._jobs.prune_stalled_workers(self._stalled_after)

    async def _finish_ended(self, connection: psycopg.AsyncConnection[Any]) -> None:
        cursor = await connection.execute(self._named(_ENDED), (JOB_QUEUE, self._stalled_after))
        for (job_id,) in await cursor.fetchall():
            await self._jobs.finish_job_by_id_async(job_id, Status.SUCCEEDED, delete_job=True)

    async def _drop_old(self) -> None:
        if time.monotonic() - self._cleaned < OLD_HOURS * 3600:
            return
        self._cleaned = time.monotonic()
        await self._jobs.delete_old_jobs(
            OLD_HOURS,
            queue=JOB_QUEUE,
            include_failed=True,
            include_cancelled=True,
            include_aborted=True,
        )

    async def of_own(self, worker: Worker, running: frozenset[int]) -> None:
        """See to jobs that the database takes for this worker's, and that it knows nothing of.

        The answer to a statement that fetched one, or the statement that ended it, was lost. Seen
        once, one may be on its way to us.
        """
        rows = await self._connector.execute_query_all_async(
            _NOT_OURS_ANY_MORE, worker=worker.worker_id, running=list(running)
        )
        found = frozenset(row["id"] for row in rows)
        for job_id in found & self._suspects:
            await self._jobs.retry_job_by_id_async(job_id, self._clock.now())
        self._suspects = found - self._suspects

    async def register_again(self, worker: Worker, running: frozenset[int]) -> int:
        """Say that a worker that others took for dead is alive, with what it is running."""
        row = await self._connector.execute_query_one_async(_IS_KNOWN, worker=worker.worker_id)
        before, self._place = self._place, row["place"]
        moved = before not in (None, self._place)
        if not row["known"] or moved or worker.worker_id is None:
            worker.worker_id = await self._jobs.register_worker()
            await self._connector.execute_query_async(
                _TAKE_BACK, worker=worker.worker_id, running=list(running)
            )
        return worker.worker_id

    def _named(self, statement: Any) -> sql.Composed:
        return sql.SQL(statement).format(**self._names)
