"""Passwords: which are taken, their hashes, and whether one fits a hash.

New hashes are argon2id with the profile of argon2-cffi (RFC 9106, 64 MiB, 3 passes). A password is
hashed in Unicode's normal form C, as RFC 8265 (OpaqueString) has it: an ü that a Mac types as two
characters is the one that a PC types as one. Hashes that other programs made of what was typed
verify, too.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from etf_backtest.errors import PasswordRefusedError
from etf_backtest.services.werkzeug_hashes import (
    is_affordable,
    is_werkzeug_hash,
    verify_werkzeug_hash,
)

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST: Final = 8
LONGEST: Final = 1024
"""Characters in normal form C."""
MOST_TYPED: Final = 4 * LONGEST
"""Characters before that: one of them is at most four as it may be typed."""
NO_PASSWORD: Final = "!"  # noqa: S105  # no password fits it: nobody can sign in
MOST_MEMORY: Final = 2**18
"""KiB that an argon2 hash may ask for, four times what ours do."""
MOST_WORK: Final = 2**22
"""KiB times passes that it may ask for."""
MOST_LANES: Final = 16
UNSEEN: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode's categories of what nobody types into a field: control characters, halves of pairs."""

# each hash takes 64 MiB: a thousand strangers at once must not take 64 GiB
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="password")


def check_password(password: str) -> None:
    """Refuse what cannot be a new password.

    Raises
    ------
    PasswordRefusedError
        It is too short, too long, or has characters that cannot be typed again.
    """
    normal = unicodedata.normalize("NFC", password[: MOST_TYPED + 1])
    if (is_short := len(normal) < SHORTEST) or _is_too_long(password):
        raise PasswordRefusedError(
            f"the password is too {'short' if is_short else 'long'}",
            remedy=f"give one of {SHORTEST} to {LONGEST:,} characters",
        )
    if any(unicodedata.category(character) in UNSEEN for character in normal):
        raise PasswordRefusedError(
            "the password has a control character or half of a character",
            remedy="give one that can be typed, on one line",
        )
    if len(set(normal)) == 1:
        raise PasswordRefusedError(
            "the password is one character again and again",
            remedy="give one that is harder to guess",
        )


async def hash_password(password: str) -> str:
    """An argon2id hash of a new password, with a salt of its own; the event loop goes on meanwhile.

    Raises
    ------
    PasswordRefusedError
        See `check_password`.
    """
    check_password(password)
    return await rehash_password(password)


async def rehash_password(password: str) -> str:
    """An argon2id hash of a password that is in use already, whatever it looks like."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hashed, password)


async def password_fits(stored: str, password: str) -> bool:
    """Whether a password is the one of a hash: of argon2, or Werkzeug's pbkdf2 or scrypt.

    Nothing fits what is no such hash or asks for more memory or work than is allowed, and it takes
    as long as a new hash to say so. The event loop goes on meanwhile.
    """
    return await asyncio.get_running_loop().run_in_executor(_threads, _fits, stored, password)


def needs_rehash(stored: str) -> bool:
    """Whether a hash is not argon2id, or asks for less than new ones do."""
    from argon2 import Type, extract_parameters
    from argon2.exceptions import InvalidHashError

    try:
        found = extract_parameters(stored)
    except InvalidHashError:
        return True
    new = hasher()
    return (
        found.type is not Type.ID
        or found.version < 19
        or found.memory_cost * found.time_cost < new.memory_cost * new.time_cost
        or found.hash_len < new.hash_len
        or found.salt_len < new.salt_len
    )


def hasher() -> PasswordHasher:
    """Makes new hashes, by argon2-cffi's own profile, and verifies those of any."""
    from argon2 import PasswordHasher  # late: most commands hash nothing

    return PasswordHasher()


def stand_in_hash() -> str:
    """A hash of nothing that takes as long as a new one to say no."""
    new = hasher()
    salt, value = (secrets.token_bytes(size) for size in (new.salt_len, new.hash_len))
    costs = f"m={new.memory_cost},t={new.time_cost},p={new.parallelism}"
    return f"$argon2id$v=19${costs}${_unpadded(salt)}${_unpadded(value)}"


def _hashed(password: str) -> str:
    return hasher().hash(_forms(password)[0])


def _is_too_long(password: str) -> bool:
    """Whether no password is so long; the same for a new one and for one that is tried."""
    if len(password) > MOST_TYPED:
        return True
    return len(unicodedata.normalize("NFC", password)) > LONGEST


def _forms(password: str) -> tuple[bytes, ...]:
    """Normal form C, and what was typed where that is something else."""
    normal = unicodedata.normalize("NFC", password)
    # half a character fits nothing, but is no reason to answer sooner
    return tuple(text.encode(errors="surrogatepass") for text in dict.fromkeys((normal, password)))


def _fits(stored: str, password: str) -> bool:
    if not _is_hash(stored) or _is_too_long(password):
        stored = stand_in_hash()
    fits = False
    for form in _forms(password[: MOST_TYPED + 1]):
        fits |= _verified(stored, form)
    return fits


def _verified(stored: str, password: bytes) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    if is_werkzeug_hash(stored):
        return verify_werkzeug_hash(stored, password)
    try:
        return hasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _is_hash(stored: str) -> bool:
    """Whether we verify such a hash, and it asks for no more than it may."""
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError

    if is_werkzeug_hash(stored):
        return is_affordable(stored)
    try:
        found = extract_parameters(stored)
    except InvalidHashError:
        return False
    return (
        stored.isascii()
        and 0 < found.memory_cost <= MOST_MEMORY
        and 0 < found.memory_cost * found.time_cost <= MOST_WORK
        and 0 < found.parallelism <= MOST_LANES
    )


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")
