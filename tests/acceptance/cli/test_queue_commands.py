"""Backtests in the queue as people ask for them, follow them, and call them back.

No worker runs here: what one would write is written as SQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import asyncpg
import pytest

from tests.acceptance.cli.conftest import RunCli, run_here

SEED = """
WITH u AS (INSERT INTO users (email, password_hash, first_name, last_name)
           VALUES ('local@etf-backtest.invalid', 'x', 'Local', '') RETURNING id),
     p AS (INSERT INTO portfolios (user_id, name, initial_capital)
           SELECT id, 'p', 1000 FROM u RETURNING id),
     h AS (INSERT INTO portfolio_holdings (portfolio_id, symbol, allocation)
           SELECT id, 'AAA', 1 FROM p)
INSERT INTO strategies (name, type, is_system) VALUES ('hold', 'buy_and_hold', true)
"""
PRICES = """
INSERT INTO market_data (symbol, date, adjusted_close, source)
SELECT 'AAA', day, 100, 'test' FROM generate_series(DATE '2024-01-02', '2024-01-04', '1 day') day
"""
SUBMIT = ("backtest", "submit", "-p", "p", "-s", "hold")
NO_QUEUE = "warning: the database has no queue yet"


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


@pytest.fixture
def run(cli: RunCli, database_url: str) -> RunCli:
    """The command line with prices, a portfolio and a strategy."""
    execute(database_url, SEED, PRICES)
    return cli


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


def test_a_terminal_has_a_table_until_ctrl_c_which_ends_nothing_else(
    run: RunCli, database_url: str
) -> None:
    first = run(*SUBMIT, "--name", "first").out.strip()
    second = run(*SUBMIT, "--name", "second").out.strip()
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "etf_backtest", "backtest", "watch"],
        env={**os.environ, "DATABASE_URL": database_url, "TERM": "xterm", "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
    ) as watching:
        os.close(theirs)
        assert until(ours, "1 before it")[-2:] == [
            [first[:8], "first", "pending", "next"],
            [second[:8], "second", "pending", "1", "before", "it"],
        ]
        run("backtest", "cancel", first)
        assert until(ours, "cancelled")[-1] == [first[:8], "first", "failed", "cancelled"]
        watching.send_signal(signal.SIGINT)
        until(ours, None)
        assert watching.stderr is not None
        said = watching.stderr.read().decode()
        assert watching.wait(20) == 130
    os.close(ours)
    assert said.startswith(NO_QUEUE)
    assert (
        "no longer watched; 1 pending goes on without: etf-backtest backtest watch "
        f"{second[:8]}, or cancel {second[:8]}"
    ) in said.splitlines()
    assert run("backtest", "show", second, "--json").data["status"] == "pending"


def until(terminal: int, word: str | None) -> list[list[str]]:
    """The words of each line that is written before that one; without one to the end.

    How long something waits is left out.
    """
    written = ""
    with contextlib.suppress(OSError):  # what Linux says at the end
        while word is None or word not in written:
            written += os.read(terminal, 4096).decode()
    lines = written.partition(word)[0] + word if word is not None else written
    return [re.sub(r"\d+(\.\d)? s\b", "", line).split() for line in lines.splitlines()]


def test_a_worker_on_another_machine_computes_what_was_submitted(queue_url: str) -> None:
    """All it has is the URL. The same asked of `run` is the independent answer, to the last bit."""
    execute(queue_url, SEED, PRICES)
    worker = subprocess.Popen(
        [sys.executable, "-m", "etf_backtest", "worker"],
        env={**os.environ, "DATABASE_URL": queue_url, "TERM": "dumb"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert worker.stderr is not None
        assert worker.stderr.readline().startswith("worker ")
        done = run_here(*SUBMIT, "--commission-bps", "5", "--wait", "--json", url=queue_url).data
        assert (done["status"], done["attempts"]) == ("completed", 1)
        here = run_here(
            "backtest", "run", *SUBMIT[2:], "--commission-bps", "5", "--json", url=queue_url
        )
        assert here.data["results"]["fingerprint"] == done["results"]["fingerprint"]
        assert here.data["results"]["equity"] == done["results"]["equity"]
        assert here.data["metrics"] == done["metrics"]
        assert run_here("backtest", "watch", done["id"], url=queue_url).out.endswith("completed\n")
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)
    assert worker.returncode == 0
