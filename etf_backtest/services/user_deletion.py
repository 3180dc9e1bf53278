"""A user's end, with everything that belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from etf_backtest.database.models import RawQueryError
from etf_backtest.errors import UserInUseError
from etf_backtest.services.accounts import find_user, unknown_user

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database

COUNTS: Final = """
    (SELECT count(*) FROM portfolios WHERE user_id = u.id)::int AS portfolios,
    (SELECT count(*) FROM strategies WHERE user_id = u.id)::int AS strategies,
    (SELECT count(*) FROM backtests WHERE user_id = u.id)::int AS backtests
"""
USED_BY_OTHERS: Final = """
    FROM backtests b JOIN strategies s ON s.id = b.strategy_id
    JOIN portfolios p ON p.id = b.portfolio_id
    WHERE b.user_id <> u.id AND (s.user_id = u.id OR p.user_id = u.id)
"""
COUNT: Final = f"SELECT {COUNTS} FROM users u WHERE id = $1::uuid"
COUNT_USED: Final = f"""
    SELECT (SELECT count(*) {USED_BY_OTHERS})::int AS backtests FROM users u WHERE id = $1::uuid
"""
DELETE: Final = f"""
    DELETE FROM users u WHERE id = $1::uuid AND NOT EXISTS (SELECT {USED_BY_OTHERS})
    RETURNING {COUNTS}
"""
FOREIGN_KEY_VIOLATION: Final = "23503"


@dataclass(frozen=True, slots=True)
class Belongings:
    """How much belongs to a user, and goes with them."""

    portfolios: int
    strategies: int
    backtests: int


async def belongings(db: Database, user: str) -> Belongings:
    """How many portfolios, strategies and backtests a user has, by address or id.

    Raises
    ------
    NotFoundError
        There is no such user.
    """
    found = await find_user(db, user)
    rows = await db.query_raw(COUNT, found.id)
    if not rows:
        raise unknown_user(user)
    return Belongings(**rows[0])


async def delete_user(db: Database, user: str) -> Belongings:
    """Delete a user, by address or id, with everything that belongs to them.

    Returns
    -------
    Belongings
        What was deleted with them.

    Raises
    ------
    NotFoundError
        There is no such user.
    UserInUseError
        Backtests of others use a strategy or a portfolio of this user. Nothing is deleted.
    """
    found = await find_user(db, user)
    try:
        rows = await db.query_raw(DELETE, found.id)
    except RawQueryError as error:
        if error.meta.get("code") != FOREIGN_KEY_VIOLATION:
            raise
        # one that came up after the statement began to look
        raise UserInUseError(found.email, backtests=0) from None
    if rows:
        return Belongings(**rows[0])
    used = await db.query_raw(COUNT_USED, found.id)
    if not used:  # another process was faster
        raise unknown_user(user)
    raise UserInUseError(found.email, backtests=used[0]["backtests"])
