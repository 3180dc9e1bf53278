"""`etf-backtest demo`: the whole chain on real prices, from nothing to a stored result."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import typer

from etf_backtest.cli import backtest_view, console
from etf_backtest.cli.session import flags, run, settings

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.settings import Settings

PORTFOLIO = "demo"
ALLOCATIONS = {"MTUM": Decimal("0.6"), "USMV": Decimal("0.4")}
CAPITAL = Decimal(100_000)
STRATEGIES = ("buy-and-hold", "momentum")
BENCHMARK = "QUAL"


def demo() -> None:
    """Create the tables, load real ETF prices, run two backtests, store and show them.

    It can be run again: what is there already is used, and two more backtests are stored.
    """
    raise typer.Exit(run(_demo(settings())))


async def _demo(where: Settings) -> int:
    from etf_backtest.database.connection import connect
    from etf_backtest.database.postgres import ensure_database
    from etf_backtest.database.prisma_cli import Output, migrate_deploy, seed
    from etf_backtest.providers.sample_prices import SAMPLE_SOURCE, read_sample_prices
    from etf_backtest.services.backtest import run_backtest
    from etf_backtest.services.ingest import import_prices

    console.narrate("1. database: start it, create what is missing")
    url = await ensure_database(where)
    console.narrate(f"   {url}")
    said: list[str] = []
    quiet = Output(stdout=said.append, stderr=said.append)
    for step, prisma in (
        ("2. tables: apply the migrations", migrate_deploy),
        ("3. seed: system strategies and well-known ETFs", seed),
    ):
        console.narrate(step)
        if code := await prisma(where, url.render(), output=quiet):
            console.narrate("".join(said))
            return code
    prices = read_sample_prices()
    stored = await import_prices(url, prices, source=SAMPLE_SOURCE)
    console.narrate(
        f"4. prices: {len(prices.bars):,} adjusted closes of five factor ETFs "
        f"({stored.inserted:,} new), for testing and example purposes only"
    )
    async with connect(where, log_queries=flags.log_queries) as db:
        await _ensure_portfolio(db)
        console.narrate(f"5. backtests: {CAPITAL:,} in 60 % MTUM and 40 % USMV, beside {BENCHMARK}")
        for strategy in STRATEGIES:
            done = await run_backtest(
                db, portfolio=PORTFOLIO, strategy=strategy, benchmark=BENCHMARK, name=strategy
            )
            console.narrate("")
            backtest_view.show(done.backtest, json=False)
    console.narrate("")
    console.narrate("stored; see etf-backtest backtest list, or browse it: etf-backtest studio")
    return 0


async def _ensure_portfolio(db: Database) -> None:
    from etf_backtest.errors import NotFoundError
    from etf_backtest.services.portfolios import create_portfolio, find_portfolio

    try:
        await find_portfolio(db, PORTFOLIO)
    except NotFoundError:
        await create_portfolio(db, name=PORTFOLIO, allocations=ALLOCATIONS, initial_capital=CAPITAL)
