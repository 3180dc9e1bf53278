"""From one million rows to ten: in steps, and in one import, with the memory that it takes."""

from __future__ import annotations

import asyncio
import resource
import sys

from benchmarks.prices.made_up import SESSIONS, batches
from benchmarks.prices.server import Server
from benchmarks.prices.tables import seconds, show
from etf_backtest.database.price_import import open_import
from etf_backtest.database.url import DatabaseUrl

STEPS = 10


async def _import(url: DatabaseUrl, rows: int, first: int) -> None:
    async with open_import(url, source="test", split_adjusted=False) as store:
        for some in batches(rows, first=first):
            await store.add(some)
        await store.finish()


async def growth(server: Server, *, rows: int) -> None:
    """Measure and print."""
    url = await server.fresh()
    lines = []
    for step in range(STEPS):
        first = step * rows // SESSIONS
        took = await seconds(lambda first=first: _import(url, rows, first))  # type: ignore[misc]
        lines.append((f"{(step + 1) * rows:,}", f"{took:.2f}", f"{rows / took:,.0f}"))
    await server.drop(url)
    show(f"Growth by imports of {rows:,} rows", ("rows stored then", "s", "rows/s"), lines)
    alone = []
    for times in (1, STEPS):
        url = await server.fresh()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.prices.growth", url.render(), str(times * rows)),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        took, before, after = (float(number) for number in output.split())
        alone.append(
            (
                f"{times * rows:,}",
                f"{took:.2f}",
                f"{times * rows / took:,.0f}",
                f"{before:.0f} MB, {after:.0f} MB",
            )
        )
        await server.drop(url)
    head = ("rows", "s", "rows/s", "highest memory before the import, and at its end")
    show("One import, in a process of its own", head, alone)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _alone(url: DatabaseUrl, rows: int) -> None:
    for _ in batches(min(rows, 25 * SESSIONS)):  # what making them up takes is not the import's
        pass
    before = _peak()
    took = await seconds(lambda: _import(url, rows, 0))
    print(took, before, _peak())


if __name__ == "__main__":
    asyncio.run(_alone(DatabaseUrl.parse(sys.argv[1]), int(sys.argv[2])))
