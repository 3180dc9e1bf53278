"""Who acts: the user that was named, the one of the settings, or the local one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from etf_backtest.errors import NotFoundError
from etf_backtest.services.accounts import LOCAL_EMAIL, address_or_id, as_id, local_user

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database


@dataclass(frozen=True, slots=True)
class Actor:
    """An active user, as far as it matters who that is; no secret of theirs is here."""

    id: str
    email: str
    tier: str

    @property
    def is_local(self) -> bool:
        """Whether this is the user of a single-person installation, who has no limits."""
        return self.email == LOCAL_EMAIL


Who: TypeAlias = Actor | str | None
"""An actor, an e-mail address or id, or None for the one of the settings (the local user where
they name none)."""


async def acting_user(db: Database, user: Who = None) -> Actor:
    """The user that a call is made for.

    Nobody is asked for a password here: whoever holds the database's URL may act as any user, as
    psql may. An application that lets people in by `sign_in` passes on who that was.

    Raises
    ------
    NotFoundError
        There is no such user, or not an active one.
    """
    if isinstance(user, Actor):
        return user
    if user is None and db.settings is not None:
        user = db.settings.user
    # not the client's own query: that would read the password's hash, which not every role may
    rows = await db.query_raw(
        "SELECT id::text, email, subscription_tier::text AS tier FROM users"
        " WHERE (lower(email) = lower($1) OR id = $2::uuid) AND is_active",
        LOCAL_EMAIL if user is None else address_or_id(user),
        None if user is None else as_id(user),
    )
    if rows:
        return Actor(**rows[0])
    if user is not None:
        raise NotFoundError("active user", user, known=(), command="user list")
    local = await local_user(db)
    if not local.isActive:
        raise NotFoundError("active user", local.email, known=(), command="user list")
    return Actor(local.id, local.email, str(local.subscriptionTier))
