"""Hashes of passwords as Werkzeug writes them: METHOD$SALT$HEX.

Users of a Flask application on the same tables have them. They are verified, never made.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

MOST_ITERATIONS: Final = 4_000_000
"""Four times what Werkzeug 3.1 asks of PBKDF2."""
MOST_MEMORY: Final = 2**28
"""Bytes: eight times what Werkzeug asks of scrypt. The work is bounded with it, 128 N r p."""

_PBKDF2 = re.compile(r"pbkdf2:(sha1|sha224|sha256|sha384|sha512):([1-9][0-9]{0,9})", re.ASCII)
_SCRYPT = re.compile(r"scrypt:([1-9][0-9]{0,9}):([1-9][0-9]{0,4}):([1-9][0-9]{0,4})", re.ASCII)


def is_werkzeug_hash(stored: str) -> bool:
    """Whether it looks like one, whatever it asks for."""
    return stored.startswith(("pbkdf2:", "scrypt:"))


def is_affordable(stored: str) -> bool:
    """Whether it is complete, and asks for no more memory or work than it may.

    Whoever can write a row could otherwise stop the process that lets people in.
    """
    method, *rest = stored.split("$", 2)
    if len(rest) < 2:
        return False
    if asked := _PBKDF2.fullmatch(method):
        return int(asked[2]) <= MOST_ITERATIONS
    if asked := _SCRYPT.fullmatch(method):
        n, r, p = map(int, asked.groups())
        # RFC 7914, section 2: a power of two, more than 1 and less than 2^(128 r / 8)
        is_possible = n & (n - 1) == 0 and 1 < n.bit_length() <= 16 * r
        return is_possible and 128 * n * r * p <= MOST_MEMORY
    return False


def verify_werkzeug_hash(stored: str, password: bytes) -> bool:
    """Whether the password is the one of a hash that is affordable; of no other one."""
    if not is_affordable(stored):
        return False
    method, salt, expected = stored.split("$", 2)
    kind, *asked = method.split(":")
    if kind == "pbkdf2":
        value = hashlib.pbkdf2_hmac(asked[0], password, salt.encode(), int(asked[1]))
    else:
        n, r, p = map(int, asked)
        # the table, what is computed in it and what it is computed from, as OpenSSL counts them
        room = 128 * r * (n + p + 2) + 2**20
        value = hashlib.scrypt(password, salt=salt.encode(), n=n, r=r, p=p, maxmem=room)
    return hmac.compare_digest(value.hex().encode(), expected.encode())
