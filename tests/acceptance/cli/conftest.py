"""The command line as people call it: a process, its streams and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Protocol

import pytest


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
    """Run `etf-backtest`, on the database at `url` or the embedded one."""
    environ = {"COLUMNS": "100", **os.environ, "TERM": "dumb"}
    if url is not None:
        environ["DATABASE_URL"] = url
    done = subprocess.run(
        [sys.executable, "-m", "etf_backtest", *arguments],
        env=environ,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def cli(database_url: str) -> RunCli:
    """The command line on the test's own database, with all migrations applied."""

    def run(
        *arguments: str, code: int = 0, url: str | None = None, stdin: str | None = None
    ) -> Ran:
        return run_command(*arguments, code=code, url=url or database_url, stdin=stdin)

    return run
