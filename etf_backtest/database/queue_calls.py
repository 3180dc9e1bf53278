"""What may be asked of the queue by whoever may write backtests: calling back, and who works.

The queue's tables are in a schema of their own, which most roles may not read; functions in it that
everybody may call tell and do what is needed. Where no queue is installed nothing is told or done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, LiteralString

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database

# As tell_backtest_queue() finds it. The names that follow are then the queue's until the
# transaction ends, so that no statement has to be put together.
_ENTER: Final = """
SELECT set_config('search_path', quote_ident(queue), true)
FROM (
    SELECT CASE nspname WHEN 'public' THEN 'etf_backtest_queue'
                        ELSE 'queue_of_' || left(nspname, 54) END AS queue,
           relowner
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid = 'backtests'::regclass
) AS place
JOIN pg_proc ON pg_proc.oid = to_regprocedure(format('%I.%s', queue, $1::text))
WHERE pg_has_role(proowner, relowner, 'MEMBER')
"""


async def cancel_jobs(db: Database, backtest_ids: Sequence[str]) -> None:
    """Let workers hear at once that they need not compute these any more."""
    await _call(
        db,
        "cancel_backtests(uuid[])",
        "SELECT cancel_backtests(string_to_array($1, ',')::uuid[])::text",
        ",".join(backtest_ids),
    )


async def live_workers(db: Database) -> int | None:
    """How many workers have said within a minute that they are alive; None: nobody can tell."""
    rows = await _call(db, "live_workers()", "SELECT live_workers()::int AS workers")
    return None if rows is None else int(rows[0]["workers"])


async def _call(db: Database, function: str, statement: LiteralString, *values: str) -> Any:
    """The rows of a statement that calls a function of the queue; None where it has none such."""
    async with db.tx() as transaction:
        if not await transaction.query_raw(_ENTER, function):
            return None
        return await transaction.query_raw(statement, *values)
