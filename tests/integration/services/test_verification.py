"""Verification: identical to the last bit, or what has changed and by how much."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest

from etf_backtest.database.connection import Database
from etf_backtest.database.models import to_json
from etf_backtest.database.price_store import store_bars
from etf_backtest.errors import BacktestFailedError, NotFoundError, NothingToVerifyError
from etf_backtest.market import ForwardFill
from etf_backtest.market.bar import Bar
from etf_backtest.market.rates import DatedRates
from etf_backtest.services.backtest import run_backtest
from etf_backtest.services.portfolios import create_portfolio
from etf_backtest.services.strategies import create_strategy
from etf_backtest.services.verification import verify_backtest
from etf_backtest.simulation import CashFlow, Costs, Rules
from tests.integration.services.conftest import AddPrices

AAA = ["100", "103.1", "99.7", "105.3", "107.9", "104.2", "108.8", "110.1", "107.7", "112.3"]
BBB = ["50", "51.3", "53.7", "50.1", "49.9", "52.2", "51.1", "50.7", "54.3", "53.9"]
CCC = ["20", "20.1", "20.3", "20.2", "20.7", "20.6", "20.9", "21.1", "21.3", "21.2"]


@pytest.fixture
async def portfolio(db: Database, add_prices: AddPrices) -> str:
    row = await create_portfolio(
        db,
        name="p",
        allocations={"AAA": Decimal("0.3"), "BBB": Decimal("0.6")},
        initial_capital=Decimal("1000.10"),
    )
    for symbol, prices in (("AAA", AAA), ("BBB", BBB), ("CCC", CCC)):
        await add_prices(symbol, prices)
    return row.id


RULES = Rules(
    rebalance=("daily", "bands(absolute=0.01)"),
    costs=Costs(commission_bps=7, commission_min=0.01, slippage_bps=3),
    cash_flows=(CashFlow(amount=-3.33, every="weekly", inflation=0.02),),
    cash_rate=DatedRates.of({"2023-01-01": 0.013, "2024-01-05": 0.017}),
    expense_ratios={"AAA": 0.002},
)


async def run(db: Database, **changes: Any) -> str:
    given: Any = {
        "portfolio": "p",
        "strategy": "buy-and-hold",
        "rules": RULES,
        "benchmark": "CCC",
        "risk_free": 0.01,
        **changes,
    }
    return (await run_backtest(db, **given)).backtest.id


@pytest.mark.each_postgres
@pytest.mark.usefixtures("portfolio")
async def test_runs_of_every_kind_are_identical(db: Database) -> None:
    """What JSONB gives back is the float64 that went in, whatever the rules."""
    await create_strategy(db, name="quick", kind="momentum", parameters={"look_back": 2, "skip": 0})
    window = {"start": dt.date(2024, 1, 4), "end": dt.date(2024, 1, 11)}
    ruin = Rules(cash_flows=(CashFlow(amount=-5000, on=dt.date(2024, 1, 8)),))
    for changes in (
        {},
        {"strategy": "quick", "rules": Rules(rebalance="daily")},
        window,
        {
            **window,
            "strategy": "quick",
            "rules": Rules(rebalance="daily", lag=2),
            "benchmark": None,
        },
        {"rules": Rules(lot_size=1, costs=Costs(commission_fixed=1)), "risk_free": 0.0},
        {"rules": Rules(rebalance="cashflow", cash_flows=(CashFlow(amount=9, every="daily"),))},
        {"rules": ruin},
        {"risk_free": DatedRates.of({"2020-01-01": 0.02, "2024-01-03": 0.05})},
    ):
        verification = await verify_backtest(db, await run(db, **changes), ledger=True)
        told = verification.to_dict()
        agreement = told.pop("ledger")
        assert told == {
            "backtest_id": verification.backtest_id,
            "identical": True,
            "changed": [],
            "differences": [],
            "notes": [],
            "data_revision": 3,
            "revised": {},
        }
        # the second answer, in Decimal
        assert isinstance(agreement, float)
        assert agreement < 1e-12
        assert verification.good


@pytest.mark.usefixtures("portfolio")
async def test_a_clipped_and_a_filled_window_are_identical(
    db: Database, add_prices: AddPrices
) -> None:
    await db.execute_raw("DELETE FROM market_data WHERE symbol = 'BBB' AND date < '2024-01-03'")
    await db.execute_raw("DELETE FROM market_data WHERE symbol = 'BBB' AND date = '2024-01-09'")
    for rules in (Rules(missing=ForwardFill(2)), Rules(missing="common")):
        if rules.missing == "common":
            await add_prices("BBB", ["1", "1", *BBB[2:]])
            await db.execute_raw("DELETE FROM market_data WHERE symbol='BBB' AND date<'2024-01-03'")
        start = dt.date(2024, 1, 1) if rules.missing == "common" else None
        verification = await verify_backtest(db, await run(db, rules=rules, start=start))
        assert verification.identical, verification


async def edit(db: Database, backtest_id: str, assignments: str, *values: str) -> None:
    """Change a completed row behind the back of the trigger that forbids it."""
    await db.execute_raw("ALTER TABLE backtests DISABLE TRIGGER backtests_check_status")
    await db.execute_raw(
        f"UPDATE backtests SET {assignments} WHERE id = '{backtest_id}'::uuid", *values
    )
    await db.execute_raw("ALTER TABLE backtests ENABLE TRIGGER backtests_check_status")


OLDER = "the run was stored before states of prices were recorded"


@pytest.mark.each_postgres
@pytest.mark.usefixtures("portfolio")
async def test_prices_that_are_revised_afterwards_change_nothing(db: Database) -> None:
    """One session of AAA twice, one of BBB, both of the two that CCC gets; one after the window."""
    done = await run(db, end=dt.date(2024, 1, 11))
    days = {symbol: dt.date(2024, 1, day) for symbol, day in (("AAA", 4), ("BBB", 5))}
    for price in ("107", "106"):
        bar = Bar("AAA", days["AAA"], adjusted_close=Decimal(price))
        await store_bars(db.url, [bar], source="vendor")
    extra = [Bar("CCC", dt.date(2024, 1, day), adjusted_close=Decimal(20)) for day in (6, 7)]
    late = Bar("AAA", dt.date(2024, 1, 12), adjusted_close=Decimal(1))
    await store_bars(db.url, [*extra, late], source="vendor")
    await db.execute_raw(
        f"DELETE FROM market_data WHERE symbol = 'BBB' AND date = '{days['BBB']}'::date"
    )
    verification = await verify_backtest(db, done, ledger=True)
    assert verification.good
    assert (verification.differences, verification.changed) == ((), ())
    assert (verification.data_revision, verification.revised) == (3, {"AAA": 1, "BBB": 1, "CCC": 2})
    (note,) = verification.notes
    assert note.startswith(
        "prices have been revised since it ran: AAA on 1 session, BBB on 1 session, "
        "CCC on 2 sessions of its window; it was computed with those of state 3"
    )
    # what was revised back is no revision, and neither is a volume
    await store_bars(
        db.url,
        [
            Bar("AAA", days["AAA"], adjusted_close=Decimal(AAA[3]), volume=7),
            Bar("BBB", days["BBB"], adjusted_close=Decimal(BBB[4])),
        ],
        source="vendor",
    )
    await db.execute_raw("DELETE FROM market_data WHERE symbol = 'CCC'")
    verification = await verify_backtest(db, done)
    assert verification.identical
    assert verification.revised == {"CCC": 9}  # the two that came and went are as they were


@pytest.mark.usefixtures("portfolio")
async def test_a_changed_price_is_named_with_its_symbol_and_the_largest_difference(
    db: Database,
) -> None:
    """1000.10 * 0.3 / 100 shares of AAA, bought at 100: one more on the last day is 3.0003."""
    done = await run(db, rules=Rules(), benchmark=None, risk_free=0.0)
    await edit(db, done, "data_revision = NULL")
    last = Bar("AAA", dt.date(2024, 1, 12), adjusted_close=Decimal(AAA[-1]) + 1)
    await store_bars(db.url, [last], source="test")
    verification = await verify_backtest(db, done)
    assert not verification.identical
    assert verification.changed == ("prices: those of AAA are not what they were",)
    assert verification.notes[0].startswith(OLDER)
    by_name = {difference.what: difference for difference in verification.differences}
    equity = by_name["equity"]
    assert equity.where == "2024-01-12"
    assert isinstance(equity.now, float)
    assert isinstance(equity.stored, float)
    assert equity.now - equity.stored == pytest.approx(1000.10 * 0.3 / 100, rel=1e-9)
    assert {"total_return", "volatility", "weight of AAA"} <= by_name.keys()
    assert "cash" not in by_name
    # what was not used is no change
    await store_bars(
        db.url, [Bar("AAA", dt.date(2024, 1, 12), adjusted_close=Decimal(AAA[-1]))], source="test"
    )
    await store_bars(
        db.url, [Bar("AAA", dt.date(2024, 1, 15), adjusted_close=Decimal(1))], source="test"
    )
    assert (await verify_backtest(db, done)).identical


@pytest.mark.usefixtures("portfolio")
async def test_prices_that_are_gone_and_sessions_that_are_new(db: Database) -> None:
    """Of a run that does not say its state: an older release stored it."""
    done = await run(db)
    await edit(db, done, "data_revision = NULL")
    extra = [Bar(s, dt.date(2024, 1, 6), adjusted_close=Decimal(60)) for s in ("AAA", "BBB", "CCC")]
    await store_bars(db.url, extra, source="test")
    verification = await verify_backtest(db, done)
    assert verification.changed == ("prices: those of AAA, BBB, CCC are not what they were",)
    assert str(verification.differences[0]) == "number of dates: 10 stored, 11 now"
    await db.execute_raw("DELETE FROM market_data WHERE symbol = 'BBB'")
    verification = await verify_backtest(db, done)
    assert not verification.identical
    assert verification.changed == (
        "it cannot be computed any more: BBB: no prices are stored (import its prices with: "
        "etf-backtest prices import FILE)",
    )


@pytest.mark.usefixtures("portfolio")
async def test_a_run_says_the_state_of_its_prices(db: Database) -> None:
    """AAA, BBB and CCC were stored by revisions 1 to 3; then AAA again by 4, and DDD by 5."""
    last = Bar("AAA", dt.date(2024, 1, 12), adjusted_close=Decimal(1))
    await store_bars(db.url, [last], source="test")
    await store_bars(db.url, [last._replace(symbol="DDD")], source="test")
    row = await db.backtest.find_first(where={"id": await run(db)})
    assert row is not None
    assert row.dataRevision == 5
    results: Any = row.results
    assert results["prices"] == {"revision": 5, "symbols": {"AAA": 4, "BBB": 2, "CCC": 3}}


@pytest.mark.usefixtures("portfolio")
async def test_an_edited_row_is_found_out(db: Database) -> None:
    done = await run(db, rules=Rules())
    await edit(db, done, "options = jsonb_set(options, '{lag}', '1')")
    verification = await verify_backtest(db, done)
    assert verification.changed == ("rules: lag was None when it ran, and is 1 in the options",)
    assert {"equity", "trades", "total_return"} & {d.what for d in verification.differences}

    done = await run(db, rules=Rules())
    await edit(db, done, "results = jsonb_set(results, '{equity, 3}', '1234.5')")
    verification = await verify_backtest(db, done)
    assert not verification.identical
    (difference,) = verification.differences
    assert (difference.what, difference.where, difference.stored) == (
        "equity",
        "2024-01-04",
        1234.5,
    )
    assert (difference.first, difference.count) == ("2024-01-04", 1)
    (reason,) = verification.changed
    assert reason.startswith(
        "nothing that is stored has changed: the strategy's code or the engine"
    )

    done = await run(db, rules=Rules())
    await db.performancemetrics.update(
        where={"backtestId": done}, data={"sharpeRatio": Decimal("9.5")}
    )
    verification = await verify_backtest(db, done)
    assert not verification.identical
    assert verification.differences == ()
    assert verification.changed[0].startswith("performance_metrics: sharpeRatio is 9.5")


async def test_rows_of_portfolio_and_strategy_may_change(db: Database, portfolio: str) -> None:
    strategy = await create_strategy(
        db, name="quick", kind="momentum", parameters={"look_back": 2, "skip": 0}
    )
    held = await run(db)
    ranked = await run(db, strategy="quick", rules=Rules(rebalance="daily"))
    await db.portfolioholding.update_many(
        where={"portfolioId": portfolio, "symbol": "AAA"}, data={"allocation": Decimal("0.4")}
    )
    verification = await verify_backtest(db, held)
    assert verification.identical
    assert verification.notes == (
        "the portfolio 'p' has been changed since: the run keeps its own and does not depend on it",
    )
    # momentum takes only the symbols
    assert (await verify_backtest(db, ranked)).notes == ()
    await db.strategy.update(
        where={"id": strategy.id}, data={"parameters": to_json({"look_back": 3})}
    )
    verification = await verify_backtest(db, ranked)
    assert verification.identical
    assert verification.notes[0].startswith("the strategy 'quick' has been changed since")


@pytest.mark.usefixtures("portfolio")
async def test_another_engine_is_mentioned_and_no_change_by_itself(db: Database) -> None:
    done = await run(db)
    other = json.dumps({"etf_backtest": "0.0.9", "numpy": "1.0"})
    await edit(
        db,
        done,
        "results = jsonb_set(results, '{versions}', $1::jsonb), conventions_version = 7",
        other,
    )
    verification = await verify_backtest(db, done)
    assert verification.identical
    assert any("conventions: version 7 stored, 1 now" in note for note in verification.notes)
    assert any(note.startswith("numpy: 1.0 stored, ") for note in verification.notes)
    # where numbers differ, it is among the reasons
    await edit(db, done, "results = jsonb_set(results, '{equity, 3}', '1234.5')")
    verification = await verify_backtest(db, done)
    assert any(line.startswith("etf_backtest: 0.0.9 stored") for line in verification.changed)


@pytest.mark.usefixtures("portfolio")
async def test_a_result_of_the_first_release_says_what_cannot_be_verified(db: Database) -> None:
    done = await run(db, rules=Rules())
    new = "{fingerprint,fingerprints,flows,costs,versions,asked_window,ruin}"
    await edit(
        db,
        done,
        f"results = jsonb_set(results, '{{schema}}', '1') - '{new}'::text[], options = $1::jsonb",
        json.dumps(
            {
                "initial_capital": 1000.10,
                "rebalance": None,
                "lag": None,
                "cash_rate": 0.0,
                "missing": "error",
                "risk_free": 0.01,
            }
        ),
    )
    verification = await verify_backtest(db, done)
    assert not verification.identical
    assert verification.notes[0].startswith("the result was stored by an earlier release")
    assert verification.changed == ()
    # its curve is the same all the same
    assert verification.differences == ()


@pytest.mark.usefixtures("portfolio")
async def test_what_cannot_be_verified(db: Database) -> None:
    with pytest.raises(NotFoundError):
        await verify_backtest(db, "1234")
    with pytest.raises(BacktestFailedError) as failure:
        await run(db, rules=Rules(costs=Costs(commission_fixed=600)))
    with pytest.raises(NothingToVerifyError, match="is failed: it has no results"):
        await verify_backtest(db, failure.value.backtest_id)
