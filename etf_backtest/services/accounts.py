"""Who acts: for now one local user, made on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etf_backtest.database.models import UniqueViolationError

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import User

LOCAL_EMAIL = "local@etf-backtest.invalid"
"""The domain is reserved (RFC 2606): no mail can ever reach it."""

NO_PASSWORD = "!"  # noqa: S105  # no hash verifies against it: nobody can sign in as this user


async def local_user(db: Database) -> User:
    """The user of a single-person installation."""
    user = await db.user.find_unique(where={"email": LOCAL_EMAIL})
    if user is not None:
        return user
    try:
        return await db.user.create(
            data={"email": LOCAL_EMAIL, "passwordHash": NO_PASSWORD, "firstName": "Local"}
        )
    except UniqueViolationError:  # another process was faster
        return await db.user.find_unique_or_raise(where={"email": LOCAL_EMAIL})
