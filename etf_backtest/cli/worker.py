"""`etf-backtest worker`: run queued backtests."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.session import flags, run, settings

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.services.worker import BacktestWorker

MEGABYTE = 1 << 20
AGAIN = 2.0
"""Seconds between two tries to connect to begin with."""


def worker(
    concurrency: Annotated[
        int, typer.Option(help="Backtests at once, each in a process of its own.", min=1, max=256)
    ] = 1,
    timeout: Annotated[
        float, typer.Option(help="Seconds that a backtest may take.", min=0.1)
    ] = 3600.0,
    stalled_after: Annotated[
        float,
        typer.Option(
            help="Seconds of silence after which a worker counts as dead; the same for all.",
            min=1.0,
        ),
    ] = 30.0,
    grace: Annotated[
        float,
        typer.Option(help="Seconds that running backtests get when it is to stop.", min=0.0),
    ] = 30.0,
    memory: Annotated[
        int | None,
        typer.Option(help="Megabytes of address space for each computing process.", min=512),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Run what is queued, then stop.")] = False,
) -> None:
    """Run queued backtests until Ctrl-C (or SIGTERM): it finishes what it is at, or gives it back.

    A second Ctrl-C ends it at once; other workers run again what it was at.
    """
    from etf_backtest.services.jobs.options import WorkerOptions

    options = WorkerOptions(
        concurrency=concurrency,
        timeout=timeout,
        stalled_after=stalled_after,
        grace=grace,
        memory=None if memory is None else memory * MEGABYTE,
        once=once,
    )

    async def work(db: Database) -> None:
        from etf_backtest.services.worker import BacktestWorker

        backtests = BacktestWorker(db, options)
        _stop_on_signals(backtests, grace)
        console.narrate(
            f"worker {os.getpid()} on {db.url.server}/{db.url.database}: {concurrency} at once"
            + ("" if once else "; Ctrl-C stops it")
        )
        await backtests.run()
        _narrate("the worker has stopped")

    _show_log()
    run(_when_there(work, patient=not once))


async def _when_there(work: Callable[[Database], Awaitable[None]], *, patient: bool) -> None:
    """Connect and work; a worker that is started before its database waits for it."""
    import asyncio
    import signal

    from etf_backtest.database.connection import connect
    from etf_backtest.database.models import PrismaError
    from etf_backtest.errors import DatabaseConnectionError
    from etf_backtest.services.jobs.trouble import is_away

    # until the worker is there to be stopped: of a container's first process, which this may be,
    # the system takes no signal that it has said nothing about
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    waits = False
    while True:
        try:
            async with connect(settings(), log_queries=flags.log_queries) as db:
                return await work(db)
        except (DatabaseConnectionError, PrismaError, OSError) as error:
            if not (patient and is_away(error)):
                raise
            if not waits:
                console.warn(f"{error}; it is tried again, Ctrl-C ends that")
        waits = True
        await asyncio.sleep(AGAIN)


def _stop_on_signals(backtests: BacktestWorker, grace: float) -> None:
    import asyncio
    import signal

    def stop(number: int) -> None:
        if backtests.is_stopping:
            backtests.kill_children()
            with suppress(OSError):
                sys.stderr.write("stopped at once: other workers run again what it was at\n")
                sys.stderr.flush()
            os._exit(128 + number)
        backtests.stop()
        _narrate(
            f"stopping: running backtests get {grace:g} s, then others run them; "
            "once more stops it at once"
        )

    loop = asyncio.get_running_loop()
    handler: Callable[[int], None] = stop
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handler, number)


def _narrate(message: str) -> None:
    """Say it where somebody reads: a terminal may be closed by now, and a pipe's reader gone."""
    with suppress(OSError, SystemExit):  # the latter is Rich's for a pipe that nobody reads
        console.narrate(message)


def _show_log() -> None:
    """Show on standard error, a line each, what the worker logs."""
    import logging

    shown = logging.StreamHandler()
    shown.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("etf_backtest.services")
    log.setLevel(logging.INFO)
    log.addHandler(shown)
    log.propagate = False
