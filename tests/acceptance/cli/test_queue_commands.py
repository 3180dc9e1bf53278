"""Backtests in the queue as people ask for them, follow them, and call them back.

No worker runs here: what one would write is written as SQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from tests.acceptance.cli.conftest import RunCli

PRICES = """\
symbol,date,close,dividend_amount,split_ratio
AAA,2024-01-02,100,0,1
AAA,2024-01-03,110,0,1
AAA,2024-01-04,121,0,1
"""
SUBMIT = ("backtest", "submit", "-p", "p", "-s", "hold")
NO_QUEUE = "warning: the database has no queue yet"


@pytest.fixture
def run(cli: RunCli, user_home: Path) -> RunCli:
    """The command line with prices, a portfolio and a strategy."""
    (user_home / "prices.csv").write_text(PRICES)
    cli("prices", "import", "prices.csv", "--closes", "traded")
    cli("portfolio", "create", "p", "AAA=1", "--capital", "1000")
    cli("strategy", "create", "hold", "-t", "buy-and-hold")
    return cli


def execute(url: str, *statements: str) -> None:
    """Run statements on a connection of its own, whatever else this thread does."""

    async def work() -> None:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(work())


BEGIN = (
    "UPDATE backtests SET status = 'running', attempt_id = gen_random_uuid(),"
    " attempts = attempts + 1, lease_expires_at = clock_timestamp() + interval '1 minute'"
    " WHERE status = 'pending'"
)
FAIL = "UPDATE backtests SET status = 'failed', error_message = 'no luck' WHERE status = 'running'"


def later(work: Callable[[], None]) -> threading.Thread:
    """Do it beside a command that waits."""
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_submit_says_the_id_and_what_is_missing_to_run_it(run: RunCli, database_url: str) -> None:
    first = run(*SUBMIT, "--commission-bps", "5", "--name", "first")
    (row_id,) = first.out.split()
    lines = first.err.splitlines()
    assert lines[0] == f"backtest {row_id[:8]} (first) is pending, next"
    assert lines[1].startswith(NO_QUEUE)
    second = run(*SUBMIT, "--priority", "-5", "--json", "--name", "second")
    assert "is pending, 1 before it" in second.err
    data = second.data
    assert (data["status"], data["priority"], data["attempts"]) == ("pending", -5, 0)
    assert data["metrics"] is None
    assert "results" not in data

    # the same checks as of run, before a row is written
    assert "no portfolio 'q'" in run("backtest", "submit", "-p", "q", "-s", "hold", code=1).err
    for wrong in (("--priority", "101"), ("--lag", "x"), ("--from", "yesterday"), ("left", "over")):
        run(*SUBMIT, *wrong, code=2)
    assert len(run("backtest", "list", "--json").data) == 2

    shown = run("backtest", "show", row_id)
    assert shown.out.splitlines()[1] == "p with hold, 2024-01-02 to 2024-01-04: pending"
    assert f"etf-backtest backtest watch {row_id[:8]}" in shown.err
    execute(database_url, BEGIN)
    shown = run("backtest", "show", row_id)
    lines = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert "attempts 1" in lines
    assert any(line.startswith("started 20") and line.endswith(" UTC") for line in lines)
    execute(database_url, FAIL)
    shown = run("backtest", "show", row_id)
    assert "no luck" in shown.out.splitlines()
    assert shown.err.splitlines() == [f"try it again: etf-backtest backtest retry {row_id[:8]}"]
    listed = run("backtest", "list", "--status", "failed").out
    assert len([line for line in listed.splitlines() if " failed " in f"{line} "]) == 2


def test_cancel_and_retry_tell_of_each(run: RunCli) -> None:
    first, second = run(*SUBMIT).out.strip(), run(*SUBMIT).out.strip()
    ran = run("backtest", "cancel", first[:13], "ffff", second, first[:13], code=1)
    assert ran.err.splitlines() == [
        f"backtest {first} (p: hold) is cancelled",
        "error: there is no backtest 'ffff' -> see etf-backtest backtest list",
        f"backtest {second} (p: hold) is cancelled",
    ]
    again = run("backtest", "cancel", second, "--json", code=1)
    (told,) = again.data
    assert told["error"].startswith(f"backtest {second} is failed: only one that is pending or")
    assert run("backtest", "retry", first, second, "--json").data == [
        {"asked": first, "id": first, "status": "pending"},
        {"asked": second, "id": second, "status": "pending"},
    ]
    told = run("backtest", "retry", first, code=1).err
    assert "is pending: only one that failed can be tried again -> wait for it" in told


def test_watch_prints_changes_and_ends_with_the_last(run: RunCli, database_url: str) -> None:
    assert "no backtest of yours is pending or running" in run("backtest", "watch").err
    first = run(*SUBMIT, "--name", "first").out.strip()
    second = run(*SUBMIT, "--name", "second").out.strip()

    def work() -> None:
        time.sleep(1.2)
        execute(database_url, BEGIN)
        time.sleep(1.2)
        execute(database_url, FAIL)

    worker = later(work)
    ran = run("backtest", "watch", "--json", code=1)
    worker.join()
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [(line["id"], line["status"], line["ahead"], line["attempts"]) for line in lines] == [
        (first, "pending", 0, 0),
        (second, "pending", 1, 0),
        (first, "running", None, 1),
        (second, "running", None, 1),
        (first, "failed", None, 1),
        (second, "failed", None, 1),
    ]
    assert ran.err.startswith(NO_QUEUE)
    plain = run("backtest", "watch", second[:8], first, code=1)
    assert plain.out.splitlines() == [
        f"backtest {second[:8]} (second) is failed, no luck",
        f"backtest {first[:8]} (first) is failed, no luck",
    ]
    assert "there is no backtest 'ffff'" in run("backtest", "watch", "ffff", code=1).err


def test_wait_shows_what_came_of_it(run: RunCli, database_url: str) -> None:
    def work() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not has_failed_one(database_url):
            time.sleep(0.1)

    worker = later(work)
    ran = run(*SUBMIT, "--wait", code=1)
    worker.join()
    lines = ran.err.splitlines()
    assert lines[0].startswith("backtest ")
    assert lines[-1].startswith("try it again: ")
    assert "no luck" in ran.out.splitlines()


def has_failed_one(url: str) -> bool:
    """Fail what is pending, and tell whether there was something."""

    async def work() -> bool:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(BEGIN)
            return str(await connection.execute(FAIL)) != "UPDATE 0"
        finally:
            await connection.close()

    return asyncio.run(work())


def test_ctrl_c_ends_the_watching_and_nothing_else(run: RunCli, database_url: str) -> None:
    row_id = run(*SUBMIT).out.strip()
    watching = subprocess.Popen(
        [sys.executable, "-m", "etf_backtest", "backtest", "watch"],
        env={**os.environ, "DATABASE_URL": database_url, "TERM": "dumb"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    assert watching.stdout.readline() == f"backtest {row_id[:8]} (p: hold) is pending, next\n"
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=20)
    assert (watching.returncode, out) == (130, "")
    assert (
        "no longer watched; 1 pending goes on without: etf-backtest backtest watch "
        f"{row_id[:8]}, or cancel {row_id[:8]}"
    ) in err.splitlines()
    assert run("backtest", "show", row_id, "--json").data["status"] == "pending"


def test_on_a_terminal_a_table_is_kept_up_to_date(run: RunCli, database_url: str) -> None:
    row_id = run(*SUBMIT).out.strip()
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "etf_backtest", "backtest", "watch"],
        env={**os.environ, "DATABASE_URL": database_url, "TERM": "xterm", "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
    ) as watching:
        os.close(theirs)
        written = b""
        while b"next" not in written:
            written += os.read(ours, 4096)
        run("backtest", "cancel", row_id)
        with contextlib.suppress(OSError):  # what Linux says at the end
            while chunk := os.read(ours, 4096):
                written += chunk
        os.close(ours)
        assert watching.wait(20) == 1
    lines = written.decode().splitlines()
    first, last = next(line for line in lines if row_id[:8] in line), lines[-2]
    assert first.split()[:4] == [row_id[:8], "p:", "hold", "pending"]
    assert last.split() == [row_id[:8], "p:", "hold", "failed", "cancelled"]
