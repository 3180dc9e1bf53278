"""A process that computes and is killed: once may be anybody's fault, twice is its own."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tests.integration.faults.conftest import AtWork
from tests.integration.faults.world import World


async def kill_computing(home: Path) -> None:
    """Kill the process that computes the strategy `waiting`, once it does."""
    waits = home / "waits"
    while not (waits.exists() and waits.read_text()):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    os.kill(int(waits.read_text()), signal.SIGKILL)
    waits.unlink()


async def test_killed_once_and_killed_twice(
    world: World, at_work: AtWork, with_strangers: Path, user_home: Path
) -> None:
    async with at_work(world.url):
        twice = await world.add("twice", "waiting")
        async with asyncio.timeout(15):
            await kill_computing(user_home)
            await kill_computing(user_home)
        failed = await world.until(twice, "completed", "failed")
        once = await world.add("once", "waiting")
        async with asyncio.timeout(15):
            await kill_computing(user_home)
        (user_home / "go").touch()
        completed = await world.until(once, "completed", "failed")
    assert failed["error_message"] == "its computation died twice (signal 9, SIGKILL)"
    # no other attempt: the worker has had it all the time
    assert (failed["status"], failed["attempts"]) == ("failed", 1)
    assert (completed["status"], completed["attempts"]) == ("completed", 1)
    verdict = await world.verdict()
    assert verdict.endings == {"completed": (1, 1), "failed": (1, 1)}
    assert (verdict.metrics, verdict.mismatched, verdict.jobs_left) == (1, 0, 0)
