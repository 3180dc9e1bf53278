"""Stored strategies: those of the system and the local user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etf_backtest.errors import NotFoundError
from etf_backtest.services.accounts import local_user
from etf_backtest.services.portfolios import parse_uuid

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Strategy


async def list_strategies(db: Database) -> list[Strategy]:
    """What the local user can run: the system's strategies first, then the user's, by name."""
    user = await local_user(db)
    return await db.strategy.find_many(
        where={"OR": [{"isSystem": True}, {"userId": user.id}]},
        order=[{"isSystem": "desc"}, {"name": "asc"}],
    )


async def find_strategy(db: Database, name_or_id: str) -> Strategy:
    """The strategy of that name or id; the user's own goes before the system's of the same name.

    Raises
    ------
    NotFoundError
        There is none; the message names those that are there.
    """
    strategies = await list_strategies(db)
    strategy_id = parse_uuid(name_or_id)
    for strategy in reversed(strategies):
        if strategy_id == strategy.id if strategy_id else name_or_id == strategy.name:
            return strategy
    known = [strategy.name for strategy in strategies]
    raise NotFoundError("strategy", name_or_id, known=known, command="strategy list")
