"""Markdown, and times."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|---" + "|---:" * (len(head) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


async def seconds(work: Callable[[], Awaitable[object]]) -> float:
    """How long something takes."""
    gc.collect()
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def middle(times: Sequence[float]) -> float:
    """The median."""
    return statistics.median(times)
