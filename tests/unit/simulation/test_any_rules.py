"""What must hold whatever the prices, the strategy and the rules are."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etf_backtest.simulation import Costs, Rules, SimulationResult
from etf_backtest.simulation.book import Interest
from etf_backtest.simulation.kernel import run_events
from etf_backtest.simulation.orders import Desk
from etf_backtest.simulation.planning import plan_run
from etf_backtest.simulation.preparation import prepare
from etf_backtest.simulation.proportional import run_proportional
from etf_backtest.simulation.schedule import decision_rows, fill_rows, flow_schedule
from etf_backtest.simulation.units import units_of
from etf_backtest.typing import FloatArray
from tests.unit.simulation.any_runs import (
    START,
    SYMBOLS,
    Run,
    any_run,
    proportional_costs,
    share_prices,
)

unhurried = settings(deadline=None)
"""A test is not wrong because the machine was busy."""


def shares_of(result: SimulationResult) -> FloatArray:
    """Shares after each session's trades, (T, N)."""
    shares: FloatArray = result.shares.to_numpy()
    return shares


@unhurried
@given(any_run())
def test_both_identities_hold_on_every_day(run: Run) -> None:
    result = run.result()
    value = result.book.cash + (shares_of(result) * share_prices(result)).sum(axis=1)
    np.testing.assert_allclose(result.book.equity, value, rtol=1e-12)
    assert result.change_of_value.unexplained() < 1e-12
    assert result.book.equity[0] == pytest.approx(run.rules.initial_capital, rel=1e-14)


@unhurried
@given(any_run(leverage=False))
def test_nobody_borrows_unless_borrowing_is_on(run: Run) -> None:
    result = run.result()
    assert result.book.cash.min() >= 0
    assert result.book.units.min() >= 0


@unhurried
@given(any_run())
def test_nobody_is_ever_short(run: Run) -> None:
    assert run.result().book.units.min() >= 0


@unhurried
@given(any_run(splits=False), st.sampled_from((1.0, 7.0, 100.0)))
def test_shares_are_multiples_of_the_lot(run: Run, lot: float) -> None:
    lots = shares_of(run.result(lot_size=lot)) / lot
    np.testing.assert_allclose(lots, np.round(lots), rtol=0, atol=1e-8)


@unhurried
@given(any_run())
def test_trades_and_costs_are_told_one_by_one(run: Run) -> None:
    result = run.result()
    trades, quotes, costs = result.trades, result.panel.quotes, run.rules.costs
    shares, closes = shares_of(result), share_prices(result)
    dates = result.equity.index
    # after the splits and the reinvested dividends of a session, trades are what changes
    bought = trades.pivot_table(index="date", columns="symbol", values="shares", aggfunc="sum")
    moved = bought.reindex(index=dates, columns=list(SYMBOLS)).fillna(0.0).to_numpy()
    splits = np.ones_like(shares)
    if quotes is not None:
        splits = np.nan_to_num(quotes.splits, nan=1.0)
    before = np.zeros_like(shares)
    before[1:] = shares[:-1] * splits[1:]
    added = shares - before - moved
    if quotes is not None and run.rules.dividends == "reinvest":
        assert added.min() >= -1e-9 * np.abs(shares).max()
        added = np.where(np.nan_to_num(quotes.dividends) > 0, 0.0, added)
    np.testing.assert_allclose(added, 0.0, atol=1e-9 * max(1.0, np.abs(shares).max()))
    # each at its close, each with its costs
    rows = dates.get_indexer(pd.DatetimeIndex(trades["date"]))
    columns = [SYMBOLS.index(symbol) for symbol in trades["symbol"]]
    size, price = trades["shares"].abs(), trades["price"]
    np.testing.assert_allclose(price, closes[rows, columns], rtol=1e-12)
    np.testing.assert_allclose(trades["notional"], trades["shares"] * price, rtol=1e-14)
    commission = np.maximum(
        costs.commission_min,
        costs.commission_fixed
        + costs.commission_bps / 1e4 * size * price
        + costs.commission_per_share * size,
    )
    scale = float(np.abs(result.book.equity).max())
    np.testing.assert_allclose(trades["commission"], commission, rtol=1e-9, atol=1e-12 * scale)
    np.testing.assert_allclose(
        trades["slippage"], costs.slippage_bps / 1e4 * size * price, rtol=1e-9, atol=1e-12 * scale
    )
    paid = trades[["commission", "slippage"]].sum(axis=1).groupby(trades["date"]).sum()
    np.testing.assert_allclose(
        result.costs, paid.reindex(dates).fillna(0.0), rtol=1e-12, atol=1e-12 * scale
    )


@unhurried
@given(any_run())
def test_nothing_trades_without_a_reason(run: Run) -> None:
    result = run.result()
    dates, lag = result.prepared.window.dates, result.lag
    decisions = decision_rows(dates, result.rebalance)
    reasons = set(fill_rows(decisions, lag=lag, sessions=dates.size).tolist())
    reasons |= set(flow_schedule(dates, run.rules.cash_flows).rows.tolist())
    bands = result.rebalance.bands
    traded = set(result.book.fills.tolist())
    assert dates.size - 1 not in traded
    if bands is None:
        assert traded <= reasons
    elif not run.strategy.looks_at_prices:  # its targets are known without asking again
        assert all(_left_its_band(run, result, row - lag) for row in traded - reasons)
    assert result.book.flows[0] == result.book.flows[-1] == 0


def _left_its_band(run: Run, result: SimulationResult, row: int) -> bool:
    """Whether weights before the trades of a row were out of the bands around the last targets."""
    bands, book = result.rebalance.bands, result.book
    assert bands is not None
    held = book.units[row - 1] * result.units.prices[row]
    if result.units.payouts is not None and result.rules.lot_size is not None:
        return True  # lots of dividends were bought in between; the ledger checks those
    interest = book.interest[row]
    paid = 0.0 if result.units.payouts is None else result.units.payouts[row] @ book.units[row - 1]
    before = book.cash[row - 1] - (book.costs[0] if row == 1 else 0.0)
    weights = held / (before + interest + paid + held.sum())
    targets = run.strategy.target_weights(run.panel)
    gaps, near = np.abs(weights - targets), 1e-9
    absolute = bands.absolute is not None and gaps.max() > bands.absolute - near
    relative = bands.relative is not None and (gaps > bands.relative * targets - near).any()
    return bool(absolute or relative)


@unhurried
@given(any_run(), st.integers(30, 119))
def test_the_future_changes_nothing(run: Run, cut: int) -> None:
    assume(run.strategy.needed_sessions <= cut)  # it could never decide
    full = run.result().book
    short = Run(run.panel.rows(0, cut), run.strategy, run.rules).result().book
    known = cut - START - 1  # the last session of a window never trades
    if short.equity.size < known + 1:  # ruined before
        known = short.equity.size
    for name in ("units", "flows", "costs"):
        early, late = getattr(short, name)[:known], getattr(full, name)[:known]
        np.testing.assert_allclose(early, late, rtol=1e-12, atol=1e-12 * np.abs(late).max())
    for name in ("equity", "cash", "interest"):
        early, late = getattr(short, name)[:known], getattr(full, name)[:known]
        np.testing.assert_allclose(early, late, rtol=1e-12, atol=1e-12 * full.equity.max())


@unhurried
@given(any_run(lots=False), st.floats(0.1, 100))
def test_all_money_times_a_factor(run: Run, factor: float) -> None:
    """Everything in currency, per-share commissions aside: they are on shares, which scale, too."""
    costs = run.rules.costs.model_dump()
    scaled_costs = {
        **costs,
        "commission_fixed": costs["commission_fixed"] * factor,
        "commission_min": costs["commission_min"] * factor,
    }
    flows = [
        flow if flow.amount is None else flow.model_copy(update={"amount": flow.amount * factor})
        for flow in run.rules.cash_flows
    ]
    once = run.result().book
    capital = run.rules.initial_capital * factor
    scaled = run.result(initial_capital=capital, costs=scaled_costs, cash_flows=flows).book
    for name in ("equity", "cash", "flows", "costs"):
        np.testing.assert_allclose(
            getattr(scaled, name),
            getattr(once, name) * factor,
            rtol=1e-9,
            atol=1e-9 * capital,
        )


@unhurried
@given(any_run(), st.permutations(SYMBOLS))
def test_the_order_of_the_columns_means_nothing(run: Run, order: list[str]) -> None:
    """Of the panel; the strategy keeps its own."""
    straight = run.result()
    mixed = Run(run.panel.select(order), run.strategy, run.rules).result()
    assert mixed.equity.tolist() == straight.equity.tolist()
    assert mixed.fingerprint == straight.fingerprint


@unhurried
@given(any_run(costs=st.just(Costs()), lots=False))
def test_flows_do_not_touch_the_time_weighted_returns(run: Run) -> None:
    """Without costs and lots, where flows keep the mix, they change the size alone."""
    rebalance = run.result().rebalance.model_copy(update={"cashflow": False})
    with_flows = run.result(rebalance=rebalance)
    without = run.result(rebalance=rebalance, cash_flows=())
    # a flow below 1e-9 of the value is too small for orders, and stays in cash
    np.testing.assert_allclose(with_flows.returns, without.returns, rtol=0, atol=1e-10)


@unhurried
@given(any_run())
def test_flows_arrive_as_planned(run: Run) -> None:
    result = run.result()
    if result.ruin_date is not None:
        return
    book, planned = result.book, flow_schedule(result.panel.dates, run.rules.cash_flows)
    change = result.change_of_value
    # the value before the day's flow, costs and orders
    before = book.equity.copy()
    before[1:] -= change.flows
    before += book.costs
    expected = planned.amounts + planned.fractions * before
    np.testing.assert_allclose(book.flows, expected, rtol=1e-9, atol=1e-9 * before.max())


@unhurried
@given(any_run(lots=False, leverage=False, costs=proportional_costs))
def test_the_two_kernels_give_the_same_book(run: Run) -> None:
    """All segments at once, and from one event to the next."""
    rebalance = run.rules.rebalance and run.rules.rebalance.model_copy(update={"bands": None})
    changes = {"rebalance": rebalance, "cash_flows": (), "dividends": "reinvest"}
    rules = Rules.model_validate({**dict(run.rules), **changes})
    prepared = prepare(run.panel, run.strategy, rules, None, run.panel.dates[START], None)
    plan = plan_run(prepared, run.strategy, rules).plan
    units = units_of(prepared.window, rules)
    interest = Interest.of(prepared.window.dates, rules.cash_rate, None)
    capital = rules.initial_capital
    if not plan.fills.size:
        return
    at_once = run_proportional(
        units.prices,
        interest,
        plan.fills,
        plan.targets,
        commission=rules.costs.commission_bps * 1e-4,
        slippage=rules.costs.slippage_bps * 1e-4,
        capital=capital,
    )
    desk = Desk(rules.costs, lot_size=None, borrows=False)
    one_by_one = run_events(units, interest, plan, desk, capital)
    if at_once is None:  # an order is too small to be one
        return
    for name in ("equity", "cash", "costs", "flows", "interest"):
        np.testing.assert_allclose(
            getattr(at_once, name), getattr(one_by_one, name), rtol=1e-12, atol=1e-12 * capital
        )
    smallest = 1e-12 * capital / units.prices.min()
    np.testing.assert_allclose(at_once.units, one_by_one.units, rtol=1e-12, atol=smallest)
    some = at_once.traded.any(axis=1)
    assert at_once.fills[some].tolist() == one_by_one.fills.tolist()
    for name in ("traded", "commission", "slippage"):
        np.testing.assert_allclose(
            getattr(at_once, name)[some],
            getattr(one_by_one, name),
            rtol=1e-12,
            atol=1e-12 * capital,
        )
