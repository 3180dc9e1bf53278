"""What things of the queue are called, here and in the database."""

from __future__ import annotations

from typing import Final

from etf_backtest.database.url import DatabaseUrl

JOB_QUEUE: Final = "backtests"
"""The library's queue that jobs are in."""
TASK: Final = "run_backtest"
"""The library's task that a job calls; its argument is `backtest_id`."""

HOME: Final = "public"
"""Where our tables are unless the URL names a schema."""
_BESIDE_HOME: Final = "etf_backtest_queue"
_KEPT: Final = 54
_LONGEST_IDENTIFIER: Final = 63  # bytes


def home_schema(url: DatabaseUrl) -> str:
    """The schema of our tables."""
    return url.schema or HOME


def queue_schema(url: DatabaseUrl) -> str:
    """The schema of the queue, as the trigger function `tell_backtest_queue` computes it."""
    home = home_schema(url)
    if home == HOME:
        return _BESIDE_HOME
    name = f"queue_of_{home[:_KEPT]}".encode()
    # PostgreSQL cuts an identifier that is too long, between characters
    return name[:_LONGEST_IDENTIFIER].decode(errors="ignore")
