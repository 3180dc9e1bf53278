"""A worker: runs queued backtests until it is asked to stop, and outlives whatever befalls it.

The queue's library fetches jobs, says that the worker is alive, listens, and stops in an orderly
way. Around it stand: a connector that waits for a database that is away, a runner that computes in
child processes, and a rescuer of what dead workers have left. docs/reliability.md says what is
promised.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from etf_backtest.database.direct import kept_connections
from etf_backtest.database.queue import JOB_QUEUE, TASK, can_listen, queue_schema
from etf_backtest.database.queue.connector import psycopg_arguments
from etf_backtest.database.queue.library import required_library
from etf_backtest.errors import QueueMissingError
from etf_backtest.errors.wording import one_line
from etf_backtest.services.jobs.computing import ComputingChildren
from etf_backtest.services.jobs.options import WorkerOptions
from etf_backtest.services.jobs.running import BacktestRunner

if TYPE_CHECKING:
    from procrastinate import App
    from procrastinate.job_context import JobContext
    from procrastinate.worker import Worker

    from etf_backtest.database.connection import Database
    from etf_backtest.services.jobs.library import DatabaseClock, PatientConnector
    from etf_backtest.services.jobs.rescue import Rescue

log = logging.getLogger(__name__)

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
"""Seconds before the library's worker is started again that has ended by itself; they double."""
LONGEST_WITHOUT_LOOK: Final = 5.0
"""Seconds between two looks whether a job is to be aborted, where the database tells nothing."""
LIBRARY_LOGGERS: Final = ("procrastinate", "psycopg", "psycopg.pool")
"""They tell the same as we do, with tracebacks."""


class BacktestWorker:
    """A worker on a connected database; `run` it once.

    Parameters
    ----------
    db : Database
        Connected; the worker is its only user.
    options : WorkerOptions, optional

    Raises
    ------
    QueueLibraryMissingError
        The extra `worker` is not installed.
    """

    def __init__(self, db: Database, options: WorkerOptions | None = None) -> None:
        required_library()
        self._db = db
        self._options = options or WorkerOptions()
        self._children = ComputingChildren(memory=self._options.memory)
        self._runner = BacktestRunner(db, self._children, self._options)
        self._running: dict[int, asyncio.Task[Any] | None] = {}
        self._worker: Worker | None = None
        self._connector: PatientConnector | None = None
        self._stopping = asyncio.Event()

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Begin nothing new, give running jobs their time of grace, and then back to the queue."""
        self._stopping.set()
        if self._worker is not None:
            self._worker.stop()  # type: ignore[no-untyped-call]  # the library's own
        self._give_up_in_time()

    def _give_up_in_time(self) -> None:
        """Wait for a database that is away no longer than for what runs; else hardly at all."""
        if self._connector is not None:
            grace = self._options.grace if self._running else 0.0
            self._connector.give_up_in(grace + FIRST_PAUSE)

    def kill_children(self) -> None:
        """End all computations at once, for who is about to end, too."""
        self._children.kill()

    async def run(self) -> None:
        """Work until stopped, or with `once` until nothing waits.

        Raises
        ------
        QueueMissingError
            The queue is not installed in the database.
        procrastinate.exceptions.ConnectorException
            The URL's user may not do what a worker does.
        """
        from etf_backtest.services.jobs.library import BackOff, DatabaseClock

        _silence_library()
        clock = DatabaseClock()
        try:
            async with (
                kept_connections(self._db.url, most=self._options.concurrency + 1),
                self._open_app() as (app, connector),
            ):
                if self.is_stopping or not await self._is_ready(app):
                    return
                app.task(name=TASK, pass_context=True, retry=BackOff(clock, self._options))(
                    self._run_job
                )
                await self._supervise(app, connector, clock)
        finally:
            self._connector = None
            await self._children.end()

    async def _is_ready(self, app: App) -> bool:
        """Whether there is the queue; not where it was stopped before that was known."""
        from procrastinate.exceptions import ConnectorException

        try:
            is_there = await app.check_connection_async()
        except (ConnectorException, TimeoutError) as error:
            if not self.is_stopping:
                raise
            log.warning("the worker ends: %s", _told(error))
            return False
        if not is_there:
            raise QueueMissingError(queue_schema(self._db.url))
        return True

    @asynccontextmanager
    async def _open_app(self) -> AsyncIterator[tuple[App, PatientConnector]]:
        from procrastinate import App

        from etf_backtest.services.jobs.library import LONGEST_PAUSE, PatientConnector

        connector = PatientConnector(
            kwargs=psycopg_arguments(self._db.url),
            # a worker must say that it is alive before the others take it for dead
            longest_pause=min(LONGEST_PAUSE, max(1.0, self._options.stalled_after / 3)),
            min_size=1,
            max_size=self._options.concurrency + 3,
            timeout=10,
            # the connector is patient; a pool that is pauses longer and longer
            reconnect_timeout=5,
        )
        app = App(connector=connector)
        # it may be stopped while this waits for the database
        self._connector = connector
        async with app.open_async():
            yield app, connector

    async def _supervise(self, app: App, connector: PatientConnector, clock: DatabaseClock) -> None:
        """Run the library's worker, and another one where it has ended by itself."""
        from etf_backtest.services.jobs.library import BacktestJobs, lacks_rights
        from etf_backtest.services.jobs.rescue import Rescue

        async def known_again() -> int:
            assert self._worker is not None  # noqa: S101  # it is what asks
            return await rescue.register_again(self._worker, frozenset(self._running))

        jobs = BacktestJobs(connector, on_unknown=known_again)
        app.job_manager = jobs
        rescue = Rescue(
            self._db.url, connector, jobs, clock, stalled_after=self._options.stalled_after
        )
        await _attempt(rescue.of_all())
        pause = FIRST_PAUSE
        while not self.is_stopping:
            began = time.monotonic()
            error = await self._work(app, rescue)
            if error is not None and lacks_rights(error):
                raise error
            if self._options.once or self.is_stopping:
                if error is not None:
                    log.warning("the worker ends: %s", _told(error))
                return
            log.warning(
                "the worker begins again: %s",
                "a task beside it has ended" if error is None else _told(error),
            )
            pause = FIRST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else pause
            await self._rest(pause * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _work(self, app: App, rescue: Rescue) -> BaseException | None:
        """Let the library's worker work until it ends; the error that ended it."""
        self._worker = self._library_worker(app)
        running = self._worker.run()  # type: ignore[no-untyped-call]  # the library's own
        working: asyncio.Task[None] = asyncio.create_task(running)
        rescuing = asyncio.create_task(self._rescue(rescue))
        ending = asyncio.create_task(self._end_in_time())
        try:
            # its first step forgets that it was stopped before
            await asyncio.sleep(0)
            if self.is_stopping:
                self.stop()
            await asyncio.wait((working,))
        finally:
            rescuing.cancel()
            if not working.done():
                self._stopping.set()
                working.cancel()
            await asyncio.gather(working, rescuing, return_exceptions=True)
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
            self._worker = None
        return working.exception()

    async def _end_in_time(self) -> None:
        """Give back what still runs some time after the request to stop.

        With `once` the library may be waiting for the last ones already, and does so without end.
        """
        await self._stopping.wait()
        if self._options.once:
            await asyncio.sleep(self._options.grace)
            for task in self._running.values():
                if task is not None:
                    task.cancel()

    def _library_worker(self, app: App) -> Worker:
        from procrastinate.worker import Worker

        options = self._options
        return Worker(
            app,
            queues=[JOB_QUEUE],
            concurrency=options.concurrency,
            wait=not options.once,
            fetch_job_polling_interval=options.poll,
            abort_job_polling_interval=min(LONGEST_WITHOUT_LOOK, options.stalled_after / 3),
            shutdown_graceful_timeout=None if options.once else options.grace,
            listen_notify=not options.once and can_listen(self._db.url),
            # what has become of it stands in the row
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=options.stalled_after / 3,
            stalled_worker_timeout=options.stalled_after,
        )

    async def _run_job(self, context: JobContext, backtest_id: str) -> None:
        from procrastinate.job_context import AbortReason

        job_id = context.job.id or 0
        self._running[job_id] = asyncio.current_task()
        try:
            await self._runner.run(
                backtest_id,
                stopping=lambda: context.abort_reason() is not AbortReason.USER_REQUEST,
            )
        finally:
            self._running.pop(job_id, None)
            if self.is_stopping:
                self._give_up_in_time()

    async def _rescue(self, rescue: Rescue) -> None:
        """Put right what others have left, and what was lost of our own, again and again."""
        while True:
            await asyncio.sleep(self._options.stalled_after / 2 * random.uniform(0.8, 1.0))  # noqa: S311  # no secret
            worker = self._worker
            if worker is None or worker.worker_id is None:
                continue
            running = frozenset(self._running)
            await _attempt(
                rescue.register_again(worker, running),
                rescue.of_own(worker, running),
                rescue.of_all(),
            )

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


async def _attempt(*works: Coroutine[Any, Any, object]) -> None:
    """Do what is done again and again; what does not succeed now is logged."""
    for error in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(error, BaseException):
            log.warning("what others left is not put right yet: %s", _told(error))


def _told(error: BaseException) -> str:
    cause = error.__cause__ or error
    said = str(cause) or "the database does not answer in time"
    return one_line(f"{type(cause).__name__}: {said}")


def _silence_library() -> None:
    for name in LIBRARY_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
