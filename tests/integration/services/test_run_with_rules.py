"""Every rule through the service: what is stored, and rules that contradict each other."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from etf_backtest.database.connection import Database
from etf_backtest.database.price_store import store_bars
from etf_backtest.errors import InvalidParametersError, NoClosesError, RateError, WindowError
from etf_backtest.market.bar import Bar
from etf_backtest.market.rates import DatedRates
from etf_backtest.metrics import METRIC_NAMES
from etf_backtest.services.backtest import run_backtest
from etf_backtest.services.metrics_row import metrics_row
from etf_backtest.services.portfolios import create_portfolio
from etf_backtest.simulation import CashFlow, Costs, Rules
from tests.integration.services.conftest import AddPrices

AAA, BBB = ["100", "110", "121", "121", "110"], ["50", "50", "50", "55", "55"]


async def two_funds(db: Database, add_prices: AddPrices) -> None:
    await create_portfolio(
        db,
        name="p",
        allocations={"AAA": Decimal("0.5"), "BBB": Decimal("0.5")},
        initial_capital=Decimal(1000),
    )
    await add_prices("AAA", AAA)
    await add_prices("BBB", BBB)


async def test_flows_and_costs_are_kept_with_the_rules(db: Database, add_prices: AddPrices) -> None:
    """By hand: buys of x each cost 1 % of x, 2x * 1.01 = 1000; the flow of 100 buys pro rata."""
    await two_funds(db, add_prices)
    rules = Rules(
        costs=Costs(commission_bps=100),
        cash_flows=[CashFlow(amount=100, on=dt.date(2024, 1, 3))],
        cash_rate=DatedRates.of({"2023-12-01": 0.02}),
    )
    run = await run_backtest(
        db,
        portfolio="p",
        strategy="buy-and-hold",
        rules=rules,
        risk_free=DatedRates.of({"2023-01-01": 0.01, "2024-01-02": 0.03}),
    )
    results: Any = run.backtest.results
    each = 1000 / 2.02
    assert results["equity"][0] == 1000
    assert results["equity"][1] == pytest.approx(each * 1.1 + each, rel=1e-12)
    assert results["flows"] == {"2024-01-03": 100.0}
    value = each * 1.21 + each
    assert results["costs"] == {
        "2024-01-01": pytest.approx(2 * each * 0.01, rel=1e-12),
        # 100 is spent on orders and their costs
        "2024-01-03": pytest.approx(100 / 1.01 * 0.01, rel=1e-9),
    }
    assert results["equity"][2] == pytest.approx(value + 100 / 1.01, rel=1e-9)
    options: Any = run.backtest.options
    assert Rules.model_validate(
        {key: value for key, value in options.items() if key != "risk_free"}
    ) == rules.model_copy(update={"initial_capital": 1000.0})
    assert options["risk_free"] == {"2023-01-01": 0.01, "2024-01-02": 0.03}
    assert options["cash_rate"] == {"2023-12-01": 0.02}
    assert results["schema"] == 2
    assert run.backtest.metrics is not None
    assert run.backtest.metrics.turnover is not None


async def test_the_capital_is_the_portfolios_unless_it_is_given(
    db: Database, add_prices: AddPrices
) -> None:
    await two_funds(db, add_prices)
    for given, expected in (
        ({}, 1000),
        ({"rules": Rules(lag=1)}, 1000),
        ({"rules": Rules(initial_capital=500)}, 500),
        ({"initial_capital": Decimal("2000.50")}, Decimal("2000.50")),
        ({"initial_capital": 2000.5, "rules": Rules(lag=0)}, Decimal("2000.50")),
    ):
        arguments: dict[str, Any] = given
        run = await run_backtest(db, portfolio="p", strategy="buy-and-hold", **arguments)
        assert run.backtest.initialCapital == expected
        assert run.result.book.equity[0] == float(expected)


async def test_a_rule_that_is_given_twice_is_an_error(db: Database, add_prices: AddPrices) -> None:
    await two_funds(db, add_prices)
    for given in (
        {"rebalance": "monthly"},
        {"lag": 1},
        {"cash_rate": 0.0},
        {"missing": "common"},
        {"initial_capital": 1},
    ):
        (name,) = given
        arguments: dict[str, Any] = given
        rules = Rules.model_validate(given)
        with pytest.raises(InvalidParametersError, match=f"{name}: given in the rules and as"):
            await run_backtest(db, portfolio="p", strategy="buy-and-hold", rules=rules, **arguments)
    assert await db.backtest.count() == 0


async def test_what_no_run_can_begin_with_is_refused_before_a_row_is_written(
    db: Database, add_prices: AddPrices
) -> None:
    await two_funds(db, add_prices)
    late = DatedRates.of({"2024-01-02": 0.02})
    for arguments, error, message in (
        ({"rules": Rules(dividends="cash")}, NoClosesError, "AAA has total-return prices only"),
        ({"rules": Rules(cash_rate=late)}, RateError, "begin on 2024-01-02, after the first"),
        ({"risk_free": late}, RateError, "begin on 2024-01-02, after the first"),
        (
            {"rules": Rules(max_leverage=2, borrow_rate=late)},
            RateError,
            "begin on 2024-01-02, after the first",
        ),
        (
            {"strategy": "momentum", "end": dt.date(2024, 1, 3)},
            WindowError,
            "looks back over 4 sessions, but from 2024-01-01 .* there are 3",
        ),
    ):
        given: Any = {"strategy": "buy-and-hold", **arguments}
        with pytest.raises(error, match=message):
            await run_backtest(db, portfolio="p", **given)
    assert await db.backtest.count() == 0


async def test_dividends_as_cash_and_lots_where_closes_are_known(db: Database) -> None:
    """1000 buys 9 lots of one share at 100; 3 a share on the second day stay cash."""
    await create_portfolio(
        db, name="p", allocations={"AAA": Decimal("0.95")}, initial_capital=Decimal(1000)
    )
    days = [dt.date(2024, 1, day) for day in (2, 3, 4)]
    bars = [
        Bar("AAA", day, close=Decimal(close), dividend_amount=Decimal(paid), split_ratio=Decimal(1))
        for day, close, paid in zip(days, (100, 99, 101), (0, 3, 0), strict=True)
    ]
    await store_bars(db.url, bars, source="test")
    run = await run_backtest(
        db, portfolio="p", strategy="buy-and-hold", rules=Rules(dividends="cash", lot_size=1)
    )
    results: Any = run.backtest.results
    assert results["equity"] == pytest.approx(
        [1000, 100 + 9 * 99 + 27, 100 + 27 + 9 * 101], rel=1e-12
    )
    assert results["cash"] == pytest.approx([100, 127, 127], rel=1e-12)


async def test_money_that_runs_out_is_a_completed_run(db: Database, add_prices: AddPrices) -> None:
    await two_funds(db, add_prices)
    rules = Rules(cash_flows=[CashFlow(amount=-2000, on=dt.date(2024, 1, 4))])
    run = await run_backtest(db, portfolio="p", strategy="buy-and-hold", rules=rules)
    assert run.backtest.status == "completed"
    results: Any = run.backtest.results
    assert results["ruin"]["date"] == "2024-01-04"
    assert results["equity"][-1] == 0
    assert len(results["dates"]) == 4
    assert run.backtest.metrics is not None
    assert run.backtest.metrics.totalReturn is not None


async def test_each_metric_is_stored_in_the_column_of_its_name(
    db: Database, add_prices: AddPrices
) -> None:
    """Every metric gets a number of its own; `cagr` stands in annualized_return."""
    await two_funds(db, add_prices)
    run = await run_backtest(db, portfolio="p", strategy="buy-and-hold")
    numbers = {name: 0.01 * place for place, name in enumerate(METRIC_NAMES, start=1)}
    numbers["max_drawdown"] *= -1
    # in place of the metrics that it has worked out and kept
    fields: dict[str, Any] = {**numbers, "undefined": {}}
    vars(run.result)["metrics"] = replace(run.result.metrics, **fields)
    row, warnings = metrics_row(run.backtest.id, run.result)
    assert warnings == ()
    await db.performancemetrics.delete(where={"backtestId": run.backtest.id})
    await db.performancemetrics.create(data=row)
    (stored,) = await db.query_raw("SELECT * FROM performance_metrics")
    columns = {name: name for name in METRIC_NAMES} | {"cagr": "annualized_return"}
    assert {name: float(stored[column]) for name, column in columns.items()} == {
        name: pytest.approx(number, rel=1e-12) for name, number in numbers.items()
    }
    others = {"id", "backtest_id", "window_start", "window_end", "sessions"}
    assert stored.keys() - others - {"created_at", "updated_at"} == set(columns.values())
