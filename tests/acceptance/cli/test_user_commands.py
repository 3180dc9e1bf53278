"""`etf-backtest user`, and `--user` anywhere on the command line."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

from etf_backtest.cli import app, session, take_global_flags
from etf_backtest.cli.user import Tier
from etf_backtest.database.models import SubscriptionTier
from etf_backtest.errors import SettingsError
from tests.acceptance.cli.conftest import RunCli, run_here
from tests.fixtures.cluster import run_apart

ADA = "ada@example.org"
PASSWORD = "a long enough password"
NOWHERE = "postgresql://nowhere.invalid/x"


def add_users(database_url: str, *emails: str) -> None:
    """Users whom nobody can sign in as, without the time of a command."""

    async def insert() -> None:
        connection = await asyncpg.connect(database_url)
        for email in emails:
            await connection.execute(
                "INSERT INTO users (email, password_hash) VALUES ($1, '!')", email
            )
        await connection.close()

    run_apart(insert())


def test_users_are_added_listed_and_shown(cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xef\xbb\xbf" + PASSWORD.encode() + b"\r\n")
    named = ("--first-name", "Ada", "--last-name", "Lovelace", "--tier", "basic")
    made = cli("user", "add", ADA, *named, "--password-file", str(tmp_path / "secret"))
    ada = made.out.strip()
    assert made.err == f"added {ADA}, tier basic\n"
    bob = cli("user", "add", "bob@example.org", "--password-stdin", "--json", stdin=PASSWORD).data
    assert (bob["tier"], bob["is_active"], bob["email_verified"]) == ("free", True, False)

    users = cli("user", "list", "--json")
    assert [user["email"] for user in users.data] == [ADA, "bob@example.org"]
    assert [user["id"] for user in users.data] == [ada, bob["id"]]
    table = cli("user", "list").out.splitlines()
    assert table[0].split("  ")[0] == "e-mail"
    assert table[2].split()[:6] == [ADA, "Ada", "Lovelace", "basic", "no", "yes"]

    shown = cli("user", "show", ADA.upper(), "--json")
    assert shown.data["limits"] == {"portfolios": 100, "queued": 200}
    assert (shown.data["portfolios"], shown.data["last_login"]) == (0, None)
    assert "portfolios       0 of 100" in cli("user", "show", ada).out
    for said in (made, users, shown, cli("--debug", "user", "list")):
        assert "argon2" not in said.out + said.err
        assert PASSWORD not in said.out + said.err


def test_an_account_without_a_password_and_with_another(cli: RunCli) -> None:
    cli("user", "add", ADA, "--no-password")
    again = cli("user", "add", ADA.upper(), "--no-password", code=1)
    assert f"there is a user with the address '{ADA.upper()}' already" in again.err
    said = cli("user", "passwd", ADA, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert said.err == f"{ADA} has another password\n"
    assert "nobody can sign in" in cli("user", "passwd", ADA, "--no-password").err
    assert "no user 'x'" in cli("user", "passwd", "x", "--password-stdin", code=1, stdin="y").err


@pytest.mark.parametrize("command", [["user", "add"], ["user", "passwd"]])
def test_there_is_no_option_for_a_password_itself(command: list[str]) -> None:
    said = CliRunner().invoke(app, [*command, ADA, "--password", PASSWORD])
    assert said.exit_code == 2
    assert "No such option" in said.output
    assert "--password-stdin" in CliRunner().invoke(app, [*command, "--help"]).output


@pytest.mark.parametrize(
    ("arguments", "stdin", "reason"),
    [
        ([], "", "no terminal to ask for the password on"),
        (["--password-stdin"], "", "standard input does not have a password"),
        (["--password-stdin"], f"{PASSWORD}\nmore", "standard input does not have a password"),
        (["--password-stdin"], "x" * 9000, "standard input does not have a password"),
        (["--password-file", "nowhere"], "", "nowhere cannot be read: No such file"),
        (["--password-file", "latin"], "", "latin does not have a password"),
        (["--password-stdin", "--no-password"], PASSWORD, "give one of --password-stdin"),
    ],
)
def test_what_is_no_password_is_one_line(
    user_home: Path, arguments: list[str], stdin: str, reason: str
) -> None:
    (user_home / "latin").write_bytes(b"m\xfcnchen-m\xfcnchen")
    # no database is asked: there is none at this address
    said = run_here("user", "add", ADA, *arguments, code=2, stdin=stdin, url=NOWHERE)
    assert reason in said.err
    assert "nchen-" not in said.err
    assert PASSWORD not in said.err


def test_values_that_cannot_be_stored_are_refused_before_a_password_is_asked_for() -> None:
    said = run_here("user", "add", "ada", code=1, url=NOWHERE)
    assert "error: 'ada' is not an e-mail address -> give one like" in said.err
    said = run_here("user", "add", ADA, "--password-stdin", code=1, stdin="short", url=NOWHERE)
    assert "the password is too short -> give one of 8 to 1,024 characters" in said.err


def test_a_tier_that_is_none_is_wrong_usage() -> None:
    for command in (("add", ADA, "--tier"), ("tier", ADA)):
        said = run_here("user", *command, "gold", code=2, url=NOWHERE)
        assert "'gold' is not one of 'free'" in said.err
    assert [tier.value for tier in Tier] == [tier.value for tier in SubscriptionTier]


def test_a_password_is_asked_for_twice_on_a_terminal_and_not_shown(
    cli: RunCli, database_url: str
) -> None:
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "etf_backtest", "user", "add", ADA],
        env={**os.environ, "DATABASE_URL": database_url, "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said, answers, deadline = b"", 0, time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                said += os.read(terminal, 65536)
            except OSError:  # the other end is closed: it has ended
                break
        if said.count(b"assword") + said.count(b"onfirmation") > answers < 2:
            answers += 1
            time.sleep(0.2)  # until the echo is off
            os.write(terminal, f"{PASSWORD}\n".encode())
    code = process.wait(timeout=60)
    os.close(terminal)
    assert code == 0, said
    assert PASSWORD.encode() not in said
    assert f"added {ADA}".encode() in said


def test_an_address_is_verified_by_a_token(cli: RunCli, database_url: str, tmp_path: Path) -> None:
    add_users(database_url, ADA)
    token = cli("user", "verify", ADA).out
    assert cli("user", "verify", "--token-stdin", stdin=token).err == f"{ADA} is verified\n"
    (tmp_path / "token").write_text(token)
    used = cli("user", "verify", "--token-file", str(tmp_path / "token"), code=1)
    assert "the token is not valid" in used.err
    assert token.strip() not in used.err
    assert cli("user", "show", ADA, "--json").data["email_verified"]
    assert "give a USER" in cli("user", "verify", code=2).err


def test_tiers_doors_and_the_end(cli: RunCli, database_url: str) -> None:
    add_users(database_url, ADA)
    assert cli("user", "tier", ADA, "premium").err == f"{ADA} has the tier premium\n"
    cli("portfolio", "create", "p", "SPY=1", "--user", ADA)
    cli("user", "deactivate", ADA)
    said = cli("--user", ADA, "portfolio", "list", code=1).err
    assert said == f"error: there is no active user '{ADA}' -> see etf-backtest user list\n"
    cli("user", "activate", ADA)
    asked = cli("user", "delete", ADA, code=2).err
    counts = "portfolios: 1, strategies: 0, backtests: 0"
    assert f"not confirmed: delete {ADA} with everything ({counts})?" in asked
    assert cli("user", "delete", ADA, "--yes").err == f"deleted {ADA} ({counts})\n"


def test_user_says_who_acts_wherever_it_stands(
    cli: RunCli, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_users(database_url, ADA, "bob@example.org")
    cli("--user", ADA, "portfolio", "create", "of-ada", "SPY=1")
    cli("portfolio", "create", "of-bob", "SPY=1", "--user=BOB@example.org")
    # a single person never notices: the local user is made on first use
    cli("portfolio", "create", "mine", "SPY=1")

    def names(*arguments: str) -> list[str]:
        return [each["name"] for each in cli("portfolio", "list", "--json", *arguments).data]

    assert names() == ["mine"]
    monkeypatch.setenv("ETF_BACKTEST_USER", ADA)
    assert names() == ["of-ada"]
    assert names("--user", "bob@example.org") == ["of-bob"]
    monkeypatch.delenv("ETF_BACKTEST_USER")
    local = cli("user", "show", "--json").data
    assert local["email"] == "local@etf-backtest.invalid"
    assert local["limits"] == {"portfolios": None, "queued": None}
    said = cli("portfolio", "list", "--user", "nobody@example.org", code=1).err
    assert (
        said
        == "error: there is no active user 'nobody@example.org' -> see etf-backtest user list\n"
    )


@pytest.mark.parametrize("arguments", [["--user"], ["--user="], ["--user", "--json"]])
def test_nobody_is_a_usage_error(arguments: list[str]) -> None:
    said = run_here("portfolio", "list", *arguments, code=2, url=NOWHERE)
    assert said.err == "error: --user names nobody -> give an e-mail address or an id\n"


def test_global_flags_are_taken_out_before_the_dashes() -> None:
    rest = take_global_flags(["--user", "a", "x", "--debug", "--user=b", "--", "--user", "c"])
    assert rest == ["x", "--", "--user", "c"]
    assert (session.flags.debug, session.flags.log_queries, session.flags.user) == (
        True,
        False,
        "b",
    )
    with pytest.raises(SettingsError):
        take_global_flags(["x", "--user"])
    # of the next command line nothing is left
    assert take_global_flags(["x"]) == ["x"]
    assert (session.flags.debug, session.flags.user) == (False, None)
