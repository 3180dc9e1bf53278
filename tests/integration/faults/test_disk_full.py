"""A disk that is full when a result is to be stored."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from etf_backtest.services.jobs import running
from tests.fixtures.cluster import Cluster, new_folder
from tests.integration.faults.conftest import AtWork
from tests.integration.faults.world import NAME, World

MEGABYTES = 8


@pytest.fixture
def small_disk(own_postgres: Cluster) -> Iterator[Path]:
    """A file system of a few megabytes, with a folder for the server's user."""
    disk = new_folder("etf-disk-")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        disk.rmdir()
        pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.strip()}")
    try:
        disk.chmod(0o711)
        space = disk / "space"
        space.mkdir()
        owner = own_postgres.data.stat()
        os.chown(space, owner.st_uid, owner.st_gid)
        yield disk
    finally:
        own_postgres.stop("immediate")
        subprocess.run(["umount", str(disk)], check=True)
        disk.rmdir()


def fill(disk: Path) -> Path:
    """Fill it to the last block; the file that does."""
    filling = disk / "filling"
    with filling.open("wb", buffering=0) as file:
        while shutil.disk_usage(disk).free:
            file.write(bytes(4096))
    return filling


async def test_a_result_waits_for_room(
    own_postgres: Cluster, small_disk: Path, at_work: AtWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "STORE_PAUSES", (0.05,))
    world = await World.make(own_postgres)
    # not its log of changes (WAL), for want of which PostgreSQL itself stops
    own_postgres.execute(f"CREATE TABLESPACE small LOCATION '{small_disk / 'space'}'")
    own_postgres.execute("ALTER TABLE backtests SET TABLESPACE small", database=NAME)
    async with at_work(world.url, most_attempts=3):
        before = await world.until(await world.add("before"), "completed", "failed")
        filling = fill(small_disk)
        never = await world.until(await world.add("never"), "completed", "failed", within=30)
        waits = await world.add("waits")
        await world.until_true("attempts = 2 FROM backtests WHERE id = $1::uuid", waits)
        assert (await world.row(waits))["has_results"] is False
        filling.unlink()
        there_is_room = await world.until(waits, "completed", "failed")
        after = await world.until(await world.add("after"), "completed", "failed")
    assert (before["status"], after["status"], after["attempts"]) == ("completed", "completed", 1)
    assert (never["status"], never["attempts"], never["has_results"]) == ("failed", 3, False)
    assert "No space left on device" in never["error_message"]
    assert never["error_message"].endswith("(tried 3 times)")
    assert there_is_room["status"] == "completed"
    assert 2 <= there_is_room["attempts"] <= 3
    # the back-off: 0.2 s from the first attempt to the second
    waited = there_is_room["started_at"] - there_is_room["queued_at"]
    assert waited.total_seconds() > 0.2
    verdict = await world.verdict()
    assert verdict.endings == {"completed": (3, 3), "failed": (1, 1)}
    assert (verdict.metrics, verdict.mismatched, verdict.jobs_left) == (3, 0, 0)
