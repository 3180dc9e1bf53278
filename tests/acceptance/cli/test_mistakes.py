"""The mistakes people make: one clear line with a remedy, 2 for usage, 1 for failure."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from etf_backtest.database.url import DatabaseUrl
from tests.acceptance.cli.conftest import RunCli, run_command, run_here
from tests.fixtures.cluster import Cluster
from tests.fixtures.postgres import Servers

SEEDED = "mistakes_seeded"


@pytest.fixture(scope="module")
def seeded_url(postgres: Cluster, _servers: Servers) -> Iterator[str]:
    """One database with the system's strategies and funds, to which nobody adds the same twice."""
    postgres.execute(f"CREATE DATABASE {SEEDED} TEMPLATE {_servers.template(postgres)}")
    yield postgres.url(SEEDED)
    postgres.execute(f"DROP DATABASE {SEEDED} WITH (FORCE)")


@pytest.fixture
def seeded(seeded_url: str) -> RunCli:
    """The command line on it; it is seeded by the first who asks: settings are a test's own."""
    if not run_here("etf", "list", "--json", url=seeded_url).data:
        run_here("seed", url=seeded_url)
    return partial(run_here, url=seeded_url)


def error_line(err: str) -> str:
    """The one line that says what went wrong."""
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["portfolio", "create", "p", "SPY"], "expected SYMBOL=FRACTION"),
        (["portfolio", "create", "p", "SPY=much"], "'much' is not a number"),
        (["portfolio", "create", "p", "SPY=0.5", "spy=0.5"], "SPY is given twice"),
        (["portfolio", "create", "p"], "Missing argument"),
        (["backtest", "run", "-p", "x"], "Missing option"),
        (["backtest", "run", "-p", "x", "-s", "y", "--from", "1.2.2015"], "is not a date like"),
        (
            ["backtest", "run", "-p", "x", "-s", "y", "--from", "2016-01-01", "--to", "2015-01-01"],
            "2015-01-01 is not after",
        ),
        (["backtest", "run", "-p", "x", "-s", "y", "--capital", "lots"], "error: --capital: input"),
        (
            ["backtest", "run", "-p", "x", "-s", "y", "--cash-flow", "-500", "monthly"],
            "'monthly' is left over: what has blanks in it needs quotes",
        ),
        (["backtest", "run", "-p", "x", "-s", "y", "--cash-rate", "2"], "above -1 and at most 1"),
        (["backtest", "run", "-p", "x", "-s", "y", "--risk-free", "5"], "above -1 and at most 1"),
        (
            ["backtest", "run", "-p", "x", "-s", "y", "--missing", "ffill:²"],
            "error, common or ffill",
        ),
        (["backtest", "run", "-p", "x", "-s", "y", "-b", ""], "give a symbol"),
        (["portfolio", "create", "MTUM=0.6", "USMV=0.4"], "the name comes first"),
        (["prices", "import", "--sample", "--field", "close"], "the sample needs no other option"),
        (["backtest", "run", "-p", "x", "-s", "y", "--rebalance", "hourly"], "hourly"),
        (["backtest", "run", "-p", "x", "-s", "y", "--missing", "zero"], "error, common or ffill"),
        (["prices", "import"], "give files or --sample"),
        (["backtset", "run"], "No such command"),
        (["migrate", "resolve"], "give --applied NAME or --rolled-back NAME"),
    ],
)
def test_wrong_usage_is_2_before_any_database_is_touched(
    arguments: list[str], message: str, user_home: Path
) -> None:
    ran = run_here(*arguments, code=2)
    assert message in " ".join(ran.err.replace("│", " ").split())
    assert ran.out == ""
    assert not list(user_home.iterdir())


def test_failures_are_one_line_with_a_remedy(cli: RunCli, user_home: Path) -> None:
    said = cli("portfolio", "create", "savings", "SPY=60%", "AGG=0.3").err
    assert "nothing is stored of SPY, AGG: no prices" in said
    assert "10.00% stays in cash" in said
    for arguments, message in [
        (
            ["portfolio", "show", "saving"],
            "there is no portfolio 'saving' -> did you mean savings?",
        ),
        (["portfolio", "create", "savings", "SPY=1"], "already -> choose another name"),
        (["portfolio", "create", "big", "SPY=60%", "AGG=50%"], "sum to 1.1"),
        (["portfolio", "create", "big", "SPY=60", "AGG=40"], "60 % is 0.6"),
        (["portfolio", "create", "big", "SPY=0.6", "AGG=0.5"], "sum to 1.1"),
        (["portfolio", "create", "big", "SPY=0.33333"], "at most four decimals"),
        (["portfolio", "create", "big", "SPY=1", "--capital", "-5"], "the capital is -5"),
        (["portfolio", "create", "big", "SPY=1", "--currency", "euro"], "give its ISO code"),
        (["strategy", "show", "momentum"], "there is no strategy 'momentum'"),
        (["etf", "show", "SPY"], "there is no ETF 'SPY'"),
        (["backtest", "show", "1234"], "there is no backtest '1234'"),
        (["prices", "import", "nowhere.csv"], "nowhere.csv: cannot be read: No such file"),
    ]:
        line = error_line(cli(*arguments, code=1).err)
        assert message in line
        assert " -> " in line or "cannot be read" in line


def test_what_the_terminal_cannot_show_is_shown_otherwise(
    seeded: RunCli, seeded_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ASCII terminal gets stars for the chart, escapes for a name, and the whole result."""
    seeded("prices", "import", "--sample")
    seeded("portfolio", "create", "k\u00e4se", "MTUM=1")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ran = run_command("backtest", "run", "-p", "k\u00e4se", "-s", "buy-and-hold", url=seeded_url)
    assert "k\\xe4se" in ran.out
    assert "****" in ran.out
    assert ran.out.splitlines()[-1].startswith("backtest ")


def test_no_cell_of_a_table_is_ever_cut(cli: RunCli) -> None:
    cli("portfolio", "create", "a rather long name, to be folded on a terminal", "SPY=1")
    os.environ["COLUMNS"] = "20"
    try:
        ran = cli("portfolio", "list")
    finally:
        del os.environ["COLUMNS"]
    (row,) = [line for line in ran.out.splitlines() if "rather" in line]
    assert "a rather long name, to be folded on a terminal" in row
    assert "SPY 100.00%" in row
    assert "10,000.00 USD" in row


def test_a_backtest_without_prices_names_symbol_and_remedy(seeded: RunCli) -> None:
    seeded("portfolio", "create", "p", "SPY=1")
    ran = seeded("backtest", "run", "-p", "p", "-s", "buy-and-hold", code=1)
    assert "SPY: no prices are stored -> import its prices" in error_line(ran.err)


def test_without_tables_the_command_that_makes_them_is_named(
    cli: RunCli, empty_database: str
) -> None:
    for arguments in (["portfolio", "list"], ["prices", "list"], ["prices", "import", "--sample"]):
        ran = cli(*arguments, code=1, url=empty_database)
        assert "create the tables with: etf-backtest migrate deploy" in error_line(ran.err)


def test_tables_from_before_an_update_are_told_as_such(
    cli: RunCli, empty_database: str, repository: Path
) -> None:
    """The first release's: no column split_adjusted, no table of revisions, no status of funds."""
    first = repository / "prisma" / "migrations" / "20250126000000_init" / "migration.sql"

    async def create() -> None:
        url = DatabaseUrl.parse(empty_database)
        connection = await asyncpg.connect(**url.asyncpg_arguments())
        try:
            await connection.execute(first.read_text())
        finally:
            await connection.close()

    asyncio.run(create())
    for arguments in (["prices", "import", "--sample"], ["prices", "as-of", "1"], ["etf", "list"]):
        ran = cli(*arguments, code=1, url=empty_database)
        assert "etf-backtest migrate deploy" in error_line(ran.err)
        assert "the database refuses" not in ran.err


def test_a_server_that_is_not_there_is_named_without_its_password(user_home: Path) -> None:
    url = "postgresql://someone:hunter2@127.0.0.1:1/nothing"
    start = time.monotonic()
    ran = run_command("portfolio", "list", code=1, url=url)
    assert "127.0.0.1" in error_line(ran.err)
    assert "hunter2" not in ran.err + ran.out
    assert time.monotonic() - start < 10
    (user_home / ".env").write_text("DATABASE_URL=mysql://someone:hunter2@host/db\n")
    ran = run_command("portfolio", "list", code=2)
    assert "must start with postgresql://" in error_line(ran.err)
    assert "hunter2" not in ran.err + ran.out


def test_debug_shows_the_traceback_anywhere_on_the_line(cli_process: RunCli) -> None:
    for arguments in (["--debug", "etf", "show", "X"], ["etf", "show", "X", "--debug"]):
        assert "Traceback" in cli_process(*arguments, code=1).err


def test_log_queries_shows_the_sql_on_stderr(cli_process: RunCli) -> None:
    ran = cli_process("etf", "list", "--json", "--log-queries")
    assert 'FROM "public"."etf_info"' in ran.err
    assert ran.data == []


def test_destructive_commands_ask_or_need_yes(cli: RunCli) -> None:
    cli("portfolio", "create", "kept", "SPY=1")
    for arguments in (
        ["migrate", "reset"],
        ["db", "push", "--force-reset"],
        ["db", "pull", "--write"],
    ):
        assert "repeat it with --yes" in error_line(cli(*arguments, code=2).err)
    assert [p["name"] for p in cli("portfolio", "list", "--json").data] == ["kept"]


@pytest.mark.parametrize(
    ("shell", "code", "err"),
    [
        ("{} etf list --json | head -1", 0, ""),
        ("{} etf list > /dev/full", 1, "error: the output cannot be written: No space left"),
        ("{} etf list --json > /dev/full", 1, "error: the output cannot be written: No space left"),
    ],
)
def test_output_that_nobody_takes_is_no_traceback(
    seeded: RunCli, seeded_url: str, shell: str, code: int, err: str
) -> None:
    done = subprocess.run(
        shell.format(f"{sys.executable} -m etf_backtest"),
        shell=True,
        env={**os.environ, "DATABASE_URL": seeded_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert done.stderr.startswith(err)
    assert done.stderr.count("\n") == (1 if err else 0)


def test_ones_own_server_is_shown_and_never_stopped(cli: RunCli, database_url: str) -> None:
    status = cli("db", "status", "--json").data
    assert status["server"] == "DATABASE_URL (environment)"
    assert status["state"] == "ready"
    assert "***" in status["url"]
    assert "not ours to start or stop" in cli("db", "down", code=1).err
    assert cli("db", "url", "--show-password").out.strip() == database_url
    assert cli("db", "status", "--json").data["state"] == "ready"
