"""Users: made, found, given a tier and shut out.

Nothing here asks who wants it: these are for whoever runs the database, and for applications that
decide it themselves. The hash of a password never leaves the database through this module.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, LiteralString
from uuid import UUID

from etf_backtest.database.models import SubscriptionTier, UniqueViolationError
from etf_backtest.errors import EmailTakenError, InvalidUserError, NotFoundError
from etf_backtest.errors.wording import quoted
from etf_backtest.services.passwords import NO_PASSWORD, hash_password

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import User, UserWhereInput

LOCAL_EMAIL: Final = "local@etf-backtest.invalid"
"""The domain is reserved (RFC 2606): no mail can ever reach it."""

LONGEST_EMAIL: Final = 320
LONGEST_NAME: Final = 100
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
"""The rule of the database, users_email_plausible."""
COLUMNS: Final = """
    id::text, email, first_name, last_name, subscription_tier::text AS tier, email_verified,
    is_active, last_login, created_at
"""
FIND: Final = f"""
    SELECT {COLUMNS} FROM users WHERE lower(email) = lower($1) OR id = $2::uuid
"""
LIST: Final = f"SELECT {COLUMNS} FROM users ORDER BY created_at, id"
# ON CONFLICT: an error of the server would quote the row, and with it the hash. The local user's
# address is taken before there is one: whoever signed up with it would be handed what is theirs
CREATE: Final = f"""
    INSERT INTO users (email, password_hash, first_name, last_name, subscription_tier)
    SELECT $1::text, $2, $3, $4, $5::subscription_tier WHERE lower($1::text) <> '{LOCAL_EMAIL}'
    ON CONFLICT DO NOTHING RETURNING {COLUMNS}
"""
SET_TIER: Final = f"""
    UPDATE users SET subscription_tier = $2::subscription_tier WHERE id = $1::uuid
    RETURNING {COLUMNS}
"""
SET_ACTIVE: Final = f"""
    UPDATE users SET is_active = $2::boolean WHERE id = $1::uuid RETURNING {COLUMNS}
"""


@dataclass(frozen=True, slots=True)
class Account:
    """A user, without the hash of the password."""

    id: str
    email: str
    first_name: str | None
    last_name: str | None
    tier: str
    email_verified: bool
    is_active: bool
    last_login: dt.datetime | None
    created_at: dt.datetime


async def local_user(db: Database) -> User:
    """The user of a single-person installation, made on first use."""
    # in whatever case: an application may have stored it
    address: UserWhereInput = {"email": {"equals": LOCAL_EMAIL, "mode": "insensitive"}}
    user = await db.user.find_first(where=address)
    if user is not None:
        return user
    try:
        return await db.user.create(
            data={"email": LOCAL_EMAIL, "passwordHash": NO_PASSWORD, "firstName": "Local"}
        )
    except UniqueViolationError:  # another process was faster
        return await db.user.find_first_or_raise(where=address)


async def create_user(
    db: Database,
    *,
    email: str,
    password: str | None,
    first_name: str | None = None,
    last_name: str | None = None,
    tier: str = "free",
) -> Account:
    """Store a new user.

    Parameters
    ----------
    email : str
        Of 3 to 320 characters, with a domain that has a dot; kept as it is written, and found
        whatever its case. It is not verified: see `email_verification_token`.
    password : str or None
        Of 8 to 1,024 characters. Only its argon2id hash is stored. None: nobody can sign in.
    first_name, last_name : str, optional
        At most 100 characters. Others see them beside what this user has made public.
    tier : {"free", "basic", "premium"}
        Whose limits hold (`Settings.limits`).

    Raises
    ------
    InvalidUserError
        The address, a name or the tier cannot be stored.
    PasswordRefusedError
        The password is too short, too long, or cannot be typed again.
    EmailTakenError
        Another user has that address, or it is the local user's, who is made by `local_user` alone.
    """
    email = email.strip()
    check_email(email)
    names = _checked_name(first_name, "first"), _checked_name(last_name, "last")
    check_tier(tier)
    hashed = NO_PASSWORD if password is None else await hash_password(password)
    rows = await db.query_raw(CREATE, email, hashed, *names, tier)
    if not rows:
        raise EmailTakenError(email)
    return account_of(rows[0])


async def find_user(db: Database, user: str) -> Account:
    """The user with an e-mail address, in whatever case, or with an id; inactive ones, too.

    Raises
    ------
    NotFoundError
        There is none.
    """
    rows = await db.query_raw(FIND, address_or_id(user), as_id(user))
    if not rows:
        raise unknown_user(user)
    return account_of(rows[0])


async def list_users(db: Database) -> list[Account]:
    """All users, the oldest first."""
    rows = await db.query_raw(LIST)
    return [account_of(row) for row in rows]


async def set_tier(db: Database, user: str, tier: str) -> Account:
    """Give a user, by address or id, another subscription tier.

    What there is already stays, even where it is more than the new tier may have.

    Raises
    ------
    InvalidUserError
        There is no such tier.
    NotFoundError
        There is no such user.
    """
    check_tier(tier)
    return await _changed(db, user, SET_TIER, tier)


async def deactivate_user(db: Database, user: str) -> Account:
    """Shut a user out, by address or id: nobody can sign in or act as them.

    Everything they have stays, and what they made public is not seen by others any more.

    Raises
    ------
    NotFoundError
        There is no such user.
    """
    return await _changed(db, user, SET_ACTIVE, False)


async def activate_user(db: Database, user: str) -> Account:
    """Let a user in again who was deactivated.

    Raises
    ------
    NotFoundError
        There is no such user.
    """
    return await _changed(db, user, SET_ACTIVE, True)


def check_email(email: str) -> None:
    """Raise InvalidUserError unless it looks like an address that the database takes."""
    if len(email) > LONGEST_EMAIL or not email.isprintable() or EMAIL.fullmatch(email) is None:
        raise InvalidUserError(
            f"{quoted(email)} is not an e-mail address",
            remedy=f"give one like name@example.org, of at most {LONGEST_EMAIL} characters",
        )


def check_tier(tier: str) -> None:
    """Raise InvalidUserError unless there is such a tier."""
    tiers = [each.value for each in SubscriptionTier]
    if tier not in tiers:
        raise InvalidUserError(
            f"there is no tier {quoted(tier)}", remedy=f"give one of {', '.join(tiers)}"
        )


def address_or_id(text: str) -> str:
    """What may be sent to the server; what can be neither (a NUL, a megabyte) is nobody's: ""."""
    text = text.strip()
    fits = len(text) <= LONGEST_EMAIL and "\0" not in text
    return text if fits and not any("\ud800" <= each <= "\udfff" for each in text) else ""


def as_id(text: str) -> str | None:
    """The canonical form of an id, None for what is none."""
    try:
        return str(UUID(text.strip()))
    except ValueError:
        return None


def _checked_name(name: str | None, what: str) -> str | None:
    name = (name or "").strip()
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidUserError(
            f"the {what} name {quoted(name)} cannot be stored",
            remedy=f"give at most {LONGEST_NAME} characters that can be seen",
        )
    return name or None


async def _changed(db: Database, user: str, statement: LiteralString, value: object) -> Account:
    found = await find_user(db, user)
    rows = await db.query_raw(statement, found.id, value)
    if not rows:
        raise unknown_user(user)
    return account_of(rows[0])


def unknown_user(user: str) -> NotFoundError:
    """What is said of a user who is not there."""
    return NotFoundError("user", user, known=(), command="user list")


def account_of(row: Mapping[str, Any]) -> Account:
    """A row of `COLUMNS` as a value."""
    times = {name: _time(row[name]) for name in ("last_login", "created_at")}
    return Account(**{**row, **times})


def _time(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)
