"""A table of bad input: one clear line, an exit code, and nothing stored.

Each case of a run goes through the command line and through the service it calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from etf_backtest.cli import main
from etf_backtest.database.connection import Database, connect
from etf_backtest.services.backtest import run_backtest
from etf_backtest.services.portfolios import create_portfolio
from etf_backtest.services.strategies import create_strategy
from etf_backtest.settings import Settings
from tests.acceptance.cli.bad_runs import RUNS, BadRun
from tests.fixtures.own_settings import settings_of

TABLES = ("portfolios", "portfolio_holdings", "strategies", "backtests", "performance_metrics")
PRICES = """\
date,AAA,BBB,HOLE,EARLY
2024-01-01,100,50,10,20
2024-01-02,101,51,11,21
2024-01-03,102,52,,22
2024-01-04,103,53,13,23
2024-01-05,104,54,,
2024-01-08,105,55,15,
2024-01-09,106,56,16,
"""


@pytest.fixture(scope="module")
def prepared(postgres: Any, _servers: Any) -> Iterator[str]:
    """One database for the whole table: nothing of it may be stored, so nothing gets in the way."""
    postgres.execute(f"CREATE DATABASE bad_input TEMPLATE {_servers.template(postgres)}")
    yield postgres.url("bad_input")
    postgres.execute("DROP DATABASE bad_input WITH (FORCE)")


@pytest.fixture
def settings(prepared: str, user_home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DATABASE_URL", prepared)
    (user_home / "prices.csv").write_text(PRICES)
    (user_home / "late.csv").write_text("date,rate\n2024-01-03,0.02\n")
    settings = settings_of(prepared, user_home)
    asyncio.run(_with(settings, _fill))
    return settings


async def _with(settings: Settings, use: Callable[[Database], Awaitable[None]]) -> None:
    async with connect(settings) as db:
        await use(db)


async def _fill(db: Database) -> None:
    if await db.portfolio.count():
        return
    half = Decimal("0.5")
    for name, symbols in (("p", "AAA BBB"), ("ghost", "AAA GHOST"), ("hole", "AAA HOLE")):
        await create_portfolio(db, name=name, allocations=dict.fromkeys(symbols.split(), half))
    await create_portfolio(db, name="early", allocations={"AAA": half, "EARLY": half})
    await create_strategy(db, name="hold", kind="buy_and_hold")
    await create_strategy(db, name="ranked", kind="momentum")
    main_code("prices", "import", "prices.csv", "--field", "adjusted_close")


def main_code(*arguments: str) -> int | str | None:
    """The exit code of a command, run in this process but in a thread: it has a loop of its own."""
    from concurrent.futures import ThreadPoolExecutor

    def run() -> int | str | None:
        try:
            main(arguments)
        except SystemExit as ended:
            return ended.code
        return 0

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


async def _count(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    try:
        return [
            await connection.fetchval(f"SELECT count(*) FROM {table}")
            for table in (*TABLES, "market_data", "etf_info")
        ]
    finally:
        await connection.close()


@pytest.mark.parametrize("bad", RUNS, ids=str)
def test_a_run_that_cannot_be_is_one_line_and_nothing_is_stored(
    bad: BadRun, settings: Settings, prepared: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = asyncio.run(_count(prepared))
    capsys.readouterr()
    code = main_code("backtest", "run", "-p", bad.portfolio, "-s", bad.strategy, *bad.typed)
    said = capsys.readouterr()
    assert code == bad.error.exit_code
    (line,) = said.err.splitlines()
    assert line.startswith("error: ")
    assert bad.message in line
    assert said.out == ""
    assert asyncio.run(_count(prepared)) == before


@pytest.mark.parametrize("bad", RUNS, ids=str)
async def test_the_service_says_the_same(bad: BadRun, settings: Settings, prepared: str) -> None:
    before = await _count(prepared)
    async with connect(settings) as db:
        with pytest.raises(bad.error) as refused:
            await run_backtest(db, portfolio=bad.portfolio, strategy=bad.strategy, **bad.called())
    assert bad.message in str(refused.value)
    assert await _count(prepared) == before


IMPORTS = [
    ("symbol,date,close\nSPY,2024-01-02,0\n", "row 2, SPY, 2024-01-02"),
    ("symbol,date,close\nSPY,2024-01-02,-1\n", "row 2, SPY, 2024-01-02"),
    ("symbol,date,close\nSPY,2024-01-02,nan\n", "row 2, SPY"),
    (
        "symbol,date,close\nSPY,2024-01-02,1\nSPY,2024-01-02,1\n",
        "has this date twice, first in row 2",
    ),
    ("date,SPY\n2024-01-02,1\n2024-01-02,1\n", "has this date twice, first in row 2"),
    ("symbol,date,close\nSPY,02.01.2024,1\n", "row 2"),
    ("symbol,date,close\nSPY,2024-01-02,1\n,2024-01-03,1\n", "row 3"),
    ("symbol,date,close\n", "bad.csv"),
]


@pytest.mark.parametrize(("content", "message"), IMPORTS)
def test_prices_that_cannot_be_are_not_imported(
    content: str,
    message: str,
    settings: Settings,
    prepared: str,
    user_home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (user_home / "bad.csv").write_text(content)
    before = asyncio.run(_count(prepared))
    capsys.readouterr()
    field = ["--field", "adjusted_close"] if content.startswith("date") else []
    assert main_code("prices", "import", "bad.csv", *field) == 1
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith("error: bad.csv: ")
    assert message in line
    assert asyncio.run(_count(prepared)) == before


PORTFOLIOS = [
    (["AAA=0.6", "BBB=0.5"], "the allocations sum to 1.1"),
    (["AAA=60"], "60 % is 0.6"),
    (["AAA=-0.1"], "the allocation of AAA is -0.1"),
    (["AAA=nan"], "the allocation of AAA is NaN"),
    (["AAA=inf"], "the allocation of AAA is Infinity"),
    (["AAA=1", "--capital", "-5"], "the capital is -5"),
    (["AAA=1", "--capital", "0"], "the capital is 0"),
    (["AAA=1", "--capital", "nan"], "the capital is NaN"),
]


@pytest.mark.parametrize(("arguments", "message"), PORTFOLIOS)
def test_portfolios_that_cannot_be_are_not_stored(
    arguments: list[str],
    message: str,
    settings: Settings,
    prepared: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = asyncio.run(_count(prepared))
    capsys.readouterr()
    assert main_code("portfolio", "create", "new", *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert asyncio.run(_count(prepared)) == before
