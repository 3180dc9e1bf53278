"""Tokens that prove that somebody reads the mail of an address.

A token is the signed id of a row. The row says whose it is, for which address and until when, and
whether it was used; so the database decides, with its own clock, and one token is used once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from etf_backtest.errors import TokenError
from etf_backtest.services.accounts import Account, find_user, unknown_user
from etf_backtest.services.signing_key import signing_key
from etf_backtest.settings import load_settings

if TYPE_CHECKING:
    import datetime as dt

    from itsdangerous import URLSafeSerializer

    from etf_backtest.database.connection import Database

LIFETIME: Final = 86_400
"""Seconds that a token can be used for."""
LONGEST: Final = 512
"""Characters; ours have 80."""

# expired ones go a few at a time, as new ones come
CREATE: Final = """
    WITH expired AS (
        DELETE FROM user_tokens WHERE id IN (
            SELECT id FROM user_tokens WHERE expires_at < clock_timestamp()
            ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
        )
    )
    INSERT INTO user_tokens (user_id, purpose, email, expires_at)
    SELECT id, 'verify_email', email, clock_timestamp() + $2::float8 * interval '1 second'
    FROM users WHERE id = $1::uuid
    RETURNING id::text
"""
# of two that use it at once, the second waits for the first and then finds it used; a user whose
# address changes meanwhile is not verified
USE: Final = """
    WITH used AS (
        UPDATE user_tokens t SET used_at = clock_timestamp() FROM users u
        WHERE t.id = $1::uuid AND t.purpose = 'verify_email' AND t.used_at IS NULL
            AND t.expires_at > clock_timestamp()
            AND u.id = t.user_id AND u.email = t.email AND u.is_active
        RETURNING t.user_id, t.email
    )
    UPDATE users SET email_verified = true FROM used
    WHERE users.id = used.user_id AND users.email = used.email AND users.is_active
    RETURNING users.id::text
"""


async def email_verification_token(
    db: Database, user: str, *, lifetime: dt.timedelta | None = None
) -> str:
    """A token to be sent to a user's address; who reads it there gives it to `verify_email`.

    Parameters
    ----------
    user : str
        Address or id.
    lifetime : timedelta, optional
        How long it can be used; 24 hours if not given.

    Returns
    -------
    str
        Of letters, digits, `-`, `_` and `.`: it can stand in a URL.

    Raises
    ------
    NotFoundError
        There is no such user.
    SigningKeyError
        There is no key to sign with.
    """
    signer = _signer(db)
    found = await find_user(db, user)
    seconds = LIFETIME if lifetime is None else lifetime.total_seconds()
    rows = await db.query_raw(CREATE, found.id, float(seconds))
    if not rows:
        raise unknown_user(user)
    token = signer.dumps(rows[0]["id"])
    return token if isinstance(token, str) else token.decode()


async def verify_email(db: Database, token: str) -> Account:
    """Use a token: its user's address is verified from now on.

    Raises
    ------
    TokenError
        It was changed, is of another key, has expired, was used, or is for an address that the user
        does not have any more. Which of these is not said.
    SigningKeyError
        There is no key to check it with.
    """
    rows = await db.query_raw(USE, _token_id(_signer(db), token))
    if not rows:
        raise TokenError
    return await find_user(db, rows[0]["id"])


def _token_id(signer: URLSafeSerializer, token: str) -> str:
    from itsdangerous import BadData

    if len(token) > LONGEST or not token.isascii():
        raise TokenError
    try:
        found: Any = signer.loads(token.strip())
    except BadData:
        raise TokenError from None
    return str(found)


def _signer(db: Database) -> URLSafeSerializer:
    """Signs with HMAC-SHA-256, by a key that is derived from the settings' for this alone."""
    import hashlib

    from itsdangerous import URLSafeSerializer

    return URLSafeSerializer(
        signing_key(db.settings or load_settings()),
        salt="etf_backtest.verify_email",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
