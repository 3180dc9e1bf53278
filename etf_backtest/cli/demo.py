"""`etf-backtest demo`: the whole chain on real prices, from nothing to a stored result."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import typer

from etf_backtest.cli import backtest_view, console, verification_view
from etf_backtest.cli.session import flags, run, settings

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.settings import Settings

PORTFOLIO = "demo"
ALLOCATIONS = {"MTUM": Decimal("0.6"), "USMV": Decimal("0.4")}
CAPITAL = Decimal(100_000)
WITHDRAWAL = Decimal(500)
BENCHMARK = "QUAL"


def demo() -> None:
    """Create the tables, load real ETF prices, run backtests, store, show and verify them.

    It can be run again: what is there already is used, and as many backtests more are stored.
    """
    raise typer.Exit(run(_demo(settings())))


async def _demo(where: Settings) -> int:
    from etf_backtest.database.connection import connect
    from etf_backtest.database.postgres import ensure_database
    from etf_backtest.database.prisma_cli import Output, migrate_deploy, seed
    from etf_backtest.database.queue import deploy_queue
    from etf_backtest.providers.sample_prices import SamplePrices
    from etf_backtest.services.backtest import run_backtest
    from etf_backtest.services.ingest import import_prices
    from etf_backtest.services.verification import verify_backtest
    from etf_backtest.simulation import CashFlow, Costs, Rules

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
    await deploy_queue(url, lambda line: console.narrate(f"   {line}"))
    prices = await import_prices(url, [SamplePrices()], provider="sample")
    console.narrate(
        f"4. prices: {prices.rows:,} adjusted closes of five factor ETFs "
        f"({prices.store.inserted:,} new), for testing and example purposes only"
    )
    async with connect(where, log_queries=flags.log_queries) as db:
        await _ensure_portfolio(db)
        console.narrate(f"5. backtests: {CAPITAL:,} in 60 % MTUM and 40 % USMV, beside {BENCHMARK}")
        trading = Costs(commission_bps=5, slippage_bps=2)
        pension = CashFlow(amount=-float(WITHDRAWAL), every="monthly", inflation=0.02)
        done = []
        for strategy, rules in (
            ("buy-and-hold", Rules(initial_capital=float(CAPITAL))),
            (
                "fixed-weights",
                Rules(
                    initial_capital=float(CAPITAL),
                    rebalance="quarterly",
                    costs=trading,
                    cash_flows=(pension,),
                ),
            ),
            ("momentum", Rules(initial_capital=float(CAPITAL), costs=trading)),
        ):
            stored_run = await run_backtest(
                db,
                portfolio=PORTFOLIO,
                strategy=strategy,
                rules=rules,
                benchmark=BENCHMARK,
                name=strategy,
            )
            console.narrate("")
            backtest_view.show(stored_run.backtest, json=False)
            done.append(stored_run.backtest.id)
        console.narrate("")
        console.narrate(
            "6. verify: compute each again from what is stored, and in the Decimal ledger"
        )
        good = True
        for backtest_id in done:
            verification = await verify_backtest(db, backtest_id, ledger=True)
            good = good and verification.good
            verification_view.show(verification, json=False)
    console.narrate("")
    console.narrate("stored; see etf-backtest backtest list, or browse it: etf-backtest studio")
    return 0 if good else 1


async def _ensure_portfolio(db: Database) -> None:
    from etf_backtest.errors import NotFoundError
    from etf_backtest.services.portfolios import create_portfolio, find_portfolio

    try:
        await find_portfolio(db, PORTFOLIO)
    except NotFoundError:
        await create_portfolio(db, name=PORTFOLIO, allocations=ALLOCATIONS, initial_capital=CAPITAL)
