"""Backtests that nobody seems to work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from etf_backtest.database.doctor.finding import Finding, counted
from etf_backtest.errors.wording import listed

if TYPE_CHECKING:
    from etf_backtest.database.doctor.finding import Connection

HEARTBEAT_SECONDS: Final = 60
"""How long ago a worker that lives may have said so."""
WAITING_MINUTES: Final = 5
RUNNING_MINUTES: Final = 60

# the server quotes the schema's name; now() is the database's, as all times of the queue
_BACKTESTS: Final = """
SELECT format($f$
SELECT
  array_agg(id::text ORDER BY started_at) FILTER (
      WHERE status = 'running' AND lease_expires_at IS NULL
      AND started_at < now() - make_interval(mins => %2$s)) AS unleased,
  array_agg(id::text ORDER BY started_at) FILTER (
      WHERE status = 'running' AND lease_expires_at < now() - make_interval(mins => %3$s))
      AS expired,
  count(*) FILTER (WHERE status = 'pending'
      AND queued_at < now() - make_interval(mins => %3$s)) AS waiting,
  count(*) AS total
FROM %1$I.backtests WHERE status IN ('pending', 'running')
$f$, $1::text, $2::int, $3::int)
"""
_WORKERS: Final = """
SELECT format('SELECT count(*) FROM %I.procrastinate_workers'
              ' WHERE last_heartbeat > now() - make_interval(secs => %s)', $1::text, $2::int)
WHERE to_regclass(format('%I.procrastinate_workers', $1::text)) IS NOT NULL
"""


async def check_backtests(connection: Connection, schema: str, queue: str) -> list[Finding]:
    """Rows that run for ever, or wait for a worker that is not there."""
    statement = await connection.fetchval(_BACKTESTS, schema, RUNNING_MINUTES, WAITING_MINUTES)
    row = await connection.fetchrow(statement)
    assert row is not None  # noqa: S101  # an aggregate
    workers = await _live_workers(connection, queue)
    findings = []
    if row["unleased"]:
        findings.append(
            Finding(
                "backtests",
                "warning",
                f"running for more than {RUNNING_MINUTES} minutes, by no worker of ours: "
                f"{listed(row['unleased'])}",
                f"if its program has ended: etf-backtest backtest cancel {row['unleased'][0]}",
            )
        )
    if row["expired"]:
        findings.append(
            Finding(
                "backtests",
                "warning",
                f"their worker is gone, and nobody has taken over: {listed(row['expired'])}",
                "start a worker, which does: etf-backtest worker",
            )
        )
    if row["waiting"] and not workers:
        findings.append(
            Finding(
                "backtests",
                "warning",
                f"{counted(row['waiting'], 'backtest')} pending for more than {WAITING_MINUTES} "
                "minutes, and no worker lives",
                "etf-backtest worker",
            )
        )
    alive = counted(workers, "worker")
    return findings or [
        Finding("backtests", "ok", f"{row['total']:,} pending or running, {alive} alive")
    ]


async def _live_workers(connection: Connection, queue: str) -> int:
    statement = await connection.fetchval(_WORKERS, queue, HEARTBEAT_SECONDS)
    if statement is None:
        return 0
    count: int = await connection.fetchval(statement)
    return count
