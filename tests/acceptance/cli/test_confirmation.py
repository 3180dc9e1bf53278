"""Destructive commands on a terminal: they ask, and only "y" goes on."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time

import pytest

from tests.acceptance.cli.conftest import RunCli


def answer(database_url: str, reply: bytes, *arguments: str) -> tuple[int, str]:
    """Run a command on a terminal of its own and type `reply` when it asks."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "etf_backtest", *arguments],
        env={**os.environ, "DATABASE_URL": database_url, "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said, answered, deadline = b"", False, time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                said += os.read(terminal, 65536)
            except OSError:  # the other end is closed: it has ended
                break
        if b"[y/N]" in said and not answered:
            os.write(terminal, reply)
            answered = True
    code = process.wait(timeout=60)
    os.close(terminal)
    assert answered, said
    return code, said.decode()


@pytest.mark.parametrize(("reply", "kept"), [(b"n\n", True), (b"\n", True), (b"y\n", False)])
def test_reset_asks_and_names_the_database_without_its_password(
    cli: RunCli, database_url: str, reply: bytes, kept: bool
) -> None:
    cli("portfolio", "create", "savings", "SPY=1")
    code, said = answer(database_url, reply, "migrate", "reset", "--skip-generate", "--skip-seed")
    assert "drop all tables and rows of postgresql://postgres:***@127.0.0.1" in said
    assert (code == 0) is not kept
    names = [p["name"] for p in cli("portfolio", "list", "--json").data]
    assert names == (["savings"] if kept else [])
