"""Whose a running backtest is: claims, leases, and results that only who has the claim may store.

Each statement decides by what the row says at that moment and by the database's clock. A claim is
an attempt's id in the row; a later claim takes the row away from an earlier one, and so does
whoever cancels it: then nothing of the earlier one is stored.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from etf_backtest import __version__
from etf_backtest.database.direct import direct_connection
from etf_backtest.errors import LostClaimError
from etf_backtest.errors.wording import one_line
from etf_backtest.services.acting import Actor
from etf_backtest.simulation import CONVENTIONS_VERSION

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import PerformanceMetricsCreateInput

STORE_WITHIN: Final = 600.0
"""Seconds for a result: tens of megabytes of JSON are indexed, too."""
_WORD: Final = re.compile(r"([A-Z]|[0-9]+)")
"""Where the client's names have a capital or a number, the columns have an underscore before it."""
GAVE_UP: Final = "its worker ended {attempts} times without a result"

# A row that is running under an attempt's id may be claimed again: the queue gives the jobs of a
# backtest to one worker at a time, so whoever had it is dead, or believed to be. One that somebody
# else has set to running has no such id. Where somebody has locked the row, and perhaps gone to
# lunch, the statement fails soon, and the worker sees to other rows meanwhile.
_CLAIM: Final = """
UPDATE backtests AS b
SET status = CASE WHEN b.attempts < $3::int THEN 'running' ELSE 'failed' END::backtest_status,
    attempts = least(b.attempts + 1, greatest(b.attempts, $3::int)),
    attempt_id = gen_random_uuid(),
    started_at = greatest(clock_timestamp(), b.queued_at),
    lease_expires_at = clock_timestamp() + make_interval(secs => $2::float8),
    error_message = CASE WHEN b.attempts >= $3::int
                         THEN replace($4, '{attempts}', b.attempts::text) END
FROM users AS u, (SELECT set_config('lock_timeout', '500ms', true) AS is_set) AS patience
WHERE patience.is_set IS NOT NULL AND b.id = $1::uuid AND u.id = b.user_id
  AND (b.status = 'pending' OR b.status = 'running' AND b.attempt_id IS NOT NULL)
RETURNING b.id::text, b.attempt_id::text, b.attempts, b.status::text, b.name,
          b.portfolio_id::text, b.strategy_id::text, b.start_date::text, b.end_date::text,
          b.initial_capital, b.benchmark_symbol, b.options, b.error_message,
          u.id::text AS user_id, u.email, u.subscription_tier::text AS tier, u.is_active
"""
_RENEW: Final = """
UPDATE backtests SET lease_expires_at = clock_timestamp() + make_interval(secs => $3::float8)
WHERE id = $1::uuid AND attempt_id = $2::uuid AND status = 'running'
"""
# One statement is one transaction: where the row is not ours any more, there are no metrics either.
_COMPLETE: Final = """
WITH ours AS (
    UPDATE backtests
    SET status = 'completed', results = $3::jsonb, engine_version = $4,
        conventions_version = $5::int, data_revision = $6::bigint
    WHERE id = $1::uuid AND attempt_id = $2::uuid AND status = 'running'
    RETURNING id
)
INSERT INTO performance_metrics (
    backtest_id,
    total_return, annualized_return, volatility, sharpe_ratio, sortino_ratio, calmar_ratio,
    max_drawdown, ulcer_index, ulcer_performance_index, value_at_risk_95,
    conditional_value_at_risk_95, alpha, beta, r_squared, correlation, information_ratio,
    tracking_error, up_capture, down_capture, omega_ratio, tail_ratio, skewness, kurtosis,
    win_rate, money_weighted_return, turnover, window_start, window_end, sessions
)
SELECT
    ours.id,
    m.total_return, m.annualized_return, m.volatility, m.sharpe_ratio, m.sortino_ratio,
    m.calmar_ratio, m.max_drawdown, m.ulcer_index, m.ulcer_performance_index,
    m.value_at_risk_95, m.conditional_value_at_risk_95, m.alpha, m.beta, m.r_squared,
    m.correlation, m.information_ratio, m.tracking_error, m.up_capture, m.down_capture,
    m.omega_ratio, m.tail_ratio, m.skewness, m.kurtosis, m.win_rate, m.money_weighted_return,
    m.turnover, m.window_start, m.window_end, m.sessions
FROM ours, jsonb_populate_record(NULL::performance_metrics, $7::jsonb) AS m
"""
_FAIL: Final = """
UPDATE backtests
SET status = 'failed', error_message = $3, engine_version = $4, conventions_version = $5::int
WHERE id = $1::uuid AND attempt_id = $2::uuid AND status = 'running'
"""
_GIVE_BACK: Final = """
UPDATE backtests SET status = 'pending', attempts = greatest(attempts - 1, 0)
WHERE id = $1::uuid AND attempt_id = $2::uuid AND status = 'running'
"""
_IS_STORED: Final = (
    "SELECT 1 AS found FROM backtests"
    " WHERE id = $1::uuid AND attempt_id = $2::uuid AND status = $3::backtest_status"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A backtest that is ours to compute, as its row had it when we took it."""

    id: str
    attempt: str
    """The id of this attempt."""
    attempts: int
    """How many there have been, with this one."""
    name: str
    portfolio: str
    strategy: str
    start: str
    end: str
    initial_capital: Decimal
    benchmark: str | None
    options: Mapping[str, object]
    owner: Actor
    owner_is_active: bool


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A backtest that was begun too often, and has failed now."""

    id: str
    name: str
    reason: str


async def claim(
    db: Database, backtest_id: str, *, lease: float, most_attempts: int
) -> Claim | GivenUp | None:
    """Take a backtest that waits, or that a dead worker had.

    Parameters
    ----------
    lease : float
        Seconds after which the claim counts as dead unless it is renewed.
    most_attempts : int
        A row that was begun so often has failed.

    Returns
    -------
    Claim, GivenUp or None
        None where there is nothing to do: it is gone, has ended, or is somebody else's.
    """
    rows = await db.query_raw(_CLAIM, backtest_id, lease, most_attempts, GAVE_UP)
    if not rows:
        return None
    row: dict[str, Any] = rows[0]
    if row["status"] == "failed":
        return GivenUp(row["id"], row["name"], row["error_message"])
    return Claim(
        id=row["id"],
        attempt=row["attempt_id"],
        attempts=row["attempts"],
        name=row["name"],
        portfolio=row["portfolio_id"],
        strategy=row["strategy_id"],
        start=row["start_date"],
        end=row["end_date"],
        initial_capital=row["initial_capital"],
        benchmark=row["benchmark_symbol"],
        options=row["options"],
        owner=Actor(row["user_id"], row["email"], row["tier"]),
        owner_is_active=row["is_active"],
    )


async def renew(db: Database, claimed: Claim, *, lease: float) -> None:
    """Say that the attempt is alive, for so many seconds more.

    Raises
    ------
    LostClaimError
        The backtest was cancelled or deleted, or another worker has it.
    """
    if not await db.execute_raw(_RENEW, claimed.id, claimed.attempt, lease):
        raise LostClaimError(claimed.id)


async def store_outcome(
    db: Database,
    claimed: Claim,
    *,
    metrics: PerformanceMetricsCreateInput,
    results: str,
    data_revision: int,
) -> None:
    """Store results, metrics and status at once, or nothing.

    Where it was stored before, by a transaction of whose end nobody had heard, that is enough.

    Parameters
    ----------
    results : str
        JSON.

    Raises
    ------
    LostClaimError
        As `renew`.
    """
    columns = {_WORD.sub(r"_\1", name).lower(): str(value) for name, value in metrics.items()}
    # not through the engine, which would need twenty times the memory for large results
    async with asyncio.timeout(STORE_WITHIN), direct_connection(db.url) as connection:
        done = await connection.execute(
            _COMPLETE,
            claimed.id,
            claimed.attempt,
            results,
            __version__,
            CONVENTIONS_VERSION,
            data_revision,
            json.dumps({name: value for name, value in columns.items() if value != "None"}),
        )
    if done != "INSERT 0 1":
        await _expect(db, claimed, "completed")


async def fail(db: Database, claimed: Claim, reason: str) -> None:
    """Store that it has failed, and why.

    Raises
    ------
    LostClaimError
        As `renew`.
    """
    # PostgreSQL's text has no U+0000; one_line leaves none
    message = one_line(reason) or "no reason was given"
    if not await db.execute_raw(
        _FAIL, claimed.id, claimed.attempt, message, __version__, CONVENTIONS_VERSION
    ):
        await _expect(db, claimed, "failed")


async def give_back(db: Database, claimed: Claim) -> None:
    """Let it wait again, as if it had not been begun: a trigger queues it for another worker.

    Raises
    ------
    LostClaimError
        As `renew`.
    """
    if not await db.execute_raw(_GIVE_BACK, claimed.id, claimed.attempt):
        raise LostClaimError(claimed.id)


async def _expect(db: Database, claimed: Claim, status: str) -> None:
    if not await db.query_raw(_IS_STORED, claimed.id, claimed.attempt, status):
        raise LostClaimError(claimed.id)
