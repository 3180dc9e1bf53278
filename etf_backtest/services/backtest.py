"""Run a backtest and keep it: pending, running, then completed with its results or failed."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

from etf_backtest import __version__
from etf_backtest.database.models import BacktestStatus, PrismaError, to_json
from etf_backtest.errors import BacktestFailedError, EtfBacktestError, NotFoundError
from etf_backtest.services.metrics_row import metrics_row
from etf_backtest.services.portfolios import check_capital
from etf_backtest.services.request import Asked, Request, check_request, rules_with
from etf_backtest.simulation import CONVENTIONS_VERSION, Rules, simulate
from etf_backtest.simulation.result_data import rate_as_data

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Backtest
    from etf_backtest.database.price_store import DataState
    from etf_backtest.market import MissingPolicy
    from etf_backtest.market.rates import DatedRates
    from etf_backtest.simulation import SimulationResult
    from etf_backtest.strategies import Rebalance
    from etf_backtest.typing import JsonObject


@dataclass(frozen=True, slots=True)
class BacktestRun:
    """A completed backtest: its row, with metrics, and the result that the row was made from."""

    backtest: Backtest
    result: SimulationResult


STORE_WITHIN = dt.timedelta(minutes=5)
"""For the one transaction that stores a result: a daily schedule over decades has many trades."""


async def run_backtest(
    db: Database,
    *,
    portfolio: str,
    strategy: str,
    rules: Rules | None = None,
    start: dt.date | None = None,
    end: dt.date | None = None,
    benchmark: str | None = None,
    name: str | None = None,
    risk_free: float | DatedRates = 0.0,
    initial_capital: Decimal | float | None = None,
    rebalance: Rebalance | None = None,
    lag: int | None = None,
    cash_rate: float | DatedRates | None = None,
    missing: MissingPolicy | None = None,
    rebalance_offset: int | None = None,
    proxies: bool = True,
) -> BacktestRun:
    """Run a stored strategy on a stored portfolio and keep what comes out.

    Everything is checked first. Then the row is written, which says at every moment how far it is;
    results, metrics and the status completed are written in one transaction.

    Parameters
    ----------
    db : Database
        Connected.
    portfolio, strategy : str
        Name or id.
    rules : Rules, optional
        Where they do not say it, the initial capital is the portfolio's.
    start, end : date, optional
        The window, by default the longest for which every symbol has prices. A day without trading
        stands for the next session (start) or the one before (end).
    benchmark : str, optional
        A symbol with stored prices, bought and held.
    name : str, optional
        Of the row; by default made of portfolio and strategy.
    risk_free : float or DatedRates
        A year, a fraction, or a dated series.
    initial_capital, rebalance, lag, cash_rate, missing
        Single rules without a `Rules`; one that stands in `rules` as well is an error.
    rebalance_offset : int, optional
        Sessions after the end of each period of the strategy's own calendar, where the rules leave
        that to the strategy.
    proxies : bool
        Whether the proxies of young funds stand before their own prices (see `define_proxy`).

    Returns
    -------
    BacktestRun

    Raises
    ------
    EtfBacktestError
        What was asked for cannot be (see `check_request`); no row was written.
    BacktestFailedError
        The computation failed; the row says failed, with the reason.
    """
    if initial_capital is not None:
        check_capital(Decimal(str(initial_capital)))
    single = {"rebalance": rebalance, "lag": lag, "cash_rate": cash_rate, "missing": missing}
    chosen = rules_with(rules, initial_capital=initial_capital, **single)
    request = await check_request(
        db,
        Asked(
            portfolio,
            strategy,
            chosen,
            start,
            end,
            benchmark,
            name,
            risk_free,
            rebalance_offset,
            proxies,
        ),
    )
    row_id = str(uuid4())
    creation = asyncio.ensure_future(
        db.backtest.create(
            data={
                "id": row_id,
                "userId": request.portfolio.userId,
                "portfolioId": request.portfolio.id,
                "strategyId": request.strategy_row.id,
                "name": request.title,
                "startDate": _midnight(start or request.window.start),
                "endDate": _midnight(end or request.window.end),
                "initialCapital": request.capital,
                "benchmarkSymbol": request.benchmark,
                "dataRevision": request.prices.number,
                "options": to_json(
                    {**request.rules.to_dict(), "risk_free": rate_as_data(request.risk_free)}
                ),
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


async def _run(db: Database, backtest_id: str, request: Request) -> BacktestRun:
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
    return BacktestRun(await _complete(db, backtest_id, result, request), result)


async def _complete(
    db: Database, backtest_id: str, result: SimulationResult, request: Request
) -> Backtest:
    metrics, warnings = metrics_row(backtest_id, result)
    results = {
        **result.to_dict(),
        "warnings": [*request.notes, *result.warnings, *warnings],
        "prices": state_as_data(request.prices),
    }
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


def state_as_data(state: DataState) -> JsonObject:
    """The state of prices that a run used, for its results."""
    symbols = {symbol: each.revision for symbol, each in state.symbols.items()}
    return {"revision": state.number, "symbols": symbols}


def _midnight(date: dt.date) -> dt.datetime:
    return dt.datetime.combine(date, dt.time(tzinfo=dt.UTC))
