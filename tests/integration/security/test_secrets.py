"""Passwords are nowhere but where they belong: not in output, tracebacks, argv, or the log."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from etf_backtest.database.roles import RoleKind, grant_role
from tests.acceptance.cli.conftest import run_here
from tests.fixtures.cluster import run_apart
from tests.integration.security.database_roles import Roles

# found in whatever form: percent-encoded, escaped, cut off at a sign that means something
OF_THE_ROLE = "MarkRole7Zq"
OF_A_USER = "MarkUser7Zq"
OF_THE_KEY = "MarkKey7Zq"
OF_TLS = "MarkTls7Zq"
MARKS = (OF_THE_ROLE, OF_A_USER, OF_THE_KEY, OF_TLS)
STRANGE = "%@:/?#[]&=+ '\"\\$`{}%41é😀"


@dataclass
class Watched:
    """All that was said, and all command lines that were seen meanwhile."""

    said: list[str] = field(default_factory=list)
    command_lines: set[str] = field(default_factory=set)

    def run(self, *arguments: str, url: str, stdin: str | None = None) -> str:
        """What a command says, however it ends; a traceback is said, too (--debug)."""
        try:
            ran = run_here(*arguments, url=url, stdin=stdin)
            text = ran.out + ran.err
        except AssertionError as failed:  # another exit code: its text is in the message
            text = str(failed)
        except Exception as error:  # noqa: BLE001  # whatever is raised is printed
            text = "".join(traceback.format_exception(error)) + repr(error)
        self.said.append(text.replace(repr(arguments), ""))
        return text

    def leaks(self) -> list[str]:
        everything = (*self.said, *self.command_lines)
        return [text for text in everything if any(mark in text for mark in MARKS)]


@contextmanager
def watching() -> Iterator[Watched]:
    """Look at the command lines of this process's children, again and again."""
    watched, ended = Watched(), threading.Event()

    def look() -> None:
        me = psutil.Process()
        while not ended.wait(0.02):
            for child in me.children(recursive=True):
                try:
                    watched.command_lines.add(" ".join(child.cmdline()))
                except psutil.Error:
                    continue

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield watched
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def role_url(roles: Roles) -> str:
    """The URL of an application's role with a strange password, on a server that logs all."""
    role, password = roles.name("secretive"), OF_THE_ROLE + STRANGE + OF_THE_ROLE
    for setting in ("log_statement = 'all'", "log_min_duration_statement = 0"):
        roles.cluster.execute(f"ALTER DATABASE {roles.url.database} SET {setting}")
    run_apart(grant_role(roles.url, role, RoleKind.APP, create=True, password=password))
    roles.made.append(role)
    return roles.url_of(role, password)


def test_no_secret_gets_out(
    roles: Roles,
    role_url: str,
    user_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("ETF_BACKTEST_SECRET_KEY", OF_THE_KEY * 5)
    admin = roles.url.render()
    unreachable = role_url.replace(f":{roles.url.port}/", ":1/")
    wrong = role_url.replace(OF_THE_ROLE, OF_THE_ROLE + "wrong")
    tls = f"{role_url}?sslmode=require&sslpassword={OF_TLS}"
    unencoded = f"postgresql://somebody:{OF_THE_ROLE}{STRANGE}@127.0.0.1/db"
    secret = f"{OF_A_USER}{STRANGE}{OF_A_USER}\n"
    with watching() as watched:
        run = watched.run
        assert "inserted" in run("prices", "import", "--sample", url=role_url)
        run("--log-queries", "portfolio", "create", "p", "MTUM=1", url=role_url)
        assert "the worker has stopped" in run("worker", "--once", url=role_url)
        run("db", "url", url=role_url)
        run("db", "status", "--json", url=role_url)
        run("db", "doctor", url=role_url)
        run("db", "backup", "backup.dump", url=admin)
        assert "migrations found" in run("migrate", "status", url=role_url)
        add = ("user", "add", "ada@example.com", "--password-stdin")
        assert "ada@example.com" in run("--log-queries", *add, url=role_url, stdin=secret)
        run("user", "passwd", "ada@example.com", "--password-stdin", url=role_url, stdin=secret)
        run("user", "verify", "ada@example.com", url=role_url)
        role = roles.name("another")
        grant = ("db", "grant", "readonly", role, "--create", "--password-stdin", "--json")
        assert '"created": true' in run("--debug", *grant, url=admin, stdin=secret)
        roles.made.append(role)
        for url in (wrong, unreachable, tls, unencoded, quote(role_url), "x" + role_url):
            for command in (("prices", "list"), ("migrate", "status"), ("db", "doctor")):
                run(*command, url=url)
            for command in (("portfolio", "list"), ("worker", "--once"), ("db", "up")):
                run("--debug", *command, url=url)
    assert "INSERT INTO" in caplog.text  # --log-queries
    watched.said.append(caplog.text)
    assert watched.leaks() == []
    assert any("node" in line for line in watched.command_lines)  # it did look
    assert any("pg_dump" in line for line in watched.command_lines)
    log = roles.cluster.log.read_text(errors="replace")
    assert "INSERT INTO users" in log.replace('"', "")  # it is logged, that is
    assert not any(mark in log for mark in MARKS)


def test_a_url_hides_its_password_in_every_form(role_url: str) -> None:
    from etf_backtest.database.url import DatabaseUrl

    url = replace(DatabaseUrl.parse(role_url), parameters=(("sslpassword", OF_TLS),))
    for text in (str(url), repr(url), f"{url}", f"{url!r}", f"{[url]}", str(vars_of(url))):
        assert not any(mark in text for mark in MARKS), text


def vars_of(value: object) -> dict[str, object]:
    """What a traceback with locals would show."""
    return {"url": value}
