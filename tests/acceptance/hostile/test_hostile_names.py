"""Names and descriptions: what nobody sees is refused, what SQL has written is shown escaped."""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal

import pytest

from etf_backtest.database.connection import Database, connect
from etf_backtest.errors import EtfBacktestError
from etf_backtest.services.portfolios import create_portfolio, find_portfolio
from etf_backtest.services.strategies import create_strategy, find_strategy
from etf_backtest.settings import Settings
from tests.acceptance.cli.conftest import RunCli
from tests.acceptance.hostile.conftest import NAME, the_line
from tests.fixtures.cluster import Cluster

MEGABYTE = "n" * 1_000_000
UNSEEN = {
    "an escape": ("a\x1b[31mb", "U+001B"),
    "NUL": ("a\0b", "U+0000"),
    "from right to left": ("a\u202egnp.exe", "U+202E"),
    "an isolate": ("a\u2066b", "U+2066"),
    "half of a pair": ("a\udcffb", "U+DCFF"),
    "C1": ("a\x9b2Jb", "U+009B"),
    "two lines": ("a\nb", "U+000A"),
    "a line separator": ("a\u2028b", "U+2028"),
    "no width": ("a\u200bb", "U+200B"),
    "a tag": ("a\U000e0041b", "U+E0041"),
}
NAMES = {
    **{name: (text, f"that nobody sees ({code})") for name, (text, code) in UNSEEN.items()},
    "a megabyte": (MEGABYTE, "cannot be used"),
    "blanks": (" \t ", "cannot be used"),
}
TYPED = ("an escape", "NUL", "half of a pair", "a megabyte")
KEPT = (
    "k\u00e4se",
    "\u0646\u0645\u200c\u0627",
    "\U0001f468\u200d\U0001f469",
    "a b",
    "=1+1",
    "--help",
)
"""Letters with marks, joiners that are part of words and pictures, formulas: text as any other."""


@pytest.mark.parametrize("kind", TYPED)
def test_the_command_line_refuses_a_name(cli: RunCli, kind: str) -> None:
    name, message = NAMES[kind]
    start = time.process_time()
    assert message in the_line(cli("portfolio", "create", "--", name, "SPY=1", code=1).err)
    assert time.process_time() - start < 3


def test_the_library_refuses_and_finds_none(settings: Settings) -> None:
    async def ask(db: Database) -> None:
        spy = {"SPY": Decimal(1)}
        for name, message in NAMES.values():
            for made in (
                create_portfolio(db, name=name, allocations=spy),
                create_strategy(db, name=name, kind="momentum"),
            ):
                with pytest.raises(EtfBacktestError) as refused:
                    await made
                assert message in refused.value.message
        for text in (MEGABYTE, "a\x1bb", "a\u202eb", "a\0b", "a\udcffb"):
            with pytest.raises(EtfBacktestError, match="the description"):
                await create_portfolio(db, name="p", allocations=spy, description=text)
            with pytest.raises(EtfBacktestError, match="the description"):
                await create_strategy(db, name="s", kind="momentum", description=text)
        for name in KEPT:
            await create_portfolio(db, name=name, allocations=spy, description="two\nlines\t")
            assert (await find_portfolio(db, name)).name == name
        for name in (MEGABYTE, "a\x1bb", "\u202e"):
            with pytest.raises(EtfBacktestError, match="there is no"):
                await find_portfolio(db, name)
            with pytest.raises(EtfBacktestError, match="there is no"):
                await find_strategy(db, name)

    async def run() -> None:
        async with connect(settings) as db:
            await ask(db)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("portfolio", "show"), "a\0b"),
        (("portfolio", "show"), MEGABYTE),
        (("strategy", "show"), "a\udcffb"),
        (("backtest", "show"), "a\x1b[2Jb"),
        (("etf", "show"), "a\0b"),
        (("etf", "show"), MEGABYTE),
    ],
    ids=[f"{number}" for number in range(6)],
)
def test_what_cannot_be_a_name_is_one_line(
    cli: RunCli, arguments: tuple[str, str], name: str
) -> None:
    the_line(cli(*arguments, name, code=1).err)


def test_what_sql_has_written_is_shown_escaped(cli: RunCli, postgres: Cluster) -> None:
    cli("portfolio", "create", "written by sql", "SPY=1")
    postgres.execute(
        "UPDATE portfolios SET name = E'x\\u202Ey\\x1b[2J\\u009b1m', description = E'a\\nb\\x07'"
        " WHERE name = 'written by sql'",
        database=NAME,
    )
    shown = cli("portfolio", "list").out
    assert "x\\u202ey\\x1b[2J\\x9b1m" in shown
    assert all(line.isprintable() for line in shown.splitlines())
    out = cli("portfolio", "list", "--json").out
    assert all(line.isprintable() for line in out.splitlines())
    assert "x\u202ey\x1b[2J\x9b1m" in {row["name"] for row in json.loads(out)}


def test_symbols_that_are_paths_options_or_formulas_are_none(settings: Settings) -> None:
    symbols = ("../../ETC/PASSWD", "--HELP", "-RF", "$(X)", "S\0Y", "S\u202eY", "=F", "'=F")

    async def run() -> None:
        async with connect(settings) as db:
            for symbol in (*symbols, "A" * 10**6, "", "a\nb", "S\udcff"):
                with pytest.raises(EtfBacktestError, match="is not a symbol"):
                    await create_portfolio(db, name="q", allocations={symbol: Decimal(1)})

    asyncio.run(run())


def test_usage_errors_show_no_escapes(cli: RunCli) -> None:
    for arguments in (["\x1b[31mzz"], ["portfolio", "--\u202ezz"], ["etf", "list", "--\x9b1m=2"]):
        err = cli(*arguments, code=2).err
        assert all(line.isprintable() for line in err.splitlines()), err
