"""The window of a stored backtest: holidays, gaps in the prices, and what lies outside."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from etf_backtest.database.connection import Database
from etf_backtest.database.price_store import store_bars
from etf_backtest.errors import InvalidParametersError, UncoveredWindowError, WindowError
from etf_backtest.market.bar import Bar
from etf_backtest.services.backtest import run_backtest
from etf_backtest.simulation import Rebalancing, Rules
from tests.integration.services.conftest import AddPrices, make_portfolio

pytestmark = pytest.mark.each_postgres


async def test_a_window_without_prices_or_sessions_is_refused_before_a_row_is_written(
    db: Database, add_prices: AddPrices
) -> None:
    await make_portfolio(db)
    await add_prices("AAA", ["100", "120", "110"])
    await add_prices("BBB", ["100", "120", "110"])
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
