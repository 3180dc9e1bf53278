"""Tokens that verify an address: whose they are, how long, and once."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from itsdangerous import URLSafeSerializer
from pydantic import SecretStr

from etf_backtest.database.connection import Database
from etf_backtest.errors import NotFoundError, SigningKeyError, TokenError
from etf_backtest.services.accounts import create_user, deactivate_user, find_user
from etf_backtest.services.email_verification import email_verification_token, verify_email
from etf_backtest.services.signing_key import signing_key
from etf_backtest.settings import Settings

ADA = "ada@example.org"


@pytest.fixture
async def ada(db: Database) -> str:
    """A user whose address is not verified; the id."""
    return (await create_user(db, email=ADA, password=None)).id


async def test_a_token_verifies_once(db: Database, ada: str) -> None:
    token = await email_verification_token(db, "ADA@example.org")
    assert re.fullmatch(r"[\w.-]{60,120}", token, re.ASCII)  # fits into a URL
    assert ADA not in token
    verified = await verify_email(db, f"{token}\n")
    assert (verified.id, verified.email_verified) == (ada, True)
    with pytest.raises(TokenError):
        await verify_email(db, token)


async def test_of_many_that_use_it_at_once_one_does(db: Database, ada: str) -> None:
    token = await email_verification_token(db, ada)
    done = await asyncio.gather(
        *(verify_email(db, token) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(each, TokenError) for each in done) == 19


async def test_all_reasons_have_one_answer(db: Database, ada: str, settings: Settings) -> None:
    good = await email_verification_token(db, ada)
    key = signing_key(settings)
    tokens = {
        "changed": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "changed payload": "A" + good[1:],
        "cut": good[:20],
        "empty": "",
        "long": good * 1_000,
        "not text of ours": "\u00fc\0" + good,
        "expired": await email_verification_token(db, ada, lifetime=dt.timedelta(seconds=-1)),
        "of another key": URLSafeSerializer("x" * 64, salt="etf_backtest.verify_email").dumps(ada),
        "for another purpose": URLSafeSerializer(key, salt="session").dumps(ada),
        "unsigned": ada,
    }
    said = set()
    for what, token in tokens.items():
        with pytest.raises(TokenError) as caught:
            await verify_email(db, token)
        assert caught.value.__cause__ is None, what
        said.add(str(caught.value))
    assert len(said) == 1
    assert not (await find_user(db, ada)).email_verified
    assert (await verify_email(db, good)).email_verified


async def test_a_token_is_for_the_address_that_it_was_made_for(db: Database, ada: str) -> None:
    token = await email_verification_token(db, ada)
    await db.execute_raw("UPDATE users SET email = 'eve@example.org'")
    with pytest.raises(TokenError):
        await verify_email(db, token)
    assert not (await find_user(db, ada)).email_verified
    fresh = await email_verification_token(db, ada)
    await deactivate_user(db, ada)
    with pytest.raises(TokenError):
        await verify_email(db, fresh)


async def test_expiry_is_a_day_by_the_databases_clock_and_old_rows_go(
    db: Database, ada: str
) -> None:
    token = await email_verification_token(db, ada)
    (row,) = await db.query_raw(
        "SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 AS left FROM user_tokens"
    )
    assert row["left"] == pytest.approx(86_400, abs=60)
    await db.execute_raw("UPDATE user_tokens SET expires_at = clock_timestamp()")
    with pytest.raises(TokenError):
        await verify_email(db, token)
    await email_verification_token(db, ada)
    assert await db.usertoken.count() == 1
    with pytest.raises(NotFoundError):
        await email_verification_token(db, "nobody@example.org")


async def test_the_key_of_the_settings_goes_before_the_file(
    db: Database, ada: str, settings: Settings
) -> None:
    assert db.settings == settings
    mine = await email_verification_token(db, ada)
    db.settings = settings.model_copy(update={"secret_key": SecretStr("k" * 32)})
    with pytest.raises(TokenError):
        await verify_email(db, mine)
    other = await email_verification_token(db, ada)
    assert (await verify_email(db, other)).email_verified


def test_a_key_is_made_once_and_closed_to_others(settings: Settings) -> None:
    # many at once, in a folder that is not there yet
    with ThreadPoolExecutor(16) as threads:
        keys = set(threads.map(lambda _: signing_key(settings), range(64)))
    assert len(keys) == 1
    key = keys.pop()
    assert re.fullmatch(r"[0-9a-f]{64}", key)
    path = settings.data_dir / "secret_key"
    assert [each.name for each in settings.data_dir.iterdir()] == ["secret_key"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == key
    assert key not in repr(settings)


def test_a_key_that_cannot_be_trusted_is_not_used(settings: Settings, tmp_path: Path) -> None:
    key = signing_key(settings)
    path = settings.data_dir / "secret_key"

    def refused(match: str) -> None:
        with pytest.raises(SigningKeyError, match=match) as caught:
            signing_key(settings)
        assert key not in str(caught.value)
        assert caught.value.remedy

    path.chmod(0o640)
    refused("can be read or written by others")
    path.chmod(0o600)
    path.write_text("")
    refused("is not one that we made")
    path.unlink()
    (tmp_path / "elsewhere").write_text(key)
    path.symlink_to(tmp_path / "elsewhere")
    refused("cannot be used")
    path.unlink()
    os.mkfifo(path)
    refused("is not a regular file")
    path.unlink()
    path.mkdir()
    refused("is not a regular file|cannot be used")


def test_a_folder_that_cannot_be_written_to_is_one_line(settings: Settings) -> None:
    settings.data_dir.parent.joinpath("data").write_text("a file")
    with pytest.raises(SigningKeyError, match="cannot be used: Not a directory") as caught:
        signing_key(settings)
    assert "ETF_BACKTEST_SECRET_KEY" in (caught.value.remedy or "")
