"""Letting people in, and their passwords.

For applications that know nobody yet: a web application calls `sign_in`, remembers who that was in
a session of its own, and passes the id on as `user=` to everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from etf_backtest.errors import SignInError, WrongPasswordError
from etf_backtest.services.accounts import address_or_id, find_user, unknown_user
from etf_backtest.services.acting import Actor, Who, acting_user
from etf_backtest.services.passwords import (
    NO_PASSWORD,
    hash_password,
    needs_rehash,
    password_fits,
    rehash_password,
)
from etf_backtest.services.sign_in_throttle import count_attempt, forget_attempts

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database

# whoever is not there is answered with the work of somebody who is: hashes of different kinds take
# different times, and so the time of an answer says nothing of whether there is such a user
LOOK_UP: Final = """
    (SELECT id::text, password_hash, is_active, 1 AS distance
     FROM users WHERE lower(email) = lower($1))
    UNION ALL
    (SELECT NULL, password_hash, false, 2
     FROM users WHERE id >= md5(lower($1))::uuid ORDER BY id LIMIT 1)
    UNION ALL
    (SELECT NULL, password_hash, false, 3 FROM users ORDER BY id LIMIT 1)
    ORDER BY distance LIMIT 1
"""
# a password that was changed meanwhile stays as it was changed
LET_IN: Final = """
    UPDATE users SET last_login = clock_timestamp(),
        password_hash = CASE WHEN password_hash = $2 THEN $3 ELSE password_hash END
    WHERE id = $1::uuid AND is_active
    RETURNING id::text, email, subscription_tier::text AS tier
"""
CHANGE: Final = """
    UPDATE users SET password_hash = $3
    WHERE id = $1::uuid AND is_active AND password_hash = $2 RETURNING email
"""
SET: Final = "UPDATE users SET password_hash = $2 WHERE id = $1::uuid RETURNING email"


async def sign_in(db: Database, *, email: str, password: str) -> Actor:
    """The active user with that address and that password.

    A hash that Werkzeug made, or that is weaker than new ones are, is replaced by a new one.

    Raises
    ------
    SignInError
        There is no such user, the password is wrong or not set, or the user is not active: which
        of these it is, neither the error nor the time that it takes says.
    SignInThrottledError
        Too many attempts with this address have failed of late, whether or not it is anybody's.
    """
    address = address_or_id(email)
    found = await _look_at(db, address, password)
    if found is None or not found["is_active"]:
        raise SignInError
    stored = found["password_hash"]
    fresh = await rehash_password(password) if needs_rehash(stored) else stored
    rows = await db.query_raw(LET_IN, found["id"], stored, fresh)
    if not rows:  # deactivated or deleted meanwhile
        raise SignInError
    await forget_attempts(db, address)
    return Actor(**rows[0])


async def change_password(
    db: Database, *, user: Who = None, old_password: str, new_password: str
) -> None:
    """Replace a user's password by another, for whoever knows the one that holds.

    Wrong ones count as attempts to sign in.

    Raises
    ------
    NotFoundError
        There is no such active user.
    PasswordRefusedError
        The new password is too short, too long, or cannot be typed again.
    WrongPasswordError
        The old password is not the one that holds.
    SignInThrottledError
        Too many attempts have failed of late.
    """
    actor = await acting_user(db, user)
    fresh = await hash_password(new_password)
    found = await _look_at(db, actor.email, old_password)
    if found is None:
        raise WrongPasswordError
    if not await db.query_raw(CHANGE, found["id"], found["password_hash"], fresh):
        raise WrongPasswordError  # somebody else has changed it meanwhile
    await forget_attempts(db, actor.email)


async def set_password(db: Database, user: str, password: str | None) -> None:
    """Give a user, by address or id, a password, whatever was before; None: nobody can sign in.

    For whoever runs the database. Who asks for it is not checked.

    Raises
    ------
    NotFoundError
        There is no such user.
    PasswordRefusedError
        The password is too short, too long, or cannot be typed again.
    """
    found = await find_user(db, user)
    fresh = NO_PASSWORD if password is None else await hash_password(password)
    if not await db.query_raw(SET, found.id, fresh):
        raise unknown_user(user)
    await forget_attempts(db, found.email)


async def _look_at(db: Database, address: str, password: str) -> dict[str, Any] | None:
    """The row of the user whom address and password fit, after the attempt was counted."""
    await count_attempt(db, address)
    rows = await db.query_raw(LOOK_UP, address)
    fits = await password_fits(rows[0]["password_hash"] if rows else NO_PASSWORD, password)
    # the row of somebody else only says how long to work
    return rows[0] if rows and rows[0]["id"] is not None and fits else None
