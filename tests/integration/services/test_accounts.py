"""Users in a database: who there is, and what happens to what they have."""

from __future__ import annotations

import asyncio
import dataclasses
from decimal import Decimal

import asyncpg
import pytest
from argon2 import PasswordHasher

from etf_backtest.database.connection import Database
from etf_backtest.database.models import StrategyType
from etf_backtest.errors import (
    EmailTakenError,
    InvalidUserError,
    NotFoundError,
    PasswordRefusedError,
    UserInUseError,
)
from etf_backtest.services.accounts import (
    LOCAL_EMAIL,
    activate_user,
    create_user,
    deactivate_user,
    find_user,
    list_users,
    set_tier,
)
from etf_backtest.services.acting import acting_user
from etf_backtest.services.passwords import NO_PASSWORD
from etf_backtest.services.portfolios import create_portfolio
from etf_backtest.services.user_deletion import Belongings, belongings, delete_user

PASSWORD = "a long enough password"
INSERT_BACKTEST = """
    INSERT INTO backtests
        (user_id, portfolio_id, strategy_id, name, start_date, end_date, initial_capital)
    VALUES ($1::uuid, $2::uuid, $3::uuid, 'b', '2020-01-01', '2021-01-01', 1)
"""


async def stored_hash(db: Database, email: str) -> str:
    """What the table says."""
    return (await db.user.find_unique_or_raise(where={"email": email})).passwordHash


async def test_a_user_is_found_in_any_case_and_by_id(db: Database) -> None:
    made = await create_user(
        db, email=" Ada@Example.org ", password=PASSWORD, first_name="Ada", tier="premium"
    )
    assert (made.email, made.first_name, made.last_name) == ("Ada@Example.org", "Ada", None)
    assert (made.tier, made.email_verified, made.is_active) == ("premium", False, True)
    assert made.last_login is None
    for name in ("ada@example.ORG", made.id, made.id.upper(), f" {made.id}"):
        assert await find_user(db, name) == made
    assert (await acting_user(db, "ADA@example.org")).id == made.id
    assert PasswordHasher().verify(await stored_hash(db, made.email), PASSWORD)
    # a value that may be printed and logged
    assert "argon2" not in repr(made)
    assert not {"password", "password_hash"} & {each.name for each in dataclasses.fields(made)}


async def test_wildcards_of_like_are_letters(db: Database) -> None:
    await create_user(db, email="axb@example.org", password=None)
    for name in ("a_b@example.org", "%@example.org", "%", "a%"):
        with pytest.raises(NotFoundError):
            await find_user(db, name)
    other = await create_user(db, email="a_b@example.org", password=None)
    assert (await find_user(db, "A_B@example.org")).id == other.id


async def test_who_is_not_there_is_not_found(db: Database) -> None:
    for name in ("", "nobody@example.org", "\0", "x" * 1_000_000, "\ud83d", "a\nb", "{}"):
        for find in (find_user, acting_user):
            with pytest.raises(NotFoundError, match=r"^there is no (active )?user") as caught:
                await find(db, name)
            assert len(str(caught.value)) < 300


async def test_of_two_that_take_an_address_at_once_one_gets_it(db: Database) -> None:
    addresses = ["eve@example.org", "EVE@example.org", "Eve@Example.org"]
    made = await asyncio.gather(
        *(create_user(db, email=each, password=None) for each in addresses), return_exceptions=True
    )
    assert sum(isinstance(each, EmailTakenError) for each in made) == 2
    assert len(await list_users(db)) == 1


async def test_nobody_signs_up_as_the_local_user(db: Database) -> None:
    """Before there is one, too: all that a single person stored would be the stranger's."""
    addresses = [LOCAL_EMAIL, LOCAL_EMAIL.upper(), f" {LOCAL_EMAIL.title()}"]
    for _ in range(2):
        for email in addresses:
            with pytest.raises(EmailTakenError):
                await create_user(db, email=email, password=PASSWORD)
        assert (await acting_user(db)).is_local
    assert await stored_hash(db, LOCAL_EMAIL) == NO_PASSWORD


async def test_a_local_user_of_another_program_is_found_and_can_be_shut_out(db: Database) -> None:
    await db.execute_raw(
        "INSERT INTO users (email, password_hash, is_active) VALUES (upper($1), '!', false)",
        LOCAL_EMAIL,
    )
    with pytest.raises(NotFoundError):
        await acting_user(db)
    await activate_user(db, LOCAL_EMAIL)
    assert (await acting_user(db)).email == LOCAL_EMAIL.upper()


async def test_what_is_no_address_is_refused(db: Database) -> None:
    for email in (
        "",
        "ada",
        "ada@localhost",
        "ada@example.",
        "a da@example.org",
        "a@b@example.org",
        "ada@example..org",
        "ada\0@example.org",
        "ada\u202e@example.org",
        f"{'a' * 310}@example.org",
        f"{'a' * 1_000_000}@example.org",
    ):
        with pytest.raises(InvalidUserError, match="is not an e-mail address"):
            await create_user(db, email=email, password=None)


async def test_names_tiers_and_passwords_are_checked_before_anything_is_stored(
    db: Database,
) -> None:
    email = "ada@example.org"
    for name in ("x" * 101, "a\0b", "a\x1b[31m", "a\nb", "a\u202eb"):
        with pytest.raises(InvalidUserError, match="the last name"):
            await create_user(db, email=email, password=None, last_name=name)
    with pytest.raises(InvalidUserError, match="give one of free, basic, premium"):
        await create_user(db, email=email, password=None, tier="gold")
    with pytest.raises(PasswordRefusedError) as caught:
        await create_user(db, email=email, password="sh0rt!")
    assert "sh0rt!" not in str(caught.value)
    assert await list_users(db) == []


async def test_without_a_password(db: Database) -> None:
    made = await create_user(db, email="bot@example.org", password=None)
    assert await stored_hash(db, made.email) == NO_PASSWORD


async def test_a_tier_and_the_door(db: Database) -> None:
    made = await create_user(db, email="ada@example.org", password=None)
    assert (await set_tier(db, "ADA@example.org", "basic")).tier == "basic"
    with pytest.raises(InvalidUserError):
        await set_tier(db, made.id, "'; DROP TABLE users; --")
    assert not (await deactivate_user(db, made.id)).is_active
    with pytest.raises(NotFoundError, match=r"there is no active user 'ada@example\.org'"):
        await acting_user(db, "ada@example.org")
    assert (await activate_user(db, made.id)).is_active
    assert (await acting_user(db, made.id)).tier == "basic"
    for change in (deactivate_user, activate_user, delete_user, belongings):
        with pytest.raises(NotFoundError, match="'nobody'"):
            await change(db, "nobody")
    assert [user.email for user in await list_users(db)] == ["ada@example.org"]


async def _give(db: Database, email: str) -> tuple[str, str, str]:
    """A user with a portfolio, a strategy and a backtest of both: the three ids."""
    user = await create_user(db, email=email, password=None)
    portfolio = await create_portfolio(
        db, name="p", allocations={"AAA": Decimal(1)}, user=user.email
    )
    strategy = await db.strategy.create(
        data={"userId": user.id, "name": "s", "type": StrategyType.buy_and_hold}
    )
    await _backtest(db, user.id, portfolio.id, strategy.id)
    return user.id, portfolio.id, strategy.id


async def _backtest(db: Database, user: str, portfolio: str, strategy: str) -> None:
    await db.execute_raw(INSERT_BACKTEST, user, portfolio, strategy)


async def test_a_user_goes_with_everything_that_is_theirs(db: Database) -> None:
    ada, *_ = await _give(db, "ada@example.org")
    await _give(db, "bob@example.org")
    await db.execute_raw(
        "INSERT INTO user_tokens (user_id, purpose, email, expires_at)"
        " VALUES ($1::uuid, 'verify_email', 'ada@example.org', now())",
        ada,
    )
    assert await belongings(db, "ADA@example.org") == Belongings(1, 1, 1)
    assert await delete_user(db, ada) == Belongings(portfolios=1, strategies=1, backtests=1)
    assert [user.email for user in await list_users(db)] == ["bob@example.org"]
    assert (await db.portfolio.count(), await db.backtest.count()) == (1, 1)
    assert await db.strategy.count(where={"isSystem": False}) == 1
    assert await db.usertoken.count() == 0


async def test_what_others_make_while_a_user_is_deleted_keeps_the_user(
    db: Database, database_url: str
) -> None:
    ada, _, strategy = await _give(db, "ada@example.org")
    bob, portfolio, _ = await _give(db, "bob@example.org")
    other = await asyncpg.connect(database_url)
    try:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(INSERT_BACKTEST, bob, portfolio, strategy)
        deleting = asyncio.create_task(delete_user(db, ada))
        waits = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        async with asyncio.timeout(20):
            # the server does not tell
            while not await other.fetchval(waits):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await transaction.commit()
        with pytest.raises(UserInUseError, match="deleted: backtests of others use"):
            await deleting
    finally:
        await other.close()
    assert await belongings(db, ada) == Belongings(1, 1, 1)


@pytest.mark.parametrize("theirs", ["strategy", "portfolio"])
async def test_what_others_have_keeps_a_user(db: Database, theirs: str) -> None:
    _, portfolio, strategy = await _give(db, "ada@example.org")
    bob, own_portfolio, own_strategy = await _give(db, "bob@example.org")
    await _backtest(
        db,
        bob,
        portfolio if theirs == "portfolio" else own_portfolio,
        strategy if theirs == "strategy" else own_strategy,
    )
    with pytest.raises(UserInUseError, match="1 backtests of others use") as caught:
        await delete_user(db, "ada@example.org")
    assert caught.value.backtests == 1
    assert "deactivate" in (caught.value.remedy or "")
    assert await belongings(db, "ada@example.org") == Belongings(1, 1, 1)
    # bob, who uses, may go
    assert (await delete_user(db, bob)).backtests == 2
    assert (await delete_user(db, "ada@example.org")).portfolios == 1
