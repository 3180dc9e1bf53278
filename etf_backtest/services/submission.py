"""Leave backtests to the workers, call them back, and have them tried again."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, Unpack

from etf_backtest.database.models import ForeignKeyViolationError
from etf_backtest.database.queue_calls import cancel_jobs
from etf_backtest.errors import (
    InvalidParametersError,
    NotCancellableError,
    NotFoundError,
    NotRetryableError,
)
from etf_backtest.services.acting import Who, acting_user
from etf_backtest.services.limits import room_for_backtest
from etf_backtest.services.request import RunArguments, asked_for, check_request, choose
from etf_backtest.services.stored_backtests import look_up_backtest
from etf_backtest.services.stored_run import pending_row

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Backtest, Prisma

PRIORITIES: Final = range(-100, 101)
"""Those that the table takes; the higher goes first."""
ROOM_WITHIN: Final = dt.timedelta(seconds=30)
"""For the transaction that counts and inserts: many of one user's go one after the other."""
CANCELLED: Final = "cancelled"
"""The error message of a backtest that was called back."""


async def submit_backtest(
    db: Database, *, priority: int = 0, user: Who = None, **asked: Unpack[RunArguments]
) -> Backtest:
    """Check a run as `run_backtest` does, and leave it to the workers instead of computing it.

    A trigger of the table queues the row. It stays pending while no worker runs.

    Parameters
    ----------
    db : Database
        Connected.
    priority : int
        -100 to 100: the higher goes first; among equals the one that was asked for first.
    user : Actor or str, optional
        Whose run it is: see `acting_user`.
    **asked
        What to run: the arguments of `run_backtest`.

    Returns
    -------
    Backtest
        The pending row, with portfolio and strategy. `watch_backtests` tells when it has ended.

    Raises
    ------
    EtfBacktestError
        What was asked for cannot be (see `check_request`); no row was written.
    LimitReachedError
        The user has as many pending and running ones as the tier allows.
    """
    if isinstance(priority, bool) or not isinstance(priority, int) or priority not in PRIORITIES:
        lowest, highest = PRIORITIES[0], PRIORITIES[-1]
        raise InvalidParametersError(
            "submit_backtest",
            [f"priority: expected a whole number from {lowest} to {highest}, got {priority!r}"],
        )
    wanted = asked_for(**asked)
    request = await check_request(db, wanted, await acting_user(db, user))
    try:
        async with db.tx(max_wait=ROOM_WITHIN, timeout=ROOM_WITHIN) as transaction:
            await room_for_backtest(transaction, request.actor, db.settings)
            now = await _time_of(transaction)
            return await transaction.backtest.create(
                data={
                    **pending_row(request),
                    "priority": priority,
                    "queuedAt": now,
                    "createdAt": now,
                },
                include={"portfolio": True, "strategy": True},
            )
    except ForeignKeyViolationError:  # portfolio or strategy were deleted just now: say which
        await choose(db, wanted, request.actor)
        raise


async def cancel_backtest(db: Database, backtest_id: str, *, user: Who = None) -> Backtest:
    """Call back a backtest of one's own: it has failed then, and says "cancelled".

    A worker that computes it hears so at once, or when it next says that it is alive; either way
    what it computes is not stored.

    Parameters
    ----------
    db : Database
        Connected.
    backtest_id : str
        The id, or the first characters of it.
    user : Actor or str, optional
        Whose it is: see `acting_user`.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        The user has none of that id, or more than one.
    NotCancellableError
        It has ended: nothing was changed.
    """
    actor = await acting_user(db, user)
    found = await look_up_backtest(db, backtest_id, user=actor)
    changed = await db.execute_raw(
        "UPDATE backtests SET status = 'failed', error_message = $3"
        " WHERE id = $1::uuid AND user_id = $2::uuid AND status IN ('pending', 'running')",
        found.id,
        actor.id,
        CANCELLED,
    )
    if not changed:
        raise NotCancellableError(*await look_up_backtest(db, found.id, user=actor))
    await cancel_jobs(db, [found.id])
    return await _row(db, found.id)


async def retry_backtest(db: Database, backtest_id: str, *, user: Who = None) -> Backtest:
    """Have a failed backtest of one's own tried again: it is pending then, behind all others.

    Parameters are those of `cancel_backtest`.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        The user has none of that id, or more than one.
    NotRetryableError
        It has not failed: nothing was changed.
    LimitReachedError
        The user has as many pending and running ones as the tier allows.
    """
    actor = await acting_user(db, user)
    found = await look_up_backtest(db, backtest_id, user=actor)
    if found.status != "failed":
        raise NotRetryableError(*found)
    async with db.tx(max_wait=ROOM_WITHIN, timeout=ROOM_WITHIN) as transaction:
        await room_for_backtest(transaction, actor, db.settings)
        changed = await transaction.execute_raw(
            "UPDATE backtests SET status = 'pending', queued_at = clock_timestamp()"
            " WHERE id = $1::uuid AND user_id = $2::uuid AND status = 'failed'",
            found.id,
            actor.id,
        )
    if not changed:  # somebody else was sooner
        raise NotRetryableError(*await look_up_backtest(db, found.id, user=actor))
    return await _row(db, found.id)


async def _time_of(transaction: Prisma) -> dt.datetime:
    """The database's time: this machine's would put the row in another place of the queue."""
    (row,) = await transaction.query_raw("SELECT clock_timestamp() AS now")
    return dt.datetime.fromisoformat(row["now"])


async def _row(db: Database, backtest_id: str) -> Backtest:
    row = await db.backtest.find_unique(
        where={"id": backtest_id}, include={"portfolio": True, "strategy": True}
    )
    if row is None:
        raise NotFoundError("backtest", backtest_id, known=(), command="backtest list")
    return row
