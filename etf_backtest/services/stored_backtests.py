"""Stored backtests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etf_backtest.database.models import BacktestStatus
from etf_backtest.errors import AmbiguousIdError, NotFoundError
from etf_backtest.services.acting import Who, acting_user
from etf_backtest.services.portfolios import parse_uuid

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Backtest, BacktestWhereInput


async def list_backtests(
    db: Database, *, status: str | None = None, limit: int = 50, user: Who = None
) -> list[Backtest]:
    """The user's backtests with their metrics, newest first; of one status where given."""
    actor = await acting_user(db, user)
    where: BacktestWhereInput = {"userId": actor.id}
    if status is not None:
        where["status"] = BacktestStatus(status)
    return await db.backtest.find_many(
        where=where,
        take=limit,
        order={"createdAt": "desc"},
        include={"metrics": True, "portfolio": True, "strategy": True},
    )


async def find_backtest(db: Database, backtest_id: str, *, user: Who = None) -> Backtest:
    """One of the user's backtests, by its id or by the first characters of it.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        There is none, or more than one.
    """
    actor = await acting_user(db, user)
    full_id = parse_uuid(backtest_id)
    if full_id is None:
        matching = await db.query_raw(
            "SELECT id::text FROM backtests WHERE user_id = $1::uuid AND starts_with(id::text, $2)",
            actor.id,
            backtest_id.lower(),
        )
        if len(matching) > 1:
            raise AmbiguousIdError("backtest", backtest_id, count=len(matching))
        full_id = matching[0]["id"] if matching else None
    row = full_id and await db.backtest.find_first(
        where={"id": full_id, "userId": actor.id},
        include={"metrics": True, "portfolio": True, "strategy": True},
    )
    if not row:
        raise NotFoundError("backtest", backtest_id, known=(), command="backtest list")
    return row
