"""Run a backtest and keep it: pending, running, then completed with its results or failed."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

from etf_backtest import __version__
from etf_backtest.database.models import BacktestStatus, PrismaError, to_json
from etf_backtest.errors import (
    AmbiguousIdError,
    BacktestFailedError,
    EtfBacktestError,
    NotFoundError,
)
from etf_backtest.services.accounts import local_user
from etf_backtest.services.metrics_row import metrics_row
from etf_backtest.services.portfolios import (
    check_capital,
    check_name,
    find_portfolio,
    parse_uuid,
)
from etf_backtest.services.price_panel import FittedWindow, fit_window, load_prices
from etf_backtest.services.strategies import find_strategy
from etf_backtest.simulation import CONVENTIONS_VERSION, Rules, check_risk_free, simulate
from etf_backtest.strategies import build_strategy

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Backtest, BacktestWhereInput, Portfolio
    from etf_backtest.database.models import Strategy as StrategyRow
    from etf_backtest.market import MissingPolicy, PricePanel
    from etf_backtest.simulation import SimulationResult
    from etf_backtest.strategies import Rebalance, Strategy


@dataclass(frozen=True, slots=True)
class BacktestRun:
    """A completed backtest: its row, with metrics, and the result that the row was made from."""

    backtest: Backtest
    result: SimulationResult


STORE_WITHIN = dt.timedelta(minutes=5)
"""For the one transaction that stores a result: a daily schedule over decades has many trades."""
LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class _Request:
    """All that a run needs, checked."""

    portfolio: Portfolio
    strategy_row: StrategyRow
    strategy: Strategy
    rules: Rules
    benchmark: str | None
    risk_free: float
    panel: PricePanel
    window: FittedWindow
    notes: tuple[str, ...]


async def run_backtest(
    db: Database,
    *,
    portfolio: str,
    strategy: str,
    start: dt.date | None = None,
    end: dt.date | None = None,
    benchmark: str | None = None,
    name: str | None = None,
    initial_capital: Decimal | None = None,
    rebalance: Rebalance | None = None,
    lag: int | None = None,
    cash_rate: float = 0.0,
    risk_free: float = 0.0,
    missing: MissingPolicy = "error",
) -> BacktestRun:
    """Run a stored strategy on a stored portfolio and keep what comes out.

    The row is written before the work begins and says at every moment how far it is; results,
    metrics and the status completed are written in one transaction.

    Parameters
    ----------
    db : Database
        Connected.
    portfolio, strategy : str
        Name or id.
    start, end : date, optional
        The window, by default the longest for which every symbol has prices. A day without trading
        stands for the next session (start) or the one before (end).
    benchmark : str, optional
        A symbol with stored prices, bought and held.
    name : str, optional
        Of the row; by default made of portfolio and strategy.
    initial_capital : Decimal, optional
        By default the portfolio's.
    rebalance, lag, cash_rate, missing
        See `etf_backtest.Rules`.
    risk_free : float
        A year, a fraction.

    Returns
    -------
    BacktestRun

    Raises
    ------
    NotFoundError, InvalidParametersError, InvalidPortfolioError, NoPricesError, WindowError, \
    UncoveredWindowError
        What was asked for cannot be; no row was written.
    BacktestFailedError
        The computation failed; the row says failed, with the reason.
    """
    portfolio_row = await find_portfolio(db, portfolio)
    strategy_row = await find_strategy(db, strategy)
    capital = portfolio_row.initialCapital if initial_capital is None else initial_capital
    check_capital(capital)
    check_risk_free(risk_free)
    title = (name or f"{portfolio_row.name}: {strategy_row.name}")[:LONGEST_NAME]
    check_name(title if name is None else name)
    rules = Rules(
        initial_capital=float(capital),
        rebalance=rebalance,
        lag=lag,
        cash_rate=cash_rate,
        missing=missing,
    )
    allocations = {h.symbol: float(h.allocation) for h in portfolio_row.holdings or []}
    built = build_strategy(str(strategy_row.type), dict(strategy_row.parameters), allocations)
    against = None if benchmark is None else benchmark.upper()
    loaded = await load_prices(db.url, [*built.symbols, *([against] if against else [])])
    window = fit_window(loaded.panel, start, end, missing)
    request = _Request(
        portfolio_row,
        strategy_row,
        built,
        rules,
        against,
        risk_free,
        loaded.panel,
        window,
        (*_allocation_notes(built, allocations), *loaded.notes, *window.notes),
    )
    row_id = str(uuid4())
    creation = asyncio.ensure_future(
        db.backtest.create(
            data={
                "id": row_id,
                "userId": portfolio_row.userId,
                "portfolioId": portfolio_row.id,
                "strategyId": strategy_row.id,
                "name": title,
                "startDate": _midnight(start or window.start),
                "endDate": _midnight(end or window.end),
                "initialCapital": capital,
                "benchmarkSymbol": against,
                "options": to_json({**rules.to_dict(), "risk_free": risk_free}),
            }
        )
    )
    try:
        # whoever cancels must not leave a row behind that is written after it was looked for
        await asyncio.shield(creation)
        return await _run(db, row_id, request)
    except EtfBacktestError as error:
        await _mark_failed(db, row_id, str(error), error)
        raise BacktestFailedError(row_id, error.message, remedy=error.remedy) from error
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        await asyncio.wait([creation])
        await _mark_failed(db, row_id, "interrupted", error)
        raise
    except BaseException as error:
        # a bug, or the database is gone: the row must not say running for ever
        await _mark_failed(db, row_id, f"{type(error).__name__}: {error}", error)
        raise


async def _run(db: Database, backtest_id: str, request: _Request) -> BacktestRun:
    """Take a pending row through running to completed."""
    await db.backtest.update(
        where={"id": backtest_id},
        data={
            "status": BacktestStatus.running,
            "engineVersion": __version__,
            "conventionsVersion": CONVENTIONS_VERSION,
        },
    )
    result = simulate(
        request.panel,
        request.strategy,
        request.rules,
        benchmark=request.benchmark,
        risk_free=request.risk_free,
        start=request.window.start,
        end=request.window.end,
    )
    return BacktestRun(await _complete(db, backtest_id, result, request.notes), result)


def _allocation_notes(strategy: Strategy, allocations: Mapping[str, float]) -> tuple[str, ...]:
    """A word to whoever expects fractions to be kept by a strategy that ignores them."""
    even = len(set(allocations.values())) == 1 and math.isclose(sum(allocations.values()), 1.0)
    if strategy.uses_allocations or even:
        return ()
    return (
        f"{strategy.name} chooses among the portfolio's symbols and invests all of the money; the "
        "portfolio's fractions play no part",
    )


async def _complete(
    db: Database, backtest_id: str, result: SimulationResult, notes: tuple[str, ...]
) -> Backtest:
    metrics, warnings = metrics_row(backtest_id, result)
    results = {**result.to_dict(), "warnings": [*notes, *result.warnings, *warnings]}
    async with db.tx(max_wait=STORE_WITHIN, timeout=STORE_WITHIN) as transaction:
        await transaction.performancemetrics.create(data=metrics)
        row = await transaction.backtest.update(
            where={"id": backtest_id},
            data={"status": BacktestStatus.completed, "results": to_json(results)},
            include={"metrics": True, "portfolio": True, "strategy": True},
        )
    if row is None:
        raise NotFoundError("backtest", backtest_id, known=(), command="backtest list")
    return row


async def _mark_failed(db: Database, backtest_id: str, reason: str, error: BaseException) -> None:
    """Mark the row failed, if it was written; `error` is on its way and stays the one raised."""
    marking = db.backtest.update_many(
        where={"id": backtest_id},
        data={"status": BacktestStatus.failed, "errorMessage": reason},
    )
    try:
        await asyncio.shield(marking)
    except PrismaError as second:
        error.add_note(f"backtest {backtest_id} could not be marked as failed: {second}")


async def list_backtests(
    db: Database, *, status: str | None = None, limit: int = 50
) -> list[Backtest]:
    """The local user's backtests with their metrics, newest first; of one status where given."""
    user = await local_user(db)
    where: BacktestWhereInput = {"userId": user.id}
    if status is not None:
        where["status"] = BacktestStatus(status)
    return await db.backtest.find_many(
        where=where,
        take=limit,
        order={"createdAt": "desc"},
        include={"metrics": True, "portfolio": True, "strategy": True},
    )


async def find_backtest(db: Database, backtest_id: str) -> Backtest:
    """One of the local user's backtests, by its id or by the first characters of it.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        There is none, or more than one.
    """
    user = await local_user(db)
    full_id = parse_uuid(backtest_id)
    if full_id is None:
        matching = await db.query_raw(
            "SELECT id::text FROM backtests WHERE user_id = $1::uuid AND starts_with(id::text, $2)",
            user.id,
            backtest_id.lower(),
        )
        if len(matching) > 1:
            raise AmbiguousIdError("backtest", backtest_id, count=len(matching))
        full_id = matching[0]["id"] if matching else None
    row = full_id and await db.backtest.find_first(
        where={"id": full_id, "userId": user.id},
        include={"metrics": True, "portfolio": True, "strategy": True},
    )
    if not row:
        raise NotFoundError("backtest", backtest_id, known=(), command="backtest list")
    return row


def _midnight(date: dt.date) -> dt.datetime:
    return dt.datetime.combine(date, dt.time(tzinfo=dt.UTC))
