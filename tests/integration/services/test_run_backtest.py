"""The backtest service: what is stored at each outcome, against numbers worked out by hand."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

import etf_backtest
from etf_backtest.database.connection import Database
from etf_backtest.database.price_store import store_bars
from etf_backtest.errors import (
    BacktestFailedError,
    InvalidParametersError,
    InvalidPortfolioError,
    MissingPricesError,
    NameTakenError,
    NoPricesError,
    NotFoundError,
)
from etf_backtest.market.bar import Bar
from etf_backtest.services.accounts import local_user
from etf_backtest.services.backtest import run_backtest
from etf_backtest.services.stored_backtests import find_backtest, list_backtests
from etf_backtest.simulation import Costs, Rules, simulate
from tests.integration.services.conftest import AddPrices, make_portfolio

pytestmark = pytest.mark.each_postgres


async def test_a_completed_backtest_keeps_results_metrics_and_times(
    db: Database, add_prices: AddPrices
) -> None:
    """500 in AAA 100 -> 110 and 500 in BBB 50 -> 45: 550 + 450 = 1000 at the end, 1050 between."""
    await make_portfolio(db)
    await add_prices("AAA", ["100", "120", "110"])
    await add_prices("BBB", ["50", "45", "45"])
    run = await run_backtest(db, portfolio="p", strategy="buy-and-hold", benchmark="AAA")

    row = await db.backtest.find_unique(where={"id": run.backtest.id}, include={"metrics": True})
    assert row is not None
    assert row.status == "completed"
    assert row.results is not None
    assert row.results["equity"] == pytest.approx([1000, 1050, 1000], rel=1e-12)
    assert row.results["benchmark_equity"] == pytest.approx([1000, 1200, 1100], rel=1e-12)
    assert row.results["dates"] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert row.startedAt is not None
    assert row.completedAt is not None
    assert row.queuedAt <= row.startedAt <= row.completedAt
    assert row.conventionsVersion == 1
    assert row.engineVersion == etf_backtest.__version__
    assert row.options["rebalance"] is None
    assert row.name == "p: buy-and-hold"

    metrics = row.metrics
    assert metrics is not None
    assert metrics.totalReturn == Decimal("0.000000")
    assert metrics.maxDrawdown == Decimal("-0.047619")  # 1000 / 1050 - 1 = -0.0476190...
    assert metrics.annualizedReturn is None  # two days are less than a year
    assert metrics.sessions == 3
    assert metrics.windowStart.date() == dt.date(2024, 1, 1)
    warnings: Any = row.results["warnings"]
    assert any("cagr" in warning for warning in warnings)


async def test_the_service_gives_what_the_pure_simulation_gives(
    db: Database, add_prices: AddPrices
) -> None:
    await make_portfolio(db)
    await add_prices("AAA", ["100", "101", "99", "105", "107", "104", "108"])
    await add_prices("BBB", ["50", "51", "53", "50", "49", "52", "51"])
    run = await run_backtest(db, portfolio="p", strategy="momentum", cash_rate=0.03)
    import pandas as pd

    frame = pd.DataFrame(
        {
            "AAA": [100.0, 101, 99, 105, 107, 104, 108],
            "BBB": [50.0, 51, 53, 50, 49, 52, 51],
        },
        index=pd.bdate_range("2024-01-01", periods=7),
    )
    strategy = etf_backtest.Momentum(["AAA", "BBB"], look_back=3, skip=0, top_n=1)
    pure = simulate(
        etf_backtest.PricePanel.from_frame(frame),
        strategy,
        Rules(initial_capital=1000, cash_rate=0.03),
    )
    assert run.result.equity.tolist() == pure.equity.tolist()


async def test_closes_dividends_and_splits_go_before_adjusted_closes(db: Database) -> None:
    """(25 * 4 + 0.5 * 4) / 100 = 1.02: four new shares a share, each with a dividend of 0.5."""
    await make_portfolio(db, {"AAA": Decimal(1)})
    days = [dt.date(2024, 1, day) for day in (2, 3)]
    bars = [
        Bar("AAA", days[0], close=Decimal(100), adjusted_close=Decimal(1)),
        Bar(
            "AAA",
            days[1],
            close=Decimal(25),
            adjusted_close=Decimal(7),
            dividend_amount=Decimal("0.5"),
            split_ratio=Decimal(4),
        ),
    ]
    await store_bars(db.url, bars, source="test")
    run = await run_backtest(db, portfolio="p", strategy="buy-and-hold")
    assert run.result.equity.iloc[-1] == pytest.approx(1020, rel=1e-12)
    assert not any("adjusted" in warning for warning in run.result.warnings)


async def test_closes_without_dividends_give_no_total_return(db: Database) -> None:
    await make_portfolio(db, {"AAA": Decimal(1)})
    bars = [Bar("AAA", dt.date(2024, 1, day), close=Decimal(day)) for day in (2, 3, 4)]
    await store_bars(db.url, bars, source="test")
    with pytest.raises(NoPricesError, match="2024-01-03 its dividend or split ratio is not known"):
        await run_backtest(db, portfolio="p", strategy="buy-and-hold")
    assert await db.backtest.count() == 0


async def test_a_run_that_cannot_be_computed_is_failed_with_its_reason(
    db: Database, add_prices: AddPrices
) -> None:
    """An order of 600 costs 600, and there are two: more than the 1000 that there are."""
    await make_portfolio(db)
    await add_prices("AAA", ["100", "120", "110"])
    await add_prices("BBB", ["100", "120", "110"])
    with pytest.raises(BacktestFailedError, match="cost more than the 1,000") as failure:
        await run_backtest(
            db,
            portfolio="p",
            strategy="buy-and-hold",
            rules=Rules(costs=Costs(commission_fixed=600)),
        )
    row = await db.backtest.find_unique(
        where={"id": failure.value.backtest_id}, include={"metrics": True}
    )
    assert row is not None
    assert row.status == "failed"
    assert row.errorMessage is not None
    assert "2024-01-01" in row.errorMessage
    assert row.completedAt is not None
    assert row.results is None
    assert row.metrics is None


async def test_missing_prices_are_found_before_anything_is_stored(
    db: Database, add_prices: AddPrices
) -> None:
    """BBB has no price on 2024-01-02 inside the window, and nothing is invented."""
    await make_portfolio(db)
    await add_prices("AAA", ["100", "120", "110"])
    bars = [Bar("BBB", dt.date(2024, 1, day), adjusted_close=Decimal(50)) for day in (1, 3)]
    await store_bars(db.url, bars, source="test")
    with pytest.raises(MissingPricesError, match="BBB lacks prices on 1 session from 2024-01-02"):
        await run_backtest(db, portfolio="p", strategy="buy-and-hold")
    assert await db.backtest.count() == 0


async def test_a_metric_that_does_not_fit_its_column_is_null_and_named(
    db: Database, add_prices: AddPrices
) -> None:
    """0.01 -> 200: a total return of 19999, above the 9999.999999 of Decimal(10, 6)."""
    await make_portfolio(db, {"AAA": Decimal(1)})
    await add_prices("AAA", ["0.01", "100", "200"])
    run = await run_backtest(db, portfolio="p", strategy="buy-and-hold")
    assert run.backtest.status == "completed"
    metrics = run.backtest.metrics
    assert metrics is not None
    assert metrics.totalReturn is None
    results: Any = run.backtest.results
    assert results["metrics"]["total_return"] == pytest.approx(19999)
    assert any("total_return is" in w and "does not fit" in w for w in results["warnings"])


async def test_an_interrupted_run_does_not_say_running_for_ever(
    db: Database, add_prices: AddPrices, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    await make_portfolio(db)
    await add_prices("AAA", ["100", "120", "110"])
    await add_prices("BBB", ["100", "120", "110"])
    monkeypatch.setattr("etf_backtest.services.backtest.simulate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        await run_backtest(db, portfolio="p", strategy="buy-and-hold")
    (row,) = await list_backtests(db)
    assert row.status == "failed"
    assert row.errorMessage == "interrupted"


async def test_what_is_asked_for_is_checked_before_a_row_is_written(
    db: Database, add_prices: AddPrices
) -> None:
    await make_portfolio(db)
    await add_prices("AAA", ["100", "120", "110"])
    for portfolio, strategy, error, message in [
        ("q", "momentum", NotFoundError, "no portfolio 'q'"),
        ("p", "momentun", NotFoundError, "did you mean momentum"),
        ("p", "buy-and-hold", NoPricesError, "BBB: no prices"),
    ]:
        with pytest.raises(error, match=message):
            await run_backtest(db, portfolio=portfolio, strategy=strategy)
    await add_prices("BBB", ["100", "120", "110"])
    with pytest.raises(NoPricesError, match="CCC: the benchmark has no prices"):
        await run_backtest(db, portfolio="p", strategy="buy-and-hold", benchmark="ccc")
    with pytest.raises(InvalidParametersError, match="cash_rate"):
        await run_backtest(db, portfolio="p", strategy="buy-and-hold", cash_rate=7)
    for capital in ("0.001", "100.005", "1e11", "NaN", "-1"):
        with pytest.raises(InvalidPortfolioError, match="the capital is"):
            await run_backtest(
                db, portfolio="p", strategy="buy-and-hold", initial_capital=Decimal(capital)
            )
    for name in (" ", "x" * 256):
        with pytest.raises(InvalidPortfolioError, match="the name"):
            await run_backtest(db, portfolio="p", strategy="buy-and-hold", name=name)
    for risk_free in (5.0, float("nan"), float("inf")):
        with pytest.raises(InvalidParametersError, match="risk_free"):
            await run_backtest(db, portfolio="p", strategy="buy-and-hold", risk_free=risk_free)
    assert await db.backtest.count() == 0


async def test_adjusted_closes_of_two_imports_are_not_spliced_without_a_word(
    db: Database,
) -> None:
    await make_portfolio(db, {"AAA": Decimal(1)})
    for source, days in (("2023.csv", (1, 2, 3)), ("2024.csv", (4, 5))):
        bars = [Bar("AAA", dt.date(2024, 1, d), adjusted_close=Decimal(d)) for d in days]
        await store_bars(db.url, bars, source=source)
    stored: Any = (await run_backtest(db, portfolio="p", strategy="buy-and-hold")).backtest.results
    (seam,) = [w for w in stored["warnings"] if "more than one source" in w]
    assert "2023.csv from 2024-01-01, 2024.csv from 2024-01-04" in seam


async def test_fractions_that_a_strategy_ignores_are_mentioned(
    db: Database, add_prices: AddPrices
) -> None:
    await add_prices("AAA", ["100", "101", "102", "103"])
    await add_prices("BBB", ["100", "101", "102", "103"])
    await make_portfolio(db, {"AAA": Decimal("0.7"), "BBB": Decimal("0.2")})
    stored: Any = (await run_backtest(db, portfolio="p", strategy="momentum")).backtest.results
    assert any("play no part" in warning for warning in stored["warnings"])
    stored = (await run_backtest(db, portfolio="p", strategy="buy-and-hold")).backtest.results
    assert not any("play no part" in warning for warning in stored["warnings"])


async def test_cancelling_at_any_moment_leaves_no_row_pending_or_running(
    db: Database, add_prices: AddPrices
) -> None:
    await make_portfolio(db)
    await add_prices("AAA", ["100", "120", "110"])
    await add_prices("BBB", ["50", "45", "45"])
    for delay in (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06):
        task = asyncio.create_task(run_backtest(db, portfolio="p", strategy="buy-and-hold"))
        await asyncio.sleep(delay)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        # what was shielded ends on its own
        for _ in range(100):
            rows = await list_backtests(db)
            unsettled = sum(row.status in ("pending", "running") for row in rows)
            if unsettled == 0:
                break
            await asyncio.sleep(0.01)
        assert unsettled == 0, delay


async def test_first_users_at_once_are_one_user(db: Database) -> None:
    users = await asyncio.gather(*(local_user(db) for _ in range(8)))
    assert len({user.id for user in users}) == 1


async def test_a_name_is_taken_once_however_many_ask_at_once(db: Database) -> None:
    outcomes = await asyncio.gather(*(make_portfolio(db) for _ in range(6)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert len(refused) == 5
    assert all(isinstance(outcome, NameTakenError) for outcome in refused)


async def test_runs_at_the_same_time_do_not_disturb_each_other(
    db: Database, add_prices: AddPrices
) -> None:
    await make_portfolio(db)
    await add_prices("AAA", ["100", "120", "110"])
    await add_prices("BBB", ["50", "45", "45"])
    runs = await asyncio.gather(
        *(run_backtest(db, portfolio="p", strategy="buy-and-hold") for _ in range(8))
    )
    assert len({run.backtest.id for run in runs}) == 8
    assert await db.performancemetrics.count() == 8
    assert len(await list_backtests(db, status="completed")) == 8
    assert await list_backtests(db, status="failed") == []


async def test_a_backtest_is_found_by_the_beginning_of_its_id(
    db: Database, add_prices: AddPrices
) -> None:
    await make_portfolio(db)
    await add_prices("AAA", ["100", "120", "110"])
    await add_prices("BBB", ["50", "45", "45"])
    run = await run_backtest(db, portfolio="p", strategy="buy-and-hold")
    assert (await find_backtest(db, run.backtest.id)).id == run.backtest.id
    assert (await find_backtest(db, run.backtest.id[:8].upper())).id == run.backtest.id
    for nothing in ("zzz", "%", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(NotFoundError):
            await find_backtest(db, nothing)
