"""Who is let in, how often one may try, and what an answer tells to a stranger."""

from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher
from werkzeug.security import generate_password_hash

from etf_backtest.database.connection import Database
from etf_backtest.errors import (
    NotFoundError,
    PasswordRefusedError,
    SignInError,
    SignInThrottledError,
    WrongPasswordError,
)
from etf_backtest.services import passwords
from etf_backtest.services.accounts import create_user, deactivate_user, find_user
from etf_backtest.services.acting import acting_user
from etf_backtest.services.sign_in import change_password, set_password, sign_in
from tests.fixtures.cluster import Cluster

ADA = "ada@example.org"
PASSWORD = "a long enough password"
NEW = PasswordHasher(time_cost=2, memory_cost=64, parallelism=1)
WEAKER = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """New hashes are argon2id as ever, by a profile that costs next to nothing."""
    monkeypatch.setattr(passwords, "hasher", lambda: NEW)


async def add(db: Database, email: str = ADA, stored: str | None = None) -> str:
    """A user with a hash of the password; the id."""
    user = await db.user.create(data={"email": email, "passwordHash": stored or NEW.hash(PASSWORD)})
    return user.id


async def stored_hash(db: Database, user: str = ADA) -> str:
    return (await db.user.find_unique_or_raise(where={"email": user})).passwordHash


async def make_old(db: Database, seconds: float) -> None:
    """Let time pass for everything that is throttled."""
    await db.execute_raw(
        "UPDATE sign_in_throttles SET blocked_until = blocked_until - $1 * interval '1 second'",
        seconds,
    )


async def test_who_knows_the_password_is_let_in(db: Database) -> None:
    made = await create_user(db, email=ADA, password=PASSWORD, tier="basic")
    stored = await stored_hash(db)
    actor = await sign_in(db, email=" ADA@Example.org", password=PASSWORD)
    assert (actor.id, actor.email, actor.tier, actor.is_local) == (made.id, ADA, "basic", False)
    assert await acting_user(db, actor) is actor
    assert (await find_user(db, ADA)).last_login is not None
    # a hash that is as strong as new ones stays
    assert await stored_hash(db) == stored
    assert await db.signinthrottle.count() == 0


@pytest.mark.parametrize("method", ["scrypt", "pbkdf2:sha256:1000"])
async def test_who_comes_from_flask_is_let_in_and_gets_a_new_hash(
    db: Database, method: str
) -> None:
    await add(db, stored=generate_password_hash(PASSWORD, method=method))
    with pytest.raises(SignInError):
        await sign_in(db, email=ADA, password=PASSWORD + "x")
    assert (await stored_hash(db)).startswith(method)
    await sign_in(db, email=ADA, password=PASSWORD)
    assert NEW.verify(await stored_hash(db), PASSWORD)


async def test_a_weaker_hash_is_replaced(db: Database) -> None:
    await add(db, stored=WEAKER.hash(PASSWORD))
    await sign_in(db, email=ADA, password=PASSWORD)
    assert (await stored_hash(db)).startswith("$argon2id$v=19$m=64,t=2,p=1$")


async def test_all_reasons_have_one_answer_and_the_same_work(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(db, "wrong@example.org", stored=NEW.hash(PASSWORD))
    await add(db, "shut@example.org", stored=NEW.hash(PASSWORD))
    await deactivate_user(db, "shut@example.org")
    await create_user(db, email="none@example.org", password=None)
    await add(db, "broken@example.org", stored="scrypt:1048576:8:1$salt$00")

    costs: list[str] = []
    real = passwords._verified

    def watched(stored: str, password: bytes) -> bool:
        costs.append(stored.rpartition("$")[0].rpartition("$")[0])
        return real(stored, password)

    monkeypatch.setattr(passwords, "_verified", watched)
    said = set()
    for email, password in [
        ("wrong@example.org", "not the password"),
        ("shut@example.org", PASSWORD),
        ("none@example.org", "!"),
        ("broken@example.org", PASSWORD),
        ("nobody@example.org", PASSWORD),
        ("w_ong@example.org", PASSWORD),
        ("", PASSWORD),
        ("\0", PASSWORD),
        ("x" * 1_000_000, "\ud83d"),
    ]:
        with pytest.raises(SignInError) as caught:
            await sign_in(db, email=email, password=password)
        error = caught.value
        assert error.__cause__ is None
        assert error.__context__ is None
        said.add((type(error), str(error), error.args, tuple(sorted(error.__dict__.items()))))
    assert len(said) == 1
    # each has cost one whole verification with the parameters of a new hash
    assert costs == ["$argon2id$v=19$m=64,t=2,p=1"] * 9


async def test_a_stranger_costs_what_users_cost(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # where all hashes are Flask's, an unknown address must not be answered at argon2's pace
    await add(db, stored=generate_password_hash(PASSWORD, method="pbkdf2:sha256:1000"))
    seen: list[str] = []
    real = passwords._verified

    def watched(stored: str, password: bytes) -> bool:
        seen.append(stored.partition("$")[0])
        return real(stored, password)

    monkeypatch.setattr(passwords, "_verified", watched)
    for email in (f"stranger{number}@example.org" for number in range(5)):
        with pytest.raises(SignInError):  # though it is the password of the one who lends the hash
            await sign_in(db, email=email, password=PASSWORD)
    assert seen == ["pbkdf2:sha256:1000"] * 5


async def test_a_hundred_guesses_at_once_get_no_more_looks_than_in_a_row(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(db)
    looks = 0
    real = passwords._verified

    def watched(stored: str, password: bytes) -> bool:
        nonlocal looks
        looks += 1
        return real(stored, password)

    monkeypatch.setattr(passwords, "_verified", watched)

    async def guess(number: int, email: str) -> type[BaseException] | None:
        try:
            await sign_in(db, email=email, password=f"guess {number}")
        except (SignInError, SignInThrottledError) as error:
            return type(error)
        return None

    for email in (ADA, "nobody@example.org"):
        spellings = (email, email.upper(), email.title(), f" {email}")
        looks = 0
        answers = await asyncio.gather(*(guess(n, spellings[n % 4]) for n in range(200)))
        assert answers.count(SignInError) == 5
        assert answers.count(SignInThrottledError) == 195
        assert looks == 5
    # the right one has to wait like any other
    with pytest.raises(SignInThrottledError):
        await sign_in(db, email=ADA, password=PASSWORD)


async def test_the_wait_doubles_from_a_second_to_a_quarter_of_an_hour(db: Database) -> None:
    await add(db)
    waits = []
    for _ in range(17):
        with pytest.raises(SignInError):
            await sign_in(db, email=ADA, password="wrong")
        try:
            await sign_in(db, email=ADA, password="wrong")
        except SignInThrottledError as error:
            waits.append(error.retry_after)
            await make_old(db, error.retry_after + 0.001)
        except SignInError:
            waits.append(0.0)
    # two looks in a row for the first four failures; the fifth makes the next one wait 1 s
    assert waits[:2] == [0.0, 0.0]
    expected = [min(2.0**n, 900.0) for n in range(15)]
    assert waits[2:] == pytest.approx(expected, abs=1)


async def test_success_counts_anew_and_a_day_forgets(db: Database) -> None:
    await add(db)
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(SignInError):
                await sign_in(db, email=ADA, password="wrong")
        await sign_in(db, email=ADA, password=PASSWORD)
        await db.execute_raw("UPDATE users SET password_hash = $1", WEAKER.hash(PASSWORD))
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(SignInError):
                await sign_in(db, email=ADA, password="wrong")
        await make_old(db, 86_401)


async def test_strangers_addresses_are_not_kept_and_old_rows_go(db: Database) -> None:
    await add(db)
    for number in range(3):
        with pytest.raises(SignInError):
            await sign_in(db, email=f"typed-by-mistake-{number}", password="secret-typed")
    rows = await db.query_raw("SELECT row_to_json(t)::text AS row FROM sign_in_throttles t")
    assert len(rows) == 3
    assert not any("typed" in row["row"] for row in rows)
    await make_old(db, 86_401)
    with pytest.raises(SignInError):
        await sign_in(db, email="another", password="x")
    assert await db.signinthrottle.count() == 1


async def test_a_password_is_changed_by_who_knows_the_old_one(db: Database) -> None:
    ada = await add(db)
    new = "another good password"
    with pytest.raises(WrongPasswordError):
        await change_password(db, user=ada, old_password="wrong", new_password=new)
    with pytest.raises(PasswordRefusedError):
        await change_password(db, user=ada, old_password=PASSWORD, new_password="short")
    with pytest.raises(NotFoundError):
        await change_password(db, user="x@y.zz", old_password=PASSWORD, new_password=new)
    await change_password(db, user=ada, old_password=PASSWORD, new_password=new)
    assert NEW.verify(await stored_hash(db), new)
    assert await db.signinthrottle.count() == 0
    with pytest.raises(SignInError):
        await sign_in(db, email=ADA, password=PASSWORD)
    # wrong ones count as attempts to sign in: a session that was left open is no way round
    for _ in range(4):
        with pytest.raises(WrongPasswordError):
            await change_password(db, user=ada, old_password="wrong", new_password=new)
    with pytest.raises(SignInThrottledError):
        await change_password(db, user=ada, old_password=new, new_password=PASSWORD)
    # whoever runs the database sets another, and the wait is over
    await set_password(db, ADA, PASSWORD)
    await sign_in(db, email=ADA, password=PASSWORD)
    await set_password(db, ada, None)
    with pytest.raises(SignInError):
        await sign_in(db, email=ADA, password=PASSWORD)


async def test_of_two_changes_at_once_one_holds(db: Database) -> None:
    ada = await add(db)
    new = ["the first new one", "the second new one"]
    done = await asyncio.gather(
        *(change_password(db, user=ada, old_password=PASSWORD, new_password=each) for each in new),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in done) == ["NoneType", "WrongPasswordError"]
    assert NEW.verify(await stored_hash(db), new[done.index(None)])


async def test_the_local_user_has_no_password(db: Database) -> None:
    local = await acting_user(db)
    for password in ("!", "", "local"):
        with pytest.raises(SignInError):
            await sign_in(db, email=local.email, password=password)


async def test_no_password_reaches_the_server_or_a_log(
    db: Database, postgres: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    await db.execute_raw(f"ALTER DATABASE \"{db.url.database}\" SET log_statement = 'all'")
    await db.disconnect()
    await db.connect()
    before = len(postgres.log.read_bytes())
    secret, other = "never-to-be-written-1", "never-to-be-written-2"
    await create_user(db, email=ADA, password=secret)
    with pytest.raises(SignInError):
        await sign_in(db, email=ADA, password=other)
    await sign_in(db, email=ADA, password=secret)
    await change_password(db, user=ADA, old_password=secret, new_password=other)
    logged = postgres.log.read_bytes()[before:].decode()
    assert "INSERT INTO users" in logged  # it does log
    assert "INSERT INTO sign_in_throttles" in logged
    assert "never-to-be-written" not in logged + caplog.text
