"""`etf-backtest backtest submit|cancel|retry|watch`: leave backtests to the workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from etf_backtest.cli import backtest_view, console, progress_view
from etf_backtest.cli.backtest_data import as_data
from etf_backtest.cli.options import JSON
from etf_backtest.cli.run_options import RunArguments
from etf_backtest.cli.session import with_database

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Backtest
    from etf_backtest.services.progress import Progress

Change: TypeAlias = "Callable[[Database, str], Awaitable[Backtest]]"
"""What is done to one backtest, by its id."""

IDS = Annotated[
    list[str], typer.Argument(metavar="ID", help="Ids, or the first characters of them.")
]


def submit(
    asked: RunArguments,
    priority: Annotated[
        int,
        typer.Option(metavar="N", help="The higher goes first.", min=-100, max=100),
    ] = 0,
    wait: Annotated[
        bool, typer.Option("--wait", help="Watch it, and show what comes out.")
    ] = False,
    json: JSON = False,
) -> None:
    """Check a backtest as run does, leave it to a worker, and print its id.

    Example: etf-backtest backtest submit -p balanced -s momentum --priority 10 --wait
    """
    from etf_backtest.services.progress import progress_of
    from etf_backtest.services.stored_backtests import find_backtest
    from etf_backtest.services.submission import submit_backtest

    async def ask(db: Database) -> Backtest:
        row = await submit_backtest(db, priority=priority, **asked)
        if wait:
            console.narrate(f"backtest {row.id}")
            await _watched(db, [row.id], progress_view.narrating)
            return await find_backtest(db, row.id)
        await _tell_where(db, await progress_of(db, [row.id]))
        return row

    row = with_database(ask)
    if wait:
        backtest_view.show(row, json=json)
        raise typer.Exit(0 if row.status == "completed" else 1)
    if json:
        console.show_json(as_data(row))
    else:
        console.show_line(row.id)


def cancel(ids: IDS, json: JSON = False) -> None:
    """Call back backtests that are pending or running: they have failed then, as cancelled."""
    from etf_backtest.services.submission import cancel_backtest

    _change_each(ids, cancel_backtest, "cancelled", json=json)


def retry(ids: IDS, json: JSON = False) -> None:
    """Have failed backtests tried again by a worker."""
    from etf_backtest.services.submission import retry_backtest

    _change_each(ids, retry_backtest, "in the queue again", json=json)


def watch(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="By default all that are pending or running."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout, a line for each change.")
    ] = False,
) -> None:
    """Show how backtests get on, until all have ended.

    The exit code is 0 if all are completed, and 1 otherwise. Ctrl-C ends the
    watching and nothing else.
    """

    async def look(db: Database) -> Sequence[Progress]:
        return await _watched(db, ids or None, progress_view.how_to_show(json=json))

    seen = with_database(look)
    if not seen:
        console.narrate("no backtest of yours is pending or running")
    raise typer.Exit(0 if all(each.status == "completed" for each in seen) else 1)


async def _watched(
    db: Database, ids: Iterable[str] | None, show: progress_view.Showing
) -> Sequence[Progress]:
    """Watch to the end, showing each look; where it is ended before, say how to go on."""
    import asyncio

    from etf_backtest.services.progress import watch_backtests

    seen: Sequence[Progress] | None = None
    try:
        with show() as shown:
            async for looked in watch_backtests(db, ids, on_outage=console.warn):
                if seen is None:
                    await _warn_if_nobody_works(db, looked)
                shown(seen := looked)
    except asyncio.CancelledError:
        console.narrate(progress_view.left_alone(seen or ()))
        raise
    return seen or ()


async def _tell_where(db: Database, seen: Sequence[Progress]) -> None:
    for each in seen:
        console.narrate(progress_view.line(each))
    await _warn_if_nobody_works(db, seen)


async def _warn_if_nobody_works(db: Database, seen: Sequence[Progress]) -> None:
    from etf_backtest.database.queue_calls import live_workers

    if not any(each.status == "pending" for each in seen):
        return
    workers = await live_workers(db)
    if workers is None:
        console.warn(
            "the database has no queue yet, so nobody will run it: etf-backtest migrate deploy, "
            "then etf-backtest worker"
        )
    elif workers == 0:
        console.warn("no worker seems to be running: start one with etf-backtest worker")


def _change_each(ids: Sequence[str], change: Change, done: str, *, json: bool) -> None:
    """Do it to each, and tell of each; exit with 1 if one could not be changed."""
    from etf_backtest.cli.failures import explain
    from etf_backtest.errors import EtfBacktestError

    told: list[dict[str, object]] = []

    async def change_all(db: Database) -> None:
        for asked in dict.fromkeys(ids):
            try:
                row = await change(db, asked)
            except EtfBacktestError as error:
                failure = explain(error)
                told.append({"asked": asked, "error": failure.message})
                console.fail(failure.message, failure.remedy)
            else:
                told.append({"asked": asked, "id": row.id, "status": str(row.status)})
                console.narrate(f"backtest {row.id} ({row.name}) is {done}")

    with_database(change_all)
    if json:
        console.show_json(told)
    raise typer.Exit(1 if any("error" in each for each in told) else 0)
