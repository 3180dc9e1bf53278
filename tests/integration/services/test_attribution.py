"""The change of a metric between two runs, and what did it."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from etf_backtest.database.connection import Database
from etf_backtest.database.models import to_json
from etf_backtest.database.price_store import store_bars
from etf_backtest.errors import NotFoundError, NothingToVerifyError
from etf_backtest.market.bar import Bar
from etf_backtest.metrics import METRIC_NAMES
from etf_backtest.services.attribution import attribute, metric_change
from etf_backtest.services.attribution_result import Attribution, MetricChange
from etf_backtest.services.backtest import BacktestRun, run_backtest
from etf_backtest.services.portfolios import create_portfolio
from etf_backtest.services.strategies import create_strategy
from etf_backtest.simulation import Costs, Rules
from tests.integration.services.conftest import AddPrices

AAA = ["100", "110", "99", "108", "120"]
BBB = ["50", "51", "53", "52", "54"]
DAYS = [dt.date(2024, 1, day) for day in (1, 2, 3, 4, 5)]


@pytest.fixture(autouse=True)
async def prices(db: Database, add_prices: AddPrices) -> None:
    """Half of 1000 in each of two symbols, stored by revisions 1 and 2."""
    half = {"AAA": Decimal("0.5"), "BBB": Decimal("0.5")}
    await create_portfolio(db, name="p", allocations=half, initial_capital=Decimal(1000))
    for symbol, closes in (("AAA", AAA), ("BBB", BBB)):
        await add_prices(symbol, closes)


async def run(db: Database, **changes: Any) -> BacktestRun:
    given: Any = {"portfolio": "p", "strategy": "buy-and-hold", "rules": Rules(), **changes}
    return await run_backtest(db, **given)


async def revise(db: Database, symbol: str, day: dt.date, price: str) -> None:
    bar = Bar(symbol, day, adjusted_close=Decimal(price))
    await store_bars(db.url, [bar], source="vendor's correction")


def by_name(found: Attribution) -> Mapping[str, MetricChange]:
    return {each.name: each for each in found.metrics}


def factors(found: Attribution) -> list[str]:
    return [factor.name for factor in found.factors]


def assert_sums(found: Attribution) -> None:
    """Effects and what is together sum to the change, whatever they are."""
    for each in found.metrics:
        if each.change is not None and each.together is not None:
            effects = [effect for effect in each.effects.values() if effect is not None]
            total = math.fsum([*effects, each.together])
            assert total == pytest.approx(each.change, rel=1e-12, abs=1e-15), each


@pytest.mark.each_postgres
async def test_only_a_price_is_revised(db: Database) -> None:
    """The last close of AAA is 132 and not 120: 5 shares, so 60 of 1000 more."""
    first = await run(db)
    await revise(db, "AAA", DAYS[-1], "132")
    second = await run(db)
    found = await attribute(db, first.backtest.id, second.backtest.id[:8])
    assert factors(found) == ["prices"]
    assert found.factors[0].said == ("AAA: 1 session of the window",)
    total = by_name(found)["total_return"]
    assert total.first == first.result.metrics.total_return
    assert total.second == second.result.metrics.total_return
    assert total.change == pytest.approx(0.06, rel=1e-12)
    for each in found.metrics:
        if each.change is not None:
            # to the last bit: the rerun is the second run
            assert each.effects == {"prices": each.change}
            assert each.together == 0.0
    (change,) = found.prices.changes
    assert (change.symbol, change.date, change.number) == ("AAA", DAYS[-1], 3)
    assert (change.was, change.became) == (
        {"adjusted_close": Decimal(120)},
        {"adjusted_close": Decimal(132)},
    )
    assert (change.was_source, change.source) == ("test", "vendor's correction")
    assert found.notes == ()
    # the other way round, everything is the opposite
    back = await attribute(db, second.backtest.id, first.backtest.id)
    assert by_name(back)["total_return"].effects["prices"] == pytest.approx(-0.06, rel=1e-12)
    assert back.prices.changes[0].was == {"adjusted_close": Decimal(132)}
    # and without a second run it is the first one with the prices of now
    today = await attribute(db, first.backtest.id)
    assert (today.second.id, today.second.revision) == (None, 3)
    assert today.metrics == found.metrics
    json.dumps(today.to_dict(), allow_nan=False)


async def test_only_rules_differ(db: Database) -> None:
    """The whole 1000 is bought: what remains of it after 1 % of the notional is 1000 / 1.01."""
    first = await run(db)
    second = await run(db, rules=Rules(costs=Costs(commission_bps=100), rebalance="never"))
    found = await attribute(db, first.backtest.id, second.backtest.id)
    assert factors(found) == ["rules"]
    said = dict(line.split(": ", 1) for line in found.factors[0].said)
    assert said["costs.commission_bps"] == "0.0 in run 1, 100.0 in run 2"
    total = by_name(found)["total_return"]
    grown = (1.2 + 1.08) / 2
    assert total.change == pytest.approx(grown / 1.01 - grown, rel=1e-9)
    for each in found.metrics:
        if each.change is not None:
            assert each.effects == {"rules": each.change}
            assert each.together == 0.0


async def test_prices_and_rules_differ(db: Database) -> None:
    """Of each alone by hand; what they do together is the cost of the gain: -0.06 * (1 - 1/1.01).

    Shares are 1 / 1.01 of what they were, so the gain of 0.06 is only 0.06 / 1.01 after costs.
    """
    first = await run(db)
    await revise(db, "AAA", DAYS[-1], "132")
    second = await run(db, rules=Rules(costs=Costs(commission_bps=100)))
    found = await attribute(db, first.backtest.id, second.backtest.id)
    assert factors(found) == ["prices", "rules"]
    assert_sums(found)
    total = by_name(found)["total_return"]
    assert total.effects["prices"] == pytest.approx(0.06, rel=1e-12)
    assert total.effects["rules"] == pytest.approx(1.14 / 1.01 - 1.14, rel=1e-9)
    assert total.together == pytest.approx(0.06 / 1.01 - 0.06, rel=1e-9)


async def test_nothing_differs(db: Database, add_prices: AddPrices) -> None:
    """Two runs of the same, though other symbols and later sessions came in between."""
    first = await run(db, end=DAYS[3])
    await add_prices("CCC", ["1", "2"])
    await revise(db, "AAA", DAYS[4], "121")
    second = await run(db, end=DAYS[3])
    assert second.backtest.dataRevision == 4
    found = await attribute(db, first.backtest.id, second.backtest.id)
    assert found.identical
    assert found.factors == ()
    assert found.prices.outside == {"AAA": 1}
    assert {each.change for each in found.metrics} <= {0.0, None}


async def test_everything_differs(db: Database, add_prices: AddPrices) -> None:
    """Strategy, symbols, window, benchmark, risk-free rate, rules and prices: the sums hold."""
    first = await run(db, end=DAYS[3], benchmark="BBB")
    await revise(db, "BBB", DAYS[1], "52.5")
    await add_prices("CCC", ["20", "19", "21", "22", "20"])
    third = {"AAA": Decimal("0.4"), "CCC": Decimal("0.6")}
    await create_portfolio(db, name="q", allocations=third, initial_capital=Decimal(1000))
    await create_strategy(db, name="quick", kind="momentum", parameters={"look_back": 1, "skip": 0})
    second = await run(
        db,
        portfolio="q",
        strategy="quick",
        rules=Rules(rebalance="daily", costs=Costs(slippage_bps=5)),
        benchmark="CCC",
        risk_free=0.02,
    )
    found = await attribute(db, first.backtest.id, second.backtest.id)
    assert factors(found) == ["prices", "strategy", "rules", "window", "comparison"]
    assert all(factor.problem is None for factor in found.factors)
    assert_sums(found)
    said = {factor.name: factor.said for factor in found.factors}
    assert "end: 2024-01-04 in run 1, 2024-01-05 in run 2" in said["window"]
    assert "benchmark: BBB in run 1, CCC in run 2" in said["comparison"]
    # symbols that state 2 does not know are taken as they were in state 4
    assert any(line.startswith("symbols") for line in said["strategy"])
    assert by_name(found)["total_return"].effects["strategy"] != 0
    # what nothing is compared with changes no return
    assert by_name(found)["total_return"].effects["comparison"] == 0.0
    assert by_name(found)["alpha"].effects["comparison"] != 0.0


async def test_a_factor_that_cannot_be_computed_is_told(db: Database) -> None:
    """BBB has no prices before the 3rd in the first state: the longer window is not covered."""
    await db.execute_raw("DELETE FROM market_data WHERE symbol = 'BBB' AND date < '2024-01-03'")
    first = await run(db)
    await revise(db, "BBB", DAYS[0], "50")
    await revise(db, "BBB", DAYS[1], "51")
    second = await run(db)
    found = await attribute(db, first.backtest.id, second.backtest.id)
    assert factors(found) == ["prices", "window"]
    prices, window = found.factors
    assert prices.problem is None
    assert window.problem is not None
    assert "BBB" in window.problem
    total = by_name(found)["total_return"]
    assert total.effects == {"prices": 0.0}
    assert total.together == total.change


async def edit(db: Database, backtest_id: str, assignments: str, *values: str) -> None:
    """Change a completed row behind the back of the trigger that forbids it."""
    await db.execute_raw("ALTER TABLE backtests DISABLE TRIGGER backtests_check_status")
    await db.execute_raw(
        f"UPDATE backtests SET {assignments} WHERE id = '{backtest_id}'::uuid", *values
    )
    await db.execute_raw("ALTER TABLE backtests ENABLE TRIGGER backtests_check_status")


async def test_an_older_engine_has_its_own_column(db: Database) -> None:
    """A run of an engine that said 0.2 where this one says 0.14: its effect is -0.06."""
    first = await run(db)
    second = await run(db)
    versions = json.dumps({"etf_backtest": "0.0.9"})
    await edit(
        db,
        first.backtest.id,
        "results = jsonb_set(jsonb_set(results, '{metrics, total_return}', '0.2'), '{versions}',"
        " $1::jsonb)",
        versions,
    )
    found = await attribute(db, first.backtest.id, second.backtest.id)
    assert factors(found) == ["engine"]
    assert found.factors[0].said[0] == "run 1 does not come out as it is stored"
    assert any(line.startswith("etf_backtest: 0.0.9 in run 1") for line in found.factors[0].said)
    total = by_name(found)["total_return"]
    assert total.change == total.effects["engine"] == pytest.approx(-0.06, rel=1e-12)
    assert total.together == 0.0
    assert by_name(found)["volatility"].effects == {"engine": 0.0}


async def test_a_run_without_a_state_is_told(db: Database) -> None:
    first = await run(db)
    await edit(db, first.backtest.id, "data_revision = NULL")
    await revise(db, "AAA", DAYS[-1], "132")
    found = await attribute(db, first.backtest.id, (await run(db)).backtest.id)
    assert factors(found) == ["engine"]
    assert found.notes[0].startswith("run 1 was stored before states of prices were recorded")
    assert by_name(found)["total_return"].effects["engine"] == pytest.approx(0.06, rel=1e-12)


async def test_a_strategy_that_is_gone(db: Database) -> None:
    """Only what is stored can be compared: nothing is guessed."""
    first, second = await run(db), await run(db, rules=Rules(costs=Costs(commission_bps=100)))
    gone = to_json({"name": "gone", "symbols": ["AAA"]})
    await edit(
        db,
        first.backtest.id,
        "results = jsonb_set(results, '{strategy}', $1::jsonb)",
        json.dumps(gone.data),
    )
    found = await attribute(db, first.backtest.id, second.backtest.id)
    assert found.notes[0].startswith("run 1 cannot be computed any more")
    assert factors(found) == ["strategy", "rules"]
    assert all(factor.problem for factor in found.factors)
    total = by_name(found)["total_return"]
    assert total.effects == {}
    assert total.together == total.change != 0


async def test_what_cannot_be_compared(db: Database) -> None:
    with pytest.raises(NotFoundError):
        await attribute(db, "00000000-0000-4000-8000-000000000009")
    done = await run(db)
    pending = await db.backtest.create(
        data={
            "userId": done.backtest.userId,
            "portfolioId": done.backtest.portfolioId,
            "strategyId": done.backtest.strategyId,
            "name": "later",
            "startDate": done.backtest.startDate,
            "endDate": done.backtest.endDate,
            "initialCapital": Decimal(1000),
        }
    )
    with pytest.raises(NothingToVerifyError):
        await attribute(db, done.backtest.id, pending.id)


def test_a_metric_that_is_undefined_has_no_effect() -> None:
    """Sharpe ratio undefined in a rerun: neither its effect nor the rest is a number."""
    one: dict[str, float | None] = dict.fromkeys(METRIC_NAMES)
    stored = ({**one, "beta": 1.0}, {**one, "beta": 4.0})
    found = metric_change("beta", stored, stored, {"rules": one}, engine=False)
    assert (found.change, found.effects, found.together) == (3.0, {"rules": None}, None)
    found = metric_change("alpha", stored, stored, {"rules": one}, engine=True)
    assert (found.change, found.together) == (None, None)
    # 4 - 1 = 3: 1.5 of rules, 2 of prices, 0.25 of the engine, and -0.75 together
    again = ({**one, "beta": 1.25}, {**one, "beta": 4.0})
    reruns = {"rules": {**one, "beta": 2.75}, "prices": {**one, "beta": 3.25}}
    found = metric_change("beta", stored, again, reruns, engine=True)
    assert found.effects == {"rules": 1.5, "prices": 2.0, "engine": 0.25}
    assert found.together == -0.75
