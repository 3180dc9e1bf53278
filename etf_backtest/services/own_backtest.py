"""One's own backtests by id: what only an owner may do begins here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from etf_backtest.errors import AmbiguousIdError, NotFoundError
from etf_backtest.services.access import backtests_to
from etf_backtest.services.stored_backtests import id_bounds

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import BacktestWhereInput
    from etf_backtest.services.acting import Actor

Column: TypeAlias = Literal["id", "status"]


class OwnBacktest(NamedTuple):
    """A backtest of somebody's, and how far it was when it was looked for."""

    id: str
    status: str


async def own_backtest(db: Database, backtest_id: str, actor: Actor) -> OwnBacktest:
    """The one that the actor may change, by its id or by the first characters of it.

    Nothing but these two columns is read: results may be large.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        There is none, or more than one.
    """
    bounds = id_bounds(backtest_id)
    if bounds is None:
        raise NotFoundError("backtest", backtest_id, known=(), command="backtest list")
    allowed = backtests_to("change", actor)
    where: BacktestWhereInput = {
        "AND": [allowed, {"id": {"gte": bounds[0]}}, {"id": {"lte": bounds[1]}}]
    }
    by: list[Column] = ["id", "status"]
    order: dict[Column, Literal["asc"]] = {"id": "asc"}
    found = await db.backtest.group_by(by, where=where, order=order, take=2)
    if not found:
        raise NotFoundError("backtest", backtest_id, known=(), command="backtest list")
    if len(found) > 1:
        raise AmbiguousIdError("backtest", backtest_id, count=await db.backtest.count(where=where))
    return OwnBacktest(found[0]["id"], str(found[0]["status"]))
