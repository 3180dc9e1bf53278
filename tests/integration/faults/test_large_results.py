"""A result of fifty megabytes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import psutil

from tests.integration.faults.processes import Workers
from tests.integration.faults.world import World

NUMBERS = 2_800_000
LARGE = 50_000_000
"""Bytes of JSON."""
# a strategy that swells what its process writes, from where it computes
SWELLING = f"""
from etf_backtest.services.jobs import computing_child
from etf_backtest.strategies import BuyAndHold

class Swelling(BuyAndHold):
    name = "swelling"

    def target_weights(self, history):
        outcome_of = computing_child.outcome_of

        def swollen(*arguments, **options):
            computing_child.outcome_of = outcome_of
            outcome = outcome_of(*arguments, **options)
            outcome.results["swollen"] = [number / 7 for number in range({NUMBERS})]
            return outcome

        computing_child.outcome_of = swollen
        return super().target_weights(history)
"""
MEGABYTE = 1 << 20


def install(folder: Path) -> None:
    """Put the strategy on a path, as pip does."""
    (folder / "swelling.py").write_text(SWELLING)
    info = folder / "swelling-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: swelling\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[etf_backtest.strategies]\nswelling = swelling:Swelling\n"
    )


def most_memory(process: psutil.Process) -> int:
    """Bytes that a process has held at most."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


async def test_fifty_megabytes(world: World, workers: Workers, tmp_path: Path) -> None:
    install(tmp_path)
    async with world.connected() as connection:
        await connection.execute(
            "INSERT INTO strategies (name, type, is_system, implementation)"
            " VALUES ('swelling', 'custom', true, 'swelling')"
        )
    workers.options = ("--concurrency", "2", "--stalled-after", "2")
    workers.start("one", world.url, PYTHONPATH=str(tmp_path))
    await world.until(await world.add("first"), "completed", within=30)
    worker = psutil.Process(workers.running["one"].pid)
    engine = next(
        each for each in worker.children() if any("query_engine" in part for part in each.cmdline())
    )
    before, engine_before = most_memory(worker), most_memory(engine)
    large = await world.add("large", "swelling", priority=9)
    await world.until(large, "running")
    others = 0
    while (await world.row(large))["status"] == "running":
        await world.until(await world.add("other"), "completed", "failed")
        others += 1
        await asyncio.sleep(0.5)
    row = await world.row(large)
    # the lease is far shorter, and has been kept
    assert (row["status"], row["attempts"]) == ("completed", 1)
    grown, engine_grown = most_memory(worker) - before, most_memory(engine) - engine_before
    assert workers.stop() == {"one": 0}
    async with world.connected() as connection:
        text = await connection.fetchval(
            "SELECT results::text FROM backtests WHERE id = $1::uuid", large
        )
    assert len(text) > LARGE
    assert json.loads(text)["swollen"] == [number / 7 for number in range(NUMBERS)]
    assert others >= 3
    assert grown < 6 * LARGE
    assert engine_grown < LARGE
    assert (await world.verdict()).mismatched == 0
