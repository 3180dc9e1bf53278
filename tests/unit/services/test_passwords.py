"""Which passwords are taken, and which hashes they fit: argon2-cffi and Werkzeug are the judges."""

from __future__ import annotations

import asyncio
import hashlib
import time
import unicodedata
from typing import Any

import pytest
from argon2 import PasswordHasher, Type
from werkzeug.security import check_password_hash, generate_password_hash

from etf_backtest.errors import PasswordRefusedError
from etf_backtest.services import passwords, werkzeug_hashes
from etf_backtest.services.passwords import (
    NO_PASSWORD,
    check_password,
    hash_password,
    needs_rehash,
    password_fits,
    stand_in_hash,
)

PASSWORD = "correct horse, battery"
COMPOSED = "M\u00fcnchen 1972"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
NEW: dict[str, Any] = {"time_cost": 2, "memory_cost": 64, "parallelism": 1}


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> PasswordHasher:
    """Makes new hashes by a profile that costs next to nothing."""
    cheap = PasswordHasher(**NEW)
    monkeypatch.setattr(passwords, "hasher", lambda: cheap)
    return cheap


async def test_a_new_hash_is_argon2id_of_the_librarys_own_profile() -> None:
    stored = await hash_password(PASSWORD)
    # RFC 9106, section 4: 64 MiB, 3 passes, 4 lanes
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert PasswordHasher().verify(stored, PASSWORD)
    assert await password_fits(stored, PASSWORD)
    assert not await password_fits(stored, PASSWORD + " ")
    assert not needs_rehash(stored)
    # a stand-in has the same costs and lengths, and fits nothing
    stand_in = stand_in_hash()
    assert stand_in.split("$")[:4] == stored.split("$")[:4]
    assert len(stand_in) == len(stored)
    assert not await password_fits(stand_in, PASSWORD)
    assert not needs_rehash(stand_in)


@pytest.mark.parametrize(
    "method",
    [
        "scrypt",  # 32768:8:1
        "scrypt:16384:8:2",
        "scrypt:32768:1:1",
        "pbkdf2:sha256:1000",
        "pbkdf2:sha1:1000",
        "pbkdf2:sha512:2000",
    ],
)
async def test_hashes_of_werkzeug_fit_what_werkzeug_says(method: str) -> None:
    for password in (DECOMPOSED, ""):  # nobody asked whether it is a good one
        stored = generate_password_hash(password, method=method, salt_length=8)
        assert await password_fits(stored, password)
        assert check_password_hash(stored, password + "x") is False
        assert not await password_fits(stored, password + "x")
        assert needs_rehash(stored)


async def test_werkzeug_with_its_defaults() -> None:
    # 1,000,000 rounds in Werkzeug 3.1
    stored = generate_password_hash(PASSWORD, method="pbkdf2")
    assert await password_fits(stored, PASSWORD)


async def test_letters_are_the_same_however_they_are_typed(few_rounds: PasswordHasher) -> None:
    assert COMPOSED != DECOMPOSED
    stored = await hash_password(DECOMPOSED)
    assert await password_fits(stored, COMPOSED)
    assert await password_fits(stored, DECOMPOSED)
    assert few_rounds.verify(stored, COMPOSED)
    # of a program that hashed what was typed
    assert await password_fits(few_rounds.hash(DECOMPOSED), DECOMPOSED)


@pytest.mark.parametrize(
    "stored",
    [
        "plain$$password",
        "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
        "pbkdf2:sha256$salt$00",
        "pbkdf2:md5:1000$salt$" + hashlib.pbkdf2_hmac("md5", b"password", b"salt", 1000).hex(),
        "pbkdf2:sha256:0$salt$00",
        "pbkdf2:sha256:-1$salt$00",
        "pbkdf2:sha256:1000",
        "pbkdf2:sha256:1000$salt",
        "pbkdf2:sha256:1000$salt$\u00fc",
        "scrypt:32768:8$salt$00",
        "scrypt:32767:8:1$salt$00",
        "scrypt:1:8:1$salt$00",
        # too much work or memory
        f"pbkdf2:sha256:{werkzeug_hashes.MOST_ITERATIONS + 1}$salt$00",
        "pbkdf2:sha512:999999999999$salt$00",
        "scrypt:1048576:8:1$salt$00",  # 1 GiB
        "scrypt:32768:8:1000$salt$00",
        "scrypt:2:99999:99999$salt$00",
        # no scrypt at all: RFC 7914 has N less than 2^(128 r / 8)
        "scrypt:65536:1:1$salt$00",
        "scrypt:131072:1:2$salt$00",
    ],
)
def test_what_werkzeug_has_not_made_fits_nothing(stored: str) -> None:
    assert not werkzeug_hashes.verify_werkzeug_hash(stored, b"password")
    assert needs_rehash(stored)


@pytest.mark.parametrize(
    "stored",
    [
        NO_PASSWORD,
        "",
        "$argon2id$v=19$m=x,t=3,p=4$c2FsdHNhbHQ$aGFzaA",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$\u00fc",
        "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW",
        "$argon2id$v=19$m=4194304,t=1,p=4$c2FsdHNhbHQ$aGFzaGhhc2g",  # 4 GiB
        "$argon2id$v=19$m=65536,t=1000000,p=4$c2FsdHNhbHQ$aGFzaGhhc2g",
        "$argon2id$v=19$m=65536,t=3,p=4096$c2FsdHNhbHQ$aGFzaGhhc2g",
        "scrypt:1048576:8:1$salt$00",
    ],
)
async def test_what_is_no_hash_or_asks_for_too_much_fits_nothing(
    few_rounds: PasswordHasher, stored: str
) -> None:
    began = time.process_time()
    assert not await password_fits(stored, NO_PASSWORD)
    # one ordinary hash takes 0.1 s and less; the dearest of these takes days
    assert time.process_time() - began < 5


def test_weaker_and_other_hashes_are_to_be_made_again(few_rounds: PasswordHasher) -> None:
    def again(**other: Any) -> bool:
        return needs_rehash(PasswordHasher(**(NEW | other)).hash(PASSWORD))

    assert again(time_cost=1)
    assert again(memory_cost=32)
    assert again(type=Type.I)
    assert again(salt_len=8)
    assert again(hash_len=16)
    # what asks for as much or more stays as it is
    assert not again()
    assert not again(time_cost=3)
    assert not again(time_cost=1, memory_cost=256)
    assert not again(parallelism=2)


async def test_the_event_loop_goes_on_while_a_password_is_hashed() -> None:
    turns, done = 0, asyncio.Event()

    async def turn() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    await asyncio.gather(*(hash_password(PASSWORD) for _ in range(2)))
    done.set()
    await turning
    assert turns > 50  # of thousands; two, where the loop stands still


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "too short"),
        ("1234567", "too short"),
        ("u\u0308" * 7, "too short"),
        ("ab" * 513, "too long"),
        ("x" * 10_000_000, "too long"),
        ("u\u0308" * 1025, "too long"),  # 1,025 characters in normal form C
        ("u\u0308" * 3000 + "ab", "too long"),
        ("\ufb2c" * 400, "too long"),  # 400 that are three each in normal form C
        ("tab\tinside", "control"),
        ("two\nlines here", "control"),
        ("a NUL \0 in it", "control"),
        ("half a pair \ud83d", "half of a character"),
        ("aaaaaaaaaaaa", "again and again"),
    ],
)
def test_passwords_that_are_refused(password: str, reason: str) -> None:
    with pytest.raises(PasswordRefusedError, match=reason) as caught:
        check_password(password)
    if password:
        assert password[:10] not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "password", ["12345678"[::-1], "ab" * 512, "\u5bc6\u7801" * 4, " a space "]
)
def test_passwords_that_are_taken(password: str) -> None:
    check_password(password)


async def test_the_longest_fits_however_it_is_typed(few_rounds: PasswordHasher) -> None:
    """U+1FAF is four characters where it is typed as such, and no other one is more."""
    longest = "ab" + "\u1faf" * 1022
    typed = unicodedata.normalize("NFD", longest)
    assert (len(longest), len(typed)) == (1024, 2 + 4 * 1022)
    for first, second in ((longest, typed), (typed, longest)):
        stored = await hash_password(first)
        assert await password_fits(stored, first)
        assert await password_fits(stored, second)
        assert not await password_fits(stored, first + "x")


async def test_megabytes_and_halves_of_characters_fit_nothing(few_rounds: PasswordHasher) -> None:
    stored = await hash_password("x1" * 512)
    assert not await password_fits(stored, "x1" * 1_000_000)
    assert not await password_fits(stored, "\ud83d" * 8)
