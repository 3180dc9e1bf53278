"""How a worker works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker works; times are seconds.

    Attributes
    ----------
    concurrency : int
        How many backtests are computed at once, each in a process of its own.
    timeout : float
        What a backtest may take from when it is claimed until it is computed.
    stalled_after : float
        A worker that says nothing for so long is dead to the others, who take its jobs over; the
        same number should hold for all of them.
    grace : float
        How long running jobs may take once the worker is asked to stop.
    most_attempts : int
        How often a backtest is begun before it has failed.
    back_off, longest_back_off : float
        The time from the first attempt that outer circumstances have ended to the second; it
        doubles each time.
    poll : float
        The time between two looks into the queue, where the database tells nothing.
    memory : int, optional
        Bytes of address space that each computing process may take.
    once : bool
        Whether to stop where nothing waits.
    """

    concurrency: int = 1
    timeout: float = 3600.0
    stalled_after: float = 30.0
    grace: float = 30.0
    most_attempts: int = 5
    back_off: float = 2.0
    longest_back_off: float = 60.0
    poll: float = 1.0
    memory: int | None = None
    once: bool = False
