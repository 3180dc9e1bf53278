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
    UncoveredWindowError,
    WindowError,
)
from etf_backtest.market.bar import Bar
from etf_backtest.services.accounts import local_user
from etf_backtest.services.backtest import run_backtest
from etf_backtest.services.portfolios import create_portfolio
from etf_backtest.services.stored_backtests import find_backtest, list_backtests
from etf_backtest.simulation import Costs, Rebalancing, Rules, simulate
from tests.integration.services.conftest import AddPrices

pytestmark = pytest.mark.each_postgres

HALF = {"AAA": Decimal("0.5"), "BBB": Decimal("0.5")}


async def make_portfolio(db: Database, allocations: dict[str, Decimal] = HALF) -> None:
    await create_portfolio(db, name="p", allocations=allocations, initial_capital=Decimal(1000))


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
    with pytest.raises(UncoveredWindowError, match="2024-01-01 to 2024-01-03"):
        await run_backtest(db, portfolio="p", strategy="buy-and-hold", start=dt.date(2023, 6, 1))
    for start, end, reason in [
        (None, dt.date(2024, 1, 4), "is not covered"),
        (None, dt.date.max, "is not covered"),
        (dt.date(2023, 1, 1), dt.date(2023, 6, 1), "is not covered"),
        (dt.date(2024, 1, 3), None, "1 session"),
        (dt.date(2024, 1, 2), dt.date(2024, 1, 2), "1 session"),
        (dt.date(2024, 1, 3), dt.date(2024, 1, 1), "after its end"),
        (dt.date(2024, 1, 4), None, "no session from 2024-01-04 on: the prices of AAA, BBB end on"),
        (None, dt.date(2023, 12, 29), "no session up to 2023-12-29: .* begin on 2024-01-01"),
    ]:
        with pytest.raises((UncoveredWindowError, WindowError), match=reason):
            await run_backtest(db, portfolio="p", strategy="buy-and-hold", start=start, end=end)
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


async def test_symbols_that_share_no_session_are_named(db: Database, add_prices: AddPrices) -> None:
    await make_portfolio(db)
    await add_prices("AAA", ["100", "120"])
    late = [Bar("BBB", dt.date(2024, 6, day), adjusted_close=Decimal(50)) for day in (3, 4)]
    await store_bars(db.url, late, source="test")
    with pytest.raises(WindowError, match="share no session: one begins on 2024-06-03"):
        await run_backtest(db, portfolio="p", strategy="buy-and-hold")


async def test_an_end_on_a_holiday_moves_to_the_session_before(db: Database) -> None:
    """2024-01-15 is a Monday without trading; prices go on after it."""
    await make_portfolio(db, {"AAA": Decimal(1)})
    days = [11, 12, 16, 17]
    bars = [Bar("AAA", dt.date(2024, 1, d), adjusted_close=Decimal(d)) for d in days]
    await store_bars(db.url, bars, source="test")
    run = await run_backtest(db, portfolio="p", strategy="buy-and-hold", end=dt.date(2024, 1, 15))
    assert run.result.window.end == dt.date(2024, 1, 12)


async def test_a_window_does_not_slide_over_missing_prices(
    db: Database, add_prices: AddPrices
) -> None:
    """No price between 2024-01-05 and 2024-02-01: a start in between is not quietly moved."""
    await make_portfolio(db, {"AAA": Decimal(1)})
    await add_prices("AAA", ["100", "101", "102", "103", "104"])
    later = [Bar("AAA", dt.date(2024, 2, d), adjusted_close=Decimal(9)) for d in (1, 2)]
    await store_bars(db.url, later, source="test")
    for start, end in ((dt.date(2024, 1, 10), None), (None, dt.date(2024, 1, 25))):
        with pytest.raises(WindowError, match="there is no session near 2024-01-"):
            await run_backtest(db, portfolio="p", strategy="buy-and-hold", start=start, end=end)
    run = await run_backtest(db, portfolio="p", strategy="buy-and-hold")
    assert any("no session on 18 weekdays" in warning for warning in run.result.warnings)


async def test_common_clips_what_was_asked_for_and_says_so(
    db: Database, add_prices: AddPrices
) -> None:
    await make_portfolio(db)
    await add_prices("AAA", ["100", "101", "102", "103"])
    late = [Bar("BBB", dt.date(2024, 1, d), adjusted_close=Decimal(50)) for d in (2, 3, 4)]
    await store_bars(db.url, late, source="test")
    run = await run_backtest(
        db, portfolio="p", strategy="buy-and-hold", missing="common", start=dt.date(2024, 1, 1)
    )
    assert run.result.window.start == dt.date(2024, 1, 2)
    assert any("instead of 2024-01-01" in warning for warning in run.result.warnings)
    # without dates the window is the common one, and that is said, too
    run = await run_backtest(db, portfolio="p", strategy="buy-and-hold")
    stored: Any = run.backtest.results
    assert any("where the prices of BBB begin" in warning for warning in stored["warnings"])


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


async def test_days_without_trading_move_to_the_sessions_beside_them(
    db: Database, add_prices: AddPrices
) -> None:
    """2024-01-06 and 07 are a weekend: a window from the one to a later one starts on the 8th."""
    await make_portfolio(db)
    await add_prices("AAA", [str(100 + day) for day in range(10)])
    await add_prices("BBB", [str(100 + day) for day in range(10)])
    run = await run_backtest(
        db,
        portfolio="p",
        strategy="buy-and-hold",
        start=dt.date(2024, 1, 6),
        end=dt.date(2024, 1, 14),
    )
    assert run.result.window.start == dt.date(2024, 1, 8)
    assert run.result.window.end == dt.date(2024, 1, 12)
    assert run.backtest.startDate.date() == dt.date(2024, 1, 6)
    with pytest.raises(WindowError, match="no session from 2024-01-06 to 2024-01-07") as weekend:
        await run_backtest(
            db,
            portfolio="p",
            strategy="buy-and-hold",
            start=dt.date(2024, 1, 6),
            end=dt.date(2024, 1, 7),
        )
    assert weekend.value.remedy == (
        "choose a longer window: the sessions beside it are 2024-01-05 and 2024-01-08"
    )


async def test_history_before_the_window_is_seen_but_not_traded(
    db: Database, add_prices: AddPrices
) -> None:
    """Momentum over 3 sessions decides on the window's first day, and buys on the second."""
    await make_portfolio(db)
    await add_prices("AAA", ["100", "101", "102", "110", "120", "121"])
    await add_prices("BBB", ["100", "101", "102", "103", "104", "105"])
    run = await run_backtest(db, portfolio="p", strategy="momentum", start=dt.date(2024, 1, 4))
    trades = run.result.trades
    assert trades["symbol"].tolist() == ["AAA"]
    assert trades["date"].iloc[0].date() == dt.date(2024, 1, 5)
    assert run.result.equity.iloc[-1] == pytest.approx(1000 * 121 / 120, rel=1e-12)
    # its own calendar, so many sessions later; what never rebalances has none
    later = await run_backtest(db, portfolio="p", strategy="momentum", rebalance_offset=2)
    assert later.result.rebalance == Rebalancing(period="monthly", offset=2)
    for strategy, rules, message in (
        ("buy-and-hold", None, "buy_and_hold rebalances never"),
        ("momentum", Rules(rebalance="weekly"), "the rules say when"),
    ):
        with pytest.raises(InvalidParametersError, match=f"rebalance_offset: {message}"):
            await run_backtest(
                db, portfolio="p", strategy=strategy, rules=rules, rebalance_offset=2
            )


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
