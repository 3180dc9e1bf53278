"""The queue's library, taught to wait for a database that is away.

Import this late: it imports procrastinate, which belongs to the extra `worker`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from etf_backtest.errors import TryAgainError
from etf_backtest.errors.wording import one_line

if TYPE_CHECKING:
    from typing import LiteralString

    import psycopg_pool
    from procrastinate import connector

    from etf_backtest.services.jobs.options import WorkerOptions

T = TypeVar("T")
log = logging.getLogger(__name__)

QUERY_WITHIN: Final = 30.0
"""Seconds for one statement on the queue, before the connection counts as lost."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two tries to reach the database; they double."""
NOT_AWAY_WITHIN: Final = 5.0
"""Seconds for statements under way, where the worker stops and the database seems to be there."""
_PASSING: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
)
_AWAY: Final = ("08", "57P", "25006")
"""Beginnings of SQLSTATE: no connection, shut down, a standby. Nobody can say that he is alive."""
_MISSING_RIGHT: Final = "42501"


class PatientConnector(PsycopgConnector):
    """Repeats what fails because of the connection, until the database is back.

    The library's worker ends when a statement fails. A statement may have been carried out though
    its answer was lost; what that leaves behind is found by `Rescue`.
    """

    def __init__(self, *, longest_pause: float = LONGEST_PAUSE, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._longest_pause = longest_pause
        self._gives_up_at: float | None = None
        self._away_since: float | None = None
        self._patience: set[asyncio.Timeout] = set()
        self.last_away = -1e9
        """When, by `time.monotonic()`, the database was last known to be away."""

    def give_up_in(self, seconds: float) -> None:
        """Let statements fail from then on; those that wait for a database that is away, too."""
        at = time.monotonic() + seconds
        if self._gives_up_at is not None and self._gives_up_at <= at:
            return
        self._gives_up_at = at
        in_time = asyncio.get_running_loop().time() + seconds
        for limit in self._patience:
            limit.reschedule(in_time + (NOT_AWAY_WITHIN if self._away_since is None else 0))

    async def open_async(self, pool: psycopg_pool.AsyncConnectionPool | None = None) -> None:
        """As the library's; where no connection can be made now, one is made later."""
        try:
            async with self._patient():
                await super().open_async(pool)
        except (psycopg.OperationalError, TimeoutError) as error:
            self._note(error)

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        """As the library's."""
        await self._patiently(super().execute_query_async, query, arguments)

    async def execute_query_one_async(
        self, query: LiteralString, **arguments: Any
    ) -> dict[str, Any]:
        """As the library's."""
        return await self._patiently(super().execute_query_one_async, query, arguments)

    async def execute_query_all_async(
        self, query: LiteralString, **arguments: Any
    ) -> list[dict[str, Any]]:
        """As the library's."""
        return await self._patiently(super().execute_query_all_async, query, arguments)

    async def listen_notify(
        self, on_notification: connector.Notify, channels: Iterable[str]
    ) -> None:
        """As the library's; what is told while the database is away is found by looking."""
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                await super().listen_notify(on_notification, channels)
            except ConnectorException as error:
                if not passes(error):
                    raise
                self._note(error)
            pause = FIRST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else pause
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
            pause = min(2 * pause, self._longest_pause)

    async def _patiently(
        self,
        execute: Callable[..., Awaitable[T]],
        query: LiteralString,
        arguments: dict[str, Any],
    ) -> T:
        pause = FIRST_PAUSE
        async with self._patient():
            while True:
                try:
                    async with asyncio.timeout(QUERY_WITHIN):
                        result = await execute(query, **arguments)
                except (ConnectorException, TimeoutError) as error:
                    if not passes(error) or self._gives_up(pause):
                        raise
                    self._note(error, again=pause > FIRST_PAUSE)
                else:
                    self._note(None)
                    return result
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
                pause = min(2 * pause, self._longest_pause)

    @asynccontextmanager
    async def _patient(self) -> AsyncIterator[None]:
        """Wait for the database, until it is time to give up."""
        left = None
        if self._gives_up_at is not None and self._away_since is not None:
            left = max(self._gives_up_at - time.monotonic(), FIRST_PAUSE)
        async with asyncio.timeout(left) as limit:
            self._patience.add(limit)
            try:
                yield
            finally:
                self._patience.discard(limit)

    def _gives_up(self, pause: float) -> bool:
        return self._gives_up_at is not None and time.monotonic() + pause > self._gives_up_at

    def _note(self, error: BaseException | None, *, again: bool = False) -> None:
        """Log once that the database is away, and once that it is back.

        What it refuses for now is logged, too, unless it has been `again` and again.
        """
        now = time.monotonic()
        cause = None if error is None else error.__cause__ or error
        reason = one_line(str(cause)) or "it does not answer in time"
        if cause is not None and _is_away(cause):
            self.last_away = now
            if self._away_since is None:
                self._away_since = now
                log.warning("the database is away, and is tried again: %s", reason)
            return
        if self._away_since is not None:
            log.warning("the database is back after %.0f s", now - self._away_since)
            self._away_since = None
        if cause is not None and not again:
            log.warning("the database refuses a statement, which is tried again: %s", reason)


def passes(error: BaseException) -> bool:
    """Whether a statement failed because of the connection, the disk or a conflict."""
    if isinstance(error, TimeoutError):
        return True
    return isinstance(error, ConnectorException) and isinstance(error.__cause__, _PASSING)


def lacks_rights(error: BaseException | None) -> bool:
    """Whether a statement failed because the role may not do that: no other try will help."""
    cause = error.__cause__ if isinstance(error, ConnectorException) else error
    return getattr(cause, "sqlstate", None) == _MISSING_RIGHT


def _is_away(cause: BaseException) -> bool:
    """Whether a statement that may be repeated failed for want of the database itself."""
    state = getattr(cause, "sqlstate", None)
    return state is None or state.startswith(_AWAY)


class BacktestJobs(JobManager):
    """Jobs of backtests: one that cannot be what it should be any more is dropped.

    A worker that was taken for dead while the database was away is registered again: `on_unknown`
    does that, and returns its new id.
    """

    def __init__(
        self, connector: PatientConnector, *, on_unknown: Callable[[], Awaitable[int]]
    ) -> None:
        super().__init__(connector)
        self._on_unknown = on_unknown

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """As the library's."""
        try:
            return await super().fetch_job(queues, worker_id)
        except ConnectorException as error:
            if not isinstance(error.__cause__, psycopg.errors.ForeignKeyViolation):
                raise
        return await super().fetch_job(queues, await self._on_unknown())

    async def retry_job_by_id_async(
        self,
        job_id: int,
        retry_at: dt.datetime,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """As the library's; where the same backtest waits already, that is enough."""
        try:
            await super().retry_job_by_id_async(job_id, retry_at, priority, queue, lock)
        except UniqueViolation:
            await self.finish_job_by_id_async(job_id, Status.SUCCEEDED, delete_job=True)
        except ConnectorException as error:
            _expect_gone(error)

    async def finish_job_by_id_async(self, job_id: int, status: Status, delete_job: bool) -> None:
        """As the library's; where it has ended already, that is enough."""
        try:
            await super().finish_job_by_id_async(job_id, status, delete_job)
        except ConnectorException as error:
            _expect_gone(error)


def _expect_gone(error: ConnectorException) -> None:
    """What the library's functions raise where a job is not there, or not in that state."""
    if not isinstance(error.__cause__, psycopg.errors.RaiseException):
        raise error


class DatabaseClock:
    """The database's time, as far as it was measured: all times of the queue are its."""

    def __init__(self, local: Callable[[], dt.datetime] | None = None) -> None:
        self._local = local or (lambda: dt.datetime.now(dt.UTC))
        self._ahead = dt.timedelta(0)

    def now(self) -> dt.datetime:
        """The database's time."""
        return self._local() + self._ahead

    async def measure(self, connector: PatientConnector) -> None:
        """Ask the database for its time; it is taken to be that of the middle of the call."""
        before = self._local()
        row = await connector.execute_query_one_async("SELECT clock_timestamp() AS now")
        self._ahead = row["now"] - (before + (self._local() - before) / 2)


class BackOff(BaseRetryStrategy):
    """Tries again what may pass: later each time, by the database's clock."""

    def __init__(self, clock: DatabaseClock, options: WorkerOptions) -> None:
        self._clock = clock
        self._options = options

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """When to try again; None where that is of no use."""
        if not isinstance(exception, TryAgainError):
            return None
        times = exception.attempts or job.attempts + 1
        seconds = self._options.back_off * 2.0 ** min(times - 1, 20)
        seconds = min(seconds, self._options.longest_back_off)
        log.warning("%s; it is tried again in %.3g s", exception.message, seconds)
        return RetryDecision(retry_at=self._clock.now() + dt.timedelta(seconds=seconds))
