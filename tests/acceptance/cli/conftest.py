"""The command line as people call it: its arguments, its streams and its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
from typer.main import get_command

from etf_backtest import cli as command_line
from etf_backtest.cli import session
from etf_backtest.database import connection
from etf_backtest.database.connection import Database, connect
from etf_backtest.settings import Settings

PARSER = functools.cache(lambda: get_command(command_line.app))
"""Of all commands: Typer makes it anew at each call, which takes as long as a short command."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


class RunCli(Protocol):
    """Run `etf-backtest` with arguments; its code must be the expected one."""

    def __call__(
        self, *arguments: str, code: int = 0, url: str | None = None, stdin: str | None = None
    ) -> Ran: ...


def run_command(
    *arguments: str, code: int = 0, url: str | None = None, stdin: str | None = None
) -> Ran:
    """Run `etf-backtest` as a process, on the database at `url` or the embedded one."""
    done = subprocess.run(
        [sys.executable, "-m", "etf_backtest", *arguments],
        env={**os.environ, **_environ(url)},
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return _ran(arguments, code, done.returncode, done.stdout, done.stderr)


def run_here(
    *arguments: str, code: int = 0, url: str | None = None, stdin: str | None = None
) -> Ran:
    """The same without the process: what Python needs to start is most of what a command takes."""
    out, err = _stream(), _stream()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _environ(url).items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", _stream(stdin or ""))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.setattr(sys, "argv", ["etf-backtest", *arguments])
        patch.setattr(command_line, "app", PARSER())
        with pytest.raises(SystemExit) as ended:
            command_line.main()
    number = ended.value.code or 0
    assert isinstance(number, int)
    return _ran(arguments, code, number, _written(out), _written(err))


@contextlib.contextmanager
def one_connection(settings: Settings) -> Iterator[tuple[Database, asyncio.Runner]]:
    """Let all commands use one connection: one for each takes most of what a short command does."""
    with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as patch:
        opened = connect(settings)
        db = runner.run(opened.__aenter__())

        @contextlib.asynccontextmanager
        async def kept(settings: Settings, **_: object) -> AsyncIterator[Database]:
            db.settings = settings
            yield db

        patch.setattr(connection, "connect", kept)
        patch.setattr(session, "run", runner.run)
        try:
            yield db, runner
        finally:
            runner.run(opened.__aexit__(None, None, None))


def _environ(url: str | None) -> dict[str, str]:
    environ = {"COLUMNS": os.environ.get("COLUMNS", "100"), "TERM": "dumb"}
    return environ if url is None else environ | {"DATABASE_URL": url}


def _stream(content: str = "") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content.encode()), encoding="utf-8", write_through=True)


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def _ran(arguments: tuple[str, ...], code: int, ended: int, out: str, err: str) -> Ran:
    assert ended == code, f"{arguments}: {ended}\n{out}{err}"
    return Ran(ended, out, err)


@pytest.fixture
def cli(database_url: str) -> RunCli:
    """The command line on the test's own database, with all migrations applied."""

    def run(
        *arguments: str, code: int = 0, url: str | None = None, stdin: str | None = None
    ) -> Ran:
        return run_here(*arguments, code=code, url=url or database_url, stdin=stdin)

    return run


@pytest.fixture
def cli_process(database_url: str) -> RunCli:
    """The same as a process of its own, where what only a process has is the point."""

    def run(
        *arguments: str, code: int = 0, url: str | None = None, stdin: str | None = None
    ) -> Ran:
        return run_command(*arguments, code=code, url=url or database_url, stdin=stdin)

    return run
