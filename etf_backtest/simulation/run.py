"""One run: from a panel, a strategy and rules to a result."""

from __future__ import annotations

import numpy as np

from etf_backtest.errors import CostsError, InvalidParametersError, SimulationError
from etf_backtest.frozen_mapping import FrozenMapping, frozen_json
from etf_backtest.market import PricePanel
from etf_backtest.market.rates import DatedRates, as_rate, rates_in_force
from etf_backtest.market.sessions import as_date
from etf_backtest.simulation.book import Book, Interest
from etf_backtest.simulation.costs import BASIS_POINT
from etf_backtest.simulation.kernel import CostsExceedValueError, run_events
from etf_backtest.simulation.notes import notes_on
from etf_backtest.simulation.orders import Desk
from etf_backtest.simulation.planning import Planned, plan_run
from etf_backtest.simulation.preparation import check_kinds, prepare
from etf_backtest.simulation.proportional import run_proportional
from etf_backtest.simulation.result import SimulationResult
from etf_backtest.simulation.rules import Rules
from etf_backtest.simulation.units import Units, units_of
from etf_backtest.strategies import Strategy
from etf_backtest.strategies.strategy import is_own
from etf_backtest.typing import DateArray, DateLike, FloatArray


def simulate(
    panel: PricePanel,
    strategy: Strategy,
    rules: Rules | None = None,
    *,
    benchmark: str | None = None,
    risk_free: float | DatedRates = 0.0,
    start: DateLike | None = None,
    end: DateLike | None = None,
) -> SimulationResult:
    """Run a strategy over the sessions from `start` to `end`.

    The initial capital is there at the close of the first session; the first targets are bought
    then, or `lag` sessions later. Later ones are decided when the rules say so and filled `lag`
    sessions after their decision, at the close. In between weights drift; the last session never
    trades. docs/conventions.md defines every step.

    Parameters
    ----------
    panel : PricePanel
        Sessions before `start` are history for the strategy and are never traded; symbols that are
        neither traded nor the benchmark are ignored.
    strategy : Strategy
        Its `symbols` are what is traded.
    rules : Rules, optional
        Defaults to `Rules()`.
    benchmark : str, optional
        A symbol of the panel, held all the time, to compare with.
    risk_free : float or DatedRates
        Annual rate for the metrics, a fraction, or a dated series of rates.
    start, end : date, optional
        The window, as in `PricePanel.window`; defaults to all of the panel.

    Raises
    ------
    UnknownSymbolError, WindowError, MissingPricesError, NoClosesError
        The panel does not have what the run needs.
    AllocationError
        The strategy returns weights that no portfolio can have.
    InvalidParametersError, RateError
        `risk_free` is no rate, or a series of rates begins too late.
    CostsError
        Orders would cost more than there is.
    SimulationError
        The value is not a number on some session: the prices are absurd.
    """
    rules = Rules() if rules is None else rules
    check_kinds(panel, strategy, rules)
    rate = check_risk_free(risk_free)
    prepared = prepare(panel, strategy, rules, benchmark, start, end)
    window = prepared.window
    rates_in_force(rate, window.dates)  # the metrics, which need them, are computed when asked for
    traded = window.select(strategy.symbols)
    # what overflows is refused below, and a value of 0 is ruin
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        planned = plan_run(prepared, strategy, rules)
        units = units_of(traded, rules)
        book = run_plan(units, traded.dates, planned, rules)
        against = _held_all_the_time(window, benchmark, rules.initial_capital, book.equity.size)
    _check_values(window.dates, book.equity, may_end=book.ruin is not None)
    if against is not None:
        _check_values(window.dates, against, may_end=False)
    return SimulationResult(
        panel=traded.rows(0, book.equity.size),
        book=book,
        units=units,
        benchmark=benchmark,
        benchmark_values=against,
        prepared=prepared,
        strategy=FrozenMapping({k: frozen_json(v) for k, v in strategy.to_dict().items()}),
        rules=rules,
        rebalance=planned.rebalancing,
        lag=planned.lag,
        decisions=None if is_own(strategy) else planned.digest(),
        risk_free=rate,
        notes=(
            *prepared.notes,
            *notes_on(window, strategy, planned=planned, rules=rules, book=book),
            *planned.notes,
        ),
    )


def run_plan(units: Units, dates: DateArray, planned: Planned, rules: Rules) -> Book:
    """The book of a plan: all at once where everything is proportional, else event by event.

    Raises
    ------
    CostsError
        Orders would cost more than there is.
    """
    plan = planned.plan
    interest = Interest.of(dates, rules.cash_rate, rules.borrow_rate)
    simple = (
        units.payouts is None
        and plan.bands is None
        and not plan.flows.rows.size
        and rules.lot_size is None
        and rules.costs.proportional
        and plan.fills.size > 0
        and float(plan.targets.sum(axis=1).max()) <= 1.0 + 1e-12
    )
    if simple:
        book = run_proportional(
            units.prices,
            interest,
            plan.fills,
            plan.targets,
            commission=rules.costs.commission_bps * BASIS_POINT,
            slippage=rules.costs.slippage_bps * BASIS_POINT,
            capital=rules.initial_capital,
        )
        if book is not None:
            return book
    desk = Desk(rules.costs, lot_size=rules.lot_size, borrows=rules.max_leverage > 1)
    try:
        return run_events(units, interest, plan, desk, rules.initial_capital)
    except CostsExceedValueError as error:
        raise CostsError(date=as_date(dates[error.row]), money=error.money) from None


def check_risk_free(annual: object) -> float | DatedRates:
    """A risk-free rate, from a number, a DatedRates, a mapping or a Series of dated rates.

    Raises
    ------
    InvalidParametersError, RateError
        It is none of these, or not between -1 and 1.
    """
    try:
        rate = as_rate(annual)
    except ValueError as error:
        raise InvalidParametersError(
            "simulate", [f"risk_free: expected an annual rate: {error}, received {annual}"]
        ) from None
    assert isinstance(rate, float | DatedRates)  # noqa: S101  # what as_rate returns
    return rate


def _held_all_the_time(
    window: PricePanel, symbol: str | None, capital: float, sessions: int
) -> FloatArray | None:
    if symbol is None:
        return None
    level = window.prices[:sessions, window.symbols.index(symbol)]
    values: FloatArray = capital * (level / level[0])
    return values


def _check_values(dates: DateArray, values: FloatArray, *, may_end: bool) -> None:
    good = np.isfinite(values) & (values > 0)
    if may_end:  # with nothing left, or a debt
        good[-1] = np.isfinite(values[-1])
    bad = np.flatnonzero(~good)
    if bad.size:
        raise SimulationError(date=as_date(dates[bad[0]]), value=float(values[bad[0]]))
