"""From a queued backtest's id to the end of it, whatever happens on the way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from etf_backtest.errors import (
    ComputationDiedError,
    ComputationError,
    LostClaimError,
    TryAgainError,
)
from etf_backtest.errors.wording import quoted, shortened
from etf_backtest.services.jobs.asked import asked_by, metrics_said, record_of
from etf_backtest.services.jobs.claim import (
    Claim,
    GivenUp,
    claim,
    fail,
    give_back,
    renew,
    store_outcome,
)
from etf_backtest.services.jobs.computation import RunQuestion, StrategyRecord, SymbolsQuestion
from etf_backtest.services.jobs.trouble import may_pass, told
from etf_backtest.services.request import choose, prices_of
from etf_backtest.strategies import STRATEGIES, build_strategy

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import PerformanceMetricsCreateInput
    from etf_backtest.services.jobs.computing import ComputingChild, ComputingChildren
    from etf_backtest.services.jobs.options import WorkerOptions

T = TypeVar("T")
log = logging.getLogger(__name__)

DATABASE_WITHIN: Final = 60.0
"""Seconds for a statement that is a matter of milliseconds, before the network counts as lost."""
STORE_PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds between tries to store what has been computed, before it is computed again."""
LET_GO_WITHIN: Final = 5.0
STORE_WITHIN: Final = 30.0
"""Seconds to store what has been computed when the worker is stopped meanwhile."""


@dataclass(frozen=True, slots=True)
class Computed:
    """What a child has computed: what is stored of a run."""

    metrics: PerformanceMetricsCreateInput
    results: str
    data_revision: int


class BacktestRunner:
    """Runs queued backtests, one for each call that is under way."""

    def __init__(self, db: Database, children: ComputingChildren, options: WorkerOptions) -> None:
        self._db = db
        self._children = children
        self._options = options

    async def run(self, backtest_id: str, *, stopping: Callable[[], bool]) -> None:
        """Claim a backtest, compute it, and store what comes out of it or why nothing does.

        A call that is cancelled ends soon. Its backtest waits again if the worker is `stopping`,
        and else has been cancelled.

        Raises
        ------
        TryAgainError
            Something that may pass was in the way.
        """
        claiming = asyncio.create_task(
            _within(
                DATABASE_WITHIN,
                claim(
                    self._db,
                    backtest_id,
                    lease=self._options.stalled_after,
                    most_attempts=self._options.most_attempts,
                ),
            )
        )
        # the database may have it already: cut off, it would be a claim that nobody renews
        was_cancelled = await _ended(claiming, within=LET_GO_WITHIN)
        error = _error_of(claiming)
        claimed = None if error is not None else claiming.result()
        if error is not None:
            if may_pass(error):
                raise TryAgainError(backtest_id, told(error), attempts=0) from None
            log.error("the job of %s is none of ours: %s", quoted(backtest_id), told(error))
        elif isinstance(claimed, GivenUp):
            log.warning("%s failed: %s", _called(claimed), claimed.reason)
        elif isinstance(claimed, Claim) and was_cancelled:
            await self._let_go(claimed, waits_again=stopping())
        elif isinstance(claimed, Claim):
            await self._run(claimed, stopping)

    async def _run(self, claimed: Claim, stopping: Callable[[], bool]) -> None:
        began = time.monotonic()
        again = f" (attempt {claimed.attempts})" if claimed.attempts > 1 else ""
        log.info("%s started%s", _called(claimed), again)
        try:
            computed, error = await _outcome(self._computed(claimed))
        except asyncio.CancelledError:
            await self._let_go(claimed, waits_again=stopping())
            return
        if computed is not None:
            error = await self._stored(claimed, computed)
        took = time.monotonic() - began
        if error is None:
            log.info("%s completed in %.2f s", _called(claimed), took)
        elif isinstance(error, LostClaimError):
            log.info("%s was cancelled, or another worker has it (%.2f s)", _called(claimed), took)
        else:
            await self._failed(claimed, error, took)

    async def _failed(self, claimed: Claim, error: BaseException, took: float) -> None:
        reason = told(error)
        if may_pass(error):
            if claimed.attempts < self._options.most_attempts:
                raise TryAgainError(claimed.id, reason, attempts=claimed.attempts) from None
            reason = f"{reason} (tried {claimed.attempts} times)"
        _, second = await _outcome(_within(DATABASE_WITHIN, fail(self._db, claimed, reason)))
        if second is None:
            log.warning("%s failed in %.2f s: %s", _called(claimed), took, reason)
        elif isinstance(second, LostClaimError):
            log.info("%s was cancelled, or another worker has it (%.2f s)", _called(claimed), took)
        else:
            raise TryAgainError(claimed.id, told(second), attempts=claimed.attempts) from None

    async def _computed(self, claimed: Claim) -> Computed:
        """What comes out of it; the claim is renewed meanwhile, and lost if that is not possible.

        Raises
        ------
        LostClaimError, EtfBacktestError, PrismaError, OSError
        """
        computing = asyncio.create_task(self._compute_again(claimed))
        keeping = asyncio.create_task(self._keep(claimed))
        try:
            await asyncio.wait((computing, keeping), return_when=asyncio.FIRST_COMPLETED)
            if not computing.done():
                raise LostClaimError(claimed.id)
            return computing.result()
        finally:
            computing.cancel()
            keeping.cancel()
            await asyncio.gather(computing, keeping, return_exceptions=True)

    async def _keep(self, claimed: Claim) -> None:
        """Renew the claim until it is lost; a database that is away is asked again."""
        lease = self._options.stalled_after
        while True:
            await asyncio.sleep(lease / 3)
            _, error = await _outcome(_within(lease, renew(self._db, claimed, lease=lease)))
            if isinstance(error, LostClaimError):
                return

    async def _compute_again(self, claimed: Claim) -> Computed:
        """As `_compute`; one whose process has died is tried once more, after a while."""
        try:
            return await self._compute(claimed)
        except ComputationDiedError as error:
            log.warning("%s is tried once more: %s", _called(claimed), error.message)
        await asyncio.sleep(self._options.back_off)
        try:
            return await self._compute(claimed)
        except ComputationDiedError as error:
            raise ComputationError(f"its computation died twice ({error.how})") from None

    async def _compute(self, claimed: Claim) -> Computed:
        limit = self._options.timeout
        try:
            async with asyncio.timeout(limit) as timeout:
                asked = asked_by(claimed)
                chosen = await _within(DATABASE_WITHIN, choose(self._db, asked, claimed.owner))
                record = record_of(chosen)
                async with self._children.borrow() as child:
                    prices = await _within(
                        DATABASE_WITHIN,
                        prices_of(
                            self._db,
                            await _symbols(record, child),
                            chosen.benchmark,
                            proxies=asked.proxies,
                        ),
                    )
                    assert asked.start is not None and asked.end is not None  # noqa: S101, PT018
                    answer = await child.ask(
                        RunQuestion(
                            claimed.id,
                            record,
                            chosen.rules,
                            chosen.benchmark,
                            chosen.risk_free,
                            prices,
                            asked.start,
                            asked.end,
                        )
                    )
        except TimeoutError:
            if not timeout.expired():
                raise
            raise ComputationError(f"it took longer than {limit:,.6g} s") from None
        metrics = metrics_said(claimed.id, answer.said)
        return Computed(metrics, answer.results.decode(), prices.state.number)

    async def _stored(self, claimed: Claim, computed: Computed) -> BaseException | None:
        """Store it even if the worker is stopped now; the error if that was not possible."""
        storing = asyncio.create_task(self._store(claimed, computed))
        await _ended(storing, within=STORE_WITHIN)
        return _error_of(storing)

    async def _store(self, claimed: Claim, computed: Computed) -> None:
        for pause in (*STORE_PAUSES, None):
            _, error = await _outcome(
                store_outcome(
                    self._db,
                    claimed,
                    metrics=computed.metrics,
                    results=computed.results,
                    data_revision=computed.data_revision,
                )
            )
            if error is None:
                return
            if pause is None or not may_pass(error):
                raise error
            await asyncio.sleep(pause)

    async def _let_go(self, claimed: Claim, *, waits_again: bool) -> None:
        ending = (
            give_back(self._db, claimed) if waits_again else fail(self._db, claimed, "cancelled")
        )
        _, error = await _outcome(_within(LET_GO_WITHIN, ending))
        if error is None and waits_again:
            log.info("%s is given back: another worker will run it", _called(claimed))
        elif error is None or isinstance(error, LostClaimError):
            log.info("%s was cancelled", _called(claimed))
        else:
            log.warning("%s is left to be rescued: %s", _called(claimed), told(error))


async def _symbols(record: StrategyRecord, child: ComputingChild) -> tuple[str, ...]:
    """What a strategy trades; a stranger's is asked where it can do no harm."""
    if record.name in STRATEGIES:
        return build_strategy(record.name, record.parameters, record.allocations).symbols
    answer = await child.ask(SymbolsQuestion(record))
    symbols = answer.said.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(each, str) for each in symbols):
        raise ComputationError("its strategy meddles with its symbols")
    return tuple(symbols)


async def _within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    async with asyncio.timeout(seconds):
        return await work


async def _outcome(work: Coroutine[Any, Any, T]) -> tuple[T | None, BaseException | None]:
    """What comes out of it, or the error; who is cancelled meanwhile has cancelled it, too."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
    error = task.exception()
    return (None, error) if error is not None else (task.result(), None)


async def _ended(task: asyncio.Task[Any], *, within: float) -> bool:
    """Wait for the end of a task; whether the caller was cancelled meanwhile.

    Then the task gets so many seconds more.
    """
    was_cancelled = False
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        was_cancelled = True
        await asyncio.wait((task,), timeout=within)
    if not task.done():
        task.cancel()
        await asyncio.wait((task,))
    return was_cancelled


def _error_of(task: asyncio.Task[Any]) -> BaseException | None:
    return TimeoutError() if task.cancelled() else task.exception()


def _called(what: Claim | GivenUp) -> str:
    return f"backtest {what.id[:8]} {shortened(quoted(what.name), 80)}"
