"""A thousand queued backtests, four workers, and somebody who kills whatever he finds."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter

import asyncpg

from tests.fixtures.cluster import Cluster
from tests.integration.faults.network import Network, network
from tests.integration.faults.processes import Workers
from tests.integration.faults.world import NAME, World, hopeless

JOBS = 1000
NAMES = ("one", "two", "three", "four")
LONGER_THAN_A_LEASE = 3.0
CHILDREN = {"engine": "query_engine", "computation": "computing"}
"""What stands in their command lines."""
STRIKES = {
    "worker": 5,
    "engine": 4,
    "computation": 5,
    "postgres": 1,
    "frozen": 2,
    "cut": 3,
    "swallowed": 1,
}
"""So often of every 21."""
JOBS_A_STRIKE = 20
"""On a slow machine there would be one for every few jobs, and no end."""
WITHIN = 240
"""Seconds for everything, on a machine that others use, too."""


class Fate:
    """What is done to them, in random order, at random moments."""

    def __init__(self, server: Cluster, workers: Workers, way: Network, seed: int) -> None:
        self.done: Counter[str] = Counter()
        self._server = server
        self._workers = workers
        self._way = way
        self._random = random.Random(seed)
        self._planned: list[str] = []
        # two deaths of the same computation would be final: each worker's turn comes seldom
        self._turns = itertools.cycle(NAMES)

    def pause(self) -> float:
        """Seconds until the next strike."""
        return self._random.uniform(0.3, 1.3)

    def url(self, name: str) -> str:
        """Worker four has a bad network."""
        return self._way.url if name == "four" else self._server.url(NAME)

    async def strike(self) -> None:
        """One thing that may happen."""
        victim = self._random.choice(NAMES)
        if not self._planned:
            self._planned = [what for what, times in STRIKES.items() for _ in range(times)]
            self._random.shuffle(self._planned)
        what = self._planned.pop()
        if what == "worker":
            self._workers.kill(victim)
            self._workers.start(victim, self.url(victim))
        elif what in CHILDREN:
            victim = next(self._turns) if what == "computation" else victim
            if not self._workers.kill_child(victim, CHILDREN[what]):
                return
        elif what == "postgres":
            await asyncio.to_thread(self._server.restart, "kill")
        elif what == "frozen":
            self._workers.freeze(victim, LONGER_THAN_A_LEASE)
        elif what == "cut":
            self._way.cut()
        elif what == "swallowed":
            self._way.swallow(LONGER_THAN_A_LEASE)
        self.done[what] += 1


async def until_ended(world: World, fate: Fate | None, deadline: float) -> None:
    """Strike until that was often enough, or a tenth is left; then let them finish."""
    while time.monotonic() < deadline:
        try:
            statuses = await world.statuses()
        except (OSError, asyncpg.PostgresError, TimeoutError):
            continue  # it is starting again
        left = statuses["pending"] + statuses["running"]
        if left == 0:
            return
        if fate is not None and left > JOBS / 10 and fate.done.total() < JOBS / JOBS_A_STRIKE:
            await fate.strike()
        await asyncio.sleep(0.3 if fate is None else fate.pause())
    raise AssertionError(f"not all have ended: {await world.statuses()}")


async def test_every_job_ends_once_whatever_is_killed(
    own_postgres: Cluster, workers: Workers
) -> None:
    world = await World.make(own_postgres)
    with network(world.url) as way:
        fate = Fate(own_postgres, workers, way, seed=5)
        try:
            for name in NAMES:
                workers.start(name, fate.url(name))
            await world.queue(JOBS)
            await until_ended(world, fate, time.monotonic() + WITHIN)
            codes = workers.stop()
            left = workers.left()
        finally:
            workers.end()
            logs = workers.logs()
    verdict = await world.verdict()
    told = f"{fate.done} {verdict}\n{logs}"
    bad = hopeless(JOBS)
    assert verdict.statuses == {"completed": JOBS - bad, "failed": bad}, told
    # exactly once: no row came to its end twice
    assert verdict.endings == {"completed": (JOBS - bad,) * 2, "failed": (bad,) * 2}, told
    assert verdict.metrics == JOBS - bad
    assert verdict.mismatched == 0
    assert verdict.jobs_left == 0, told
    assert set(codes.values()) == {0}, told
    assert left == []
    assert await world.connections() == 0
    # and it was no walk in the park
    assert min(fate.done[what] for what in ("worker", "engine", "postgres", "cut")) > 0, told
