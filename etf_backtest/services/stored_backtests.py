"""Stored backtests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

from etf_backtest.database.models import BacktestStatus
from etf_backtest.database.summaries import BacktestSummary, backtest_summaries
from etf_backtest.errors import AmbiguousIdError, NotFoundError
from etf_backtest.services.access import Action, backtests_to, shared_backtests
from etf_backtest.services.acting import Who, acting_user
from etf_backtest.services.portfolios import parse_uuid

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Backtest, BacktestWhereInput


class LookedUp(NamedTuple):
    """A backtest, and how far it was when it was looked for."""

    id: str
    status: str


_LOWEST = "00000000-0000-0000-0000-000000000000"
_HIGHEST = _LOWEST.replace("0", "f")
_BEGINNING = re.compile(r"[0-9a-f]{1,31}")


async def list_backtests(
    db: Database,
    *,
    status: str | None = None,
    shared: bool = False,
    limit: int = 50,
    user: Who = None,
) -> list[BacktestSummary]:
    """The user's backtests with their metrics, newest first; of one status where given.

    Their results are not read: `find_backtest` has those of one.

    With `shared` all that anybody may see, the user's among them.
    """
    actor = await acting_user(db, user)
    allowed = shared_backtests() if shared else backtests_to("change", actor)
    where: BacktestWhereInput = {"AND": [allowed]}
    if status is not None:
        where["status"] = BacktestStatus(status)
    return await backtest_summaries(db).find_many(
        where=where,
        take=limit,
        order={"createdAt": "desc"},
        include={"metrics": True, "portfolio": True, "strategy": True},
    )


async def ruined_on(db: Database, rows: Iterable[BacktestSummary]) -> dict[str, str]:
    """The days on which nothing was left, by the ids of those backtests that this happened to."""
    found = await db.query_raw(
        "SELECT id::text, results->'ruin'->>'date' AS date FROM backtests WHERE id IN"
        " (SELECT jsonb_array_elements_text($1::jsonb)::uuid)"
        " AND jsonb_typeof(results->'ruin') = 'object'",
        json.dumps([row.id for row in rows if row.status == BacktestStatus.completed]),
    )
    return {each["id"]: each["date"] for each in found}


async def find_backtest(
    db: Database, backtest_id: str, *, to: Action = "change", user: Who = None
) -> Backtest:
    """The backtest of that id, if the user may do that with it.

    Parameters
    ----------
    backtest_id : str
        The id, or the first characters of it: the user's own go before those of others.
    to : "see", "change" or "run"
        By default only the user's own are found.
    user : Actor or str, optional
        See `acting_user`.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        There is none, or more than one, among those that the user may see.
    """
    actor = await acting_user(db, user)
    found = await look_up_backtest(db, backtest_id, to=to, user=actor)
    row = await db.backtest.find_first(
        where={"AND": [{"id": found.id}, backtests_to(to, actor)]},
        include={"metrics": True, "portfolio": True, "strategy": True},
    )
    if row is None:  # it was deleted just now, or is not shared any more
        raise NotFoundError("backtest", backtest_id, known=(), command="backtest list")
    return row


async def look_up_backtest(
    db: Database, backtest_id: str, *, to: Action = "change", user: Who = None
) -> LookedUp:
    """As `find_backtest`; no more of the row is read: results may be large.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        There is none, or more than one, among those that the user may see.
    """
    actor = await acting_user(db, user)
    for action in dict.fromkeys(("change", to)):
        found = await _only_one(db, backtest_id, backtests_to(action, actor))
        if found is not None:
            return found
    raise NotFoundError("backtest", backtest_id, known=(), command="backtest list")


async def _only_one(db: Database, beginning: str, allowed: BacktestWhereInput) -> LookedUp | None:
    bounds = id_bounds(beginning)
    if bounds is None:
        return None
    where: BacktestWhereInput = {
        "AND": [allowed, {"id": {"gte": bounds[0]}}, {"id": {"lte": bounds[1]}}]
    }
    only: list[Literal["id", "status"]] = ["id", "status"]
    ascending: dict[Literal["id", "status"], Literal["asc"]] = {"id": "asc"}
    matching = await db.backtest.group_by(only, where=where, order=ascending, take=2)
    if len(matching) > 1:
        raise AmbiguousIdError("backtest", beginning, count=await db.backtest.count(where=where))
    return LookedUp(matching[0]["id"], str(matching[0]["status"])) if matching else None


def id_bounds(beginning: str) -> tuple[str, str] | None:
    """The first and the last id that begin so; None where none does.

    With nothing begins none: who deletes "$ID", and has set no ID, means no backtest.
    """
    if (whole := parse_uuid(beginning)) is not None:
        return whole, whole
    beginning = beginning.lower()
    digits = beginning.replace("-", "")
    if _BEGINNING.fullmatch(digits) is None:
        return None
    dashed = "".join(f"-{c}" if k in (8, 12, 16, 20) else c for k, c in enumerate(digits))
    if beginning not in (dashed, f"{dashed}-", digits):
        return None
    return dashed + _LOWEST[len(dashed) :], dashed + _HIGHEST[len(dashed) :]


async def delete_backtest(db: Database, backtest_id: str, *, user: Who = None) -> None:
    """Delete one of the user's backtests, with its results and metrics.

    A worker that computes it finds nothing to store its result in, and stops.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        The user has none of that id, or more than one.
    """
    found = await look_up_backtest(db, backtest_id, to="change", user=user)
    await db.backtest.delete_many(where={"id": found.id})
