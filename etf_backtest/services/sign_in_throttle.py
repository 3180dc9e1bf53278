"""How often an address may be tried: kept in the database, so that it holds for all processes.

An attempt is counted before its password is looked at, in one statement that waits for others with
the same address. So any number of guesses at once get no more looks than as many in a row. The
address need not be anybody's: nothing here tells who has an account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from etf_backtest.errors import SignInThrottledError

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database

FREE: Final = 4
"""Attempts in a row that may fail before one is made to wait."""
LONGEST_WAIT: Final = 900
"""Seconds; the wait is 1 s after the fifth failure, and doubles with each that follows."""
REMEMBERED: Final = 86_400
"""Seconds after the end of the last wait until an address starts anew."""

# the column has milliseconds: rounded up, a time would still be to come for an attempt that follows
# at once. The clock is the database's, and so is lower(): all spellings that find a user are one
# subject
COUNT: Final = """
    INSERT INTO sign_in_throttles AS t (subject, failures, blocked_until)
    VALUES (
        sha256(convert_to(lower($1), 'UTF8')), 1, date_trunc('milliseconds', clock_timestamp())
    )
    ON CONFLICT (subject) DO UPDATE SET (failures, blocked_until) = (
        SELECT n, date_trunc('milliseconds', clock_timestamp()) + CASE
            WHEN n <= $2::int THEN interval '0'
            ELSE least(power(2, least(n - $2::int - 1, 30)), $3::int) * interval '1 second' END
        FROM (SELECT CASE WHEN t.blocked_until < clock_timestamp() - $4::int * interval '1 second'
                          THEN 1 ELSE least(t.failures, 1000000) + 1 END) AS counted (n)
    )
    WHERE t.blocked_until <= clock_timestamp()
    RETURNING failures
"""
LEFT: Final = """
    SELECT greatest(extract(epoch FROM blocked_until - clock_timestamp()), 0)::float8 AS seconds
    FROM sign_in_throttles WHERE subject = sha256(convert_to(lower($1), 'UTF8'))
"""
FORGET: Final = """
    DELETE FROM sign_in_throttles WHERE subject = sha256(convert_to(lower($1), 'UTF8'))
"""
# more than one at a time, so that the table shrinks again after an attack
PRUNE: Final = """
    DELETE FROM sign_in_throttles WHERE id IN (
        SELECT id FROM sign_in_throttles
        WHERE blocked_until < clock_timestamp() - $1::int * interval '1 second'
        ORDER BY blocked_until LIMIT 100 FOR UPDATE SKIP LOCKED
    )
"""


async def count_attempt(db: Database, address: str) -> None:
    """Count an attempt to sign in with an address, as if it failed; `forget_attempts` undoes it.

    Raises
    ------
    SignInThrottledError
        It has to wait. Attempts meanwhile are not counted.
    """
    counted = await db.query_raw(COUNT, address, FREE, LONGEST_WAIT, REMEMBERED)
    if not counted:
        left = await db.query_raw(LEFT, address)
        raise SignInThrottledError(left[0]["seconds"] if left else 0.0)
    if counted[0]["failures"] == 1:
        await db.execute_raw(PRUNE, REMEMBERED)


async def forget_attempts(db: Database, address: str) -> None:
    """Count an address anew: somebody has signed in with it, or was given another password."""
    await db.execute_raw(FORGET, address)
