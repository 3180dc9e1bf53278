"""The queue of pending backtests: the tables of procrastinate, in a schema beside ours.

Triggers of `backtests` call functions here, so a row is queued by being pending, whoever wrote it.
Installing needs the extra `worker` on the machine that does it, and nobody else.
"""

from etf_backtest.database.queue.connector import can_listen
from etf_backtest.database.queue.deployment import deploy_queue, reset_queue
from etf_backtest.database.queue.installation import (
    InstallationReport,
    defer_waiting,
    install_queue,
    remove_queue,
)
from etf_backtest.database.queue.names import JOB_QUEUE, TASK, home_schema, queue_schema
from etf_backtest.database.queue.state import QueueState, queue_state

__all__ = [
    "JOB_QUEUE",
    "TASK",
    "InstallationReport",
    "QueueState",
    "can_listen",
    "defer_waiting",
    "deploy_queue",
    "home_schema",
    "install_queue",
    "queue_schema",
    "queue_state",
    "remove_queue",
    "reset_queue",
]
