"""Run a backtest here and now and keep it, or leave it to a worker."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

from etf_backtest import __version__
from etf_backtest.database.models import (
    BacktestStatus,
    PrismaError,
    UniqueViolationError,
    to_json,
)
from etf_backtest.errors import BacktestFailedError, EtfBacktestError
from etf_backtest.services.acting import Who, acting_user
from etf_backtest.services.request import asked_for, check_request
from etf_backtest.services.stored_run import outcome_of, pending_row
from etf_backtest.simulation import CONVENTIONS_VERSION, Rules, simulate

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Backtest, BacktestCreateInput
    from etf_backtest.market import MissingPolicy
    from etf_backtest.market.rates import DatedRates
    from etf_backtest.services.request import Request
    from etf_backtest.simulation import SimulationResult
    from etf_backtest.strategies import Rebalance


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
    user: Who = None,
) -> BacktestRun:
    """Run a stored strategy on a stored portfolio, and keep what comes out.

    Everything is checked first, then computed; then the row, its results and its metrics are
    written in one transaction. A process that is killed on the way has stored nothing.

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
    user : Actor or str, optional
        Whose run it is: see `acting_user`.

    Returns
    -------
    BacktestRun

    Raises
    ------
    EtfBacktestError
        What was asked for cannot be (see `check_request`); no row was written.
    BacktestFailedError
        The computation failed; a row was stored that says failed, with the reason.
    """
    request = await check_request(
        db,
        asked_for(
            portfolio=portfolio,
            strategy=strategy,
            rules=rules,
            start=start,
            end=end,
            benchmark=benchmark,
            name=name,
            risk_free=risk_free,
            initial_capital=initial_capital,
            rebalance=rebalance,
            lag=lag,
            cash_rate=cash_rate,
            missing=missing,
            rebalance_offset=rebalance_offset,
            proxies=proxies,
        ),
        await acting_user(db, user),
    )
    row_id, began = str(uuid4()), dt.datetime.now(dt.UTC)
    row: BacktestCreateInput = {
        **pending_row(request),
        "id": row_id,
        "queuedAt": began,
        "startedAt": began,
        "engineVersion": __version__,
        "conventionsVersion": CONVENTIONS_VERSION,
    }
    try:
        result = simulate(
            request.panel,
            request.strategy,
            request.rules,
            benchmark=request.benchmark,
            risk_free=request.risk_free,
            start=request.window.start,
            end=request.window.end,
        )
        return BacktestRun(await _store(db, row, result, request), result)
    except EtfBacktestError as error:
        await _store_failure(db, row, str(error), error)
        raise BacktestFailedError(row_id, error.message, remedy=error.remedy) from error
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        await _store_failure(db, row, "interrupted", error)
        raise
    except BaseException as error:
        # a bug, or the database is gone: what was tried is told, where it can be
        await _store_failure(db, row, f"{type(error).__name__}: {error}", error)
        raise


async def _store(
    db: Database,
    row: BacktestCreateInput,
    result: SimulationResult,
    request: Request,
) -> Backtest:
    """The completed row with its metrics, in one transaction."""
    outcome = outcome_of(row["id"], result, notes=request.notes, prices=request.prices)
    async with db.tx(max_wait=STORE_WITHIN, timeout=STORE_WITHIN) as transaction:
        stored = await transaction.backtest.create(
            data={
                **row,
                "status": BacktestStatus.completed,
                "results": to_json(outcome.results),
            },
            include={"portfolio": True, "strategy": True},
        )
        stored.metrics = await transaction.performancemetrics.create(data=outcome.metrics)
    return stored


async def _store_failure(
    db: Database, row: BacktestCreateInput, reason: str, error: BaseException
) -> None:
    """A failed row, if it is not stored as completed; `error` is on its way and stays the one."""
    storing = db.backtest.create(
        data={**row, "status": BacktestStatus.failed, "errorMessage": reason}
    )
    try:
        await asyncio.shield(storing)
    except UniqueViolationError:
        pass  # interrupted after it was stored
    except PrismaError as second:
        error.add_note(f"backtest {row.get('id')} could not be stored as failed: {second}")
