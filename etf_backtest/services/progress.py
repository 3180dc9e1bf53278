"""Where backtests stand: in the queue, at work, or at their end; and watching them get there."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from etf_backtest.database.models import PrismaError
from etf_backtest.database.outage import is_outage
from etf_backtest.errors import NotFoundError
from etf_backtest.errors.wording import one_line
from etf_backtest.services.acting import Who, acting_user
from etf_backtest.services.portfolios import parse_uuid
from etf_backtest.services.stored_backtests import look_up_backtest

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.services.acting import Actor

T = TypeVar("T")
DELETED: Final = "deleted"
"""The status of a row that was removed while it was watched."""
ENDED: Final = frozenset(("completed", "failed", DELETED))
SHORTEST_PAUSE, LONGEST_PAUSE, GROWTH = 0.5, 2.0, 1.25
"""Seconds between two looks; they grow while nothing changes."""
SHARE: Final = 10.0
"""How often what a look took passes before the next: watching is a tenth of its time at most."""
LONGEST_OUTAGE: Final = 300.0
"""Seconds that the database may be away before watching it is given up."""
OUTAGE_PAUSE: Final = 1.0

# The place in the queue: by priority, then by the time of asking. Everybody's rows count.
_STANDING: Final = """
WITH queue AS (
    SELECT id, row_number() OVER (ORDER BY priority DESC, queued_at, id) - 1 AS ahead
    FROM backtests WHERE status = 'pending'
)
SELECT b.id::text, b.name, b.status::text, b.priority::int, q.ahead::int, b.attempts, s.since,
       greatest(extract(epoch FROM clock_timestamp() - s.since), 0)::float8 AS seconds,
       b.error_message
FROM backtests b
LEFT JOIN queue q ON q.id = b.id
CROSS JOIN LATERAL (
    SELECT CASE b.status WHEN 'pending' THEN b.queued_at WHEN 'running' THEN b.started_at
                         ELSE b.completed_at END AS since
) s
"""
_OF_THESE: Final = _STANDING + (
    "WHERE b.user_id = $1::uuid AND b.id = ANY (string_to_array($2, ',')::uuid[])"
)
_UNDER_WAY: Final = _STANDING + (
    "WHERE b.user_id = $1::uuid AND b.status IN ('pending', 'running')"
    " ORDER BY b.status DESC, q.ahead, b.started_at, b.id"
)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where one backtest stands."""

    id: str
    name: str
    status: str
    """pending, running, completed or failed; deleted where it was removed while it was watched."""
    priority: int
    ahead: int | None
    """How many pending ones go before it, anybody's; None where it is not pending."""
    attempts: int
    """How often a worker has begun it."""
    since: dt.datetime
    """When it came to this status."""
    seconds: float
    """For how long it is in this status, by the database's clock."""
    error_message: str | None
    """Why it failed."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of it by itself."""
        return self.status in ENDED


async def progress_of(
    db: Database, ids: Iterable[str] | None = None, *, user: Who = None
) -> tuple[Progress, ...]:
    """Where backtests of one's own stand, in one query.

    Parameters
    ----------
    db : Database
        Connected.
    ids : iterable of str, optional
        Whole ids, or the first characters of them (which takes one more query each). By default
        all of the user's that are pending or running.
    user : Actor or str, optional
        Whose they are: see `acting_user`.

    Returns
    -------
    tuple of Progress
        In the order of the ids, each once; by default the running ones first, then as they will be
        begun.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        The user has none of that id, or more than one.
    """
    actor = await acting_user(db, user)
    if ids is None:
        return _read(await db.query_raw(_UNDER_WAY, actor.id))
    asked = [parse_uuid(each) or (await look_up_backtest(db, each, user=actor)).id for each in ids]
    there = {each.id: each for each in await _standing(db, asked, actor)}
    for missing in (each for each in asked if each not in there):
        raise NotFoundError("backtest", missing, known=(), command="backtest list")
    return tuple(there[each] for each in dict.fromkeys(asked))


async def watch_backtests(
    db: Database,
    ids: Iterable[str] | None = None,
    *,
    user: Who = None,
    on_outage: Callable[[str], None] | None = None,
) -> AsyncIterator[tuple[Progress, ...]]:
    """Look again and again where backtests stand, until all of them have ended.

    Every half second, up to every two seconds while nothing changes, and ever more seldom where a
    look takes long: with a hundred thousand that wait it takes half a second. A database that is
    away in between is asked again, for up to five minutes.

    Parameters
    ----------
    db, ids, user
        As for `progress_of`; without ids those that are pending or running at the beginning.
    on_outage : callable, optional
        Gets a line when the database does not answer, and when it does again.

    Yields
    ------
    tuple of Progress
        All of them, in the same order each time; the last one has only such as have ended. One
        that has ended is not looked at any more.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        The user has none of that id, or more than one.
    PrismaError
        The database was away for too long.
    """
    actor = await acting_user(db, user)
    seen = await progress_of(db, ids, user=actor)
    yield seen
    pause, looked = SHORTEST_PAUSE, 0.0
    while under_way := [each.id for each in seen if not each.has_ended]:
        await asyncio.sleep(max(pause, SHARE * looked))
        began = time.monotonic()
        found = await _patiently(
            partial(_standing, db, under_way, actor), on_outage or (lambda _: None)
        )
        looked = time.monotonic() - began
        before, seen = seen, _updated(seen, found)
        moved = [_place(each) for each in seen] != [_place(each) for each in before]
        pause = SHORTEST_PAUSE if moved else min(pause * GROWTH, LONGEST_PAUSE)
        yield seen


async def _standing(db: Database, ids: Sequence[str], actor: Actor) -> tuple[Progress, ...]:
    """Those that are there, in any order."""
    return _read(await db.query_raw(_OF_THESE, actor.id, ",".join(ids)))


def _read(rows: Iterable[Mapping[str, Any]]) -> tuple[Progress, ...]:
    return tuple(
        Progress(**{**row, "since": dt.datetime.fromisoformat(row["since"])}) for row in rows
    )


def _updated(seen: Sequence[Progress], found: Sequence[Progress]) -> tuple[Progress, ...]:
    """What was seen, with what was found of those that were under way."""
    new = {each.id: each for each in found}
    return tuple(
        each
        if each.has_ended
        else new.get(each.id) or replace(each, status=DELETED, ahead=None, error_message=None)
        for each in seen
    )


def _place(each: Progress) -> tuple[object, ...]:
    """What changes when something happens, and not by waiting."""
    return each.status, each.ahead, each.attempts


async def _patiently(ask: Callable[[], Awaitable[T]], tell: Callable[[str], None]) -> T:
    """The answer, once the database gives one."""
    began = None
    while True:
        try:
            answer = await ask()
        except PrismaError as error:
            away = 0.0 if began is None else time.monotonic() - began
            if not is_outage(error) or away > LONGEST_OUTAGE:
                raise
            if began is None:
                began = time.monotonic()
                tell(f"the database does not answer ({one_line(str(error))}): trying again")
            await asyncio.sleep(OUTAGE_PAUSE)
        else:
            if began is not None:
                tell("the database answers again")
            return answer
