"""Workers whose clocks are hours wrong: all times that matter are the database's."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.faults.processes import Workers
from tests.integration.faults.world import World

JOBS = 40
AHEAD, BEHIND = "+1h", "-1h"
# the first claim of one of them meets a disk that is full
FULL_ONCE = """
CREATE SEQUENCE audit.tries;
CREATE FUNCTION audit.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('audit.tries') = 1 THEN
        RAISE 'no space left on device' USING ERRCODE = 'disk_full';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_full_disk BEFORE UPDATE ON backtests FOR EACH ROW
    WHEN (NEW.name = 'again' AND NEW.status = 'running') EXECUTE FUNCTION audit.full_disk();
"""


def wrong_by(offset: str) -> dict[str, str]:
    """The environment in which every program, and what it starts, has a wrong clock."""
    faketime = shutil.which("faketime")
    if faketime is None:
        pytest.skip("no faketime, which sets a program's clock wrong: apt-get install faketime")
    library = subprocess.run(
        [faketime, "-f", offset, "printenv", "LD_PRELOAD"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        "LD_PRELOAD": library.stdout.strip(),
        "FAKETIME": offset,
        # clocks that count from the start of the machine are right
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


async def test_clocks_that_are_hours_wrong_change_nothing(world: World, workers: Workers) -> None:
    async with world.connected() as connection:
        await connection.execute(FULL_ONCE)
        began = await connection.fetchval("SELECT clock_timestamp()")
    again = await world.add("again", priority=50)
    await world.queue(JOBS)
    workers.start("ahead", world.url, **wrong_by(AHEAD))
    workers.start("behind", world.url, **wrong_by(BEHIND))
    row = await world.until(again, "completed", within=60)
    # by the database's clock, two seconds after the first try
    assert 2 <= (row["started_at"] - row["queued_at"]).total_seconds() < 30
    await world.until_true("bool_and(completed_at IS NOT NULL) FROM backtests", within=60)
    async with world.connected() as connection:
        rows = await connection.fetch(
            "SELECT name, attempts, priority, started_at, completed_at FROM backtests"
            " ORDER BY started_at"
        )
        ended = await connection.fetchval("SELECT clock_timestamp()")
    assert workers.stop() == {"ahead": 0, "behind": 0}
    for row in rows:
        assert began < row["started_at"] <= row["completed_at"] < ended, row["name"]
    # nobody was taken for dead, though one worker's hour is another's future
    assert {row["attempts"] for row in rows} == {1}
    assert "is gone" not in workers.logs()
    # the higher goes first; two are begun at once
    priorities = [row["priority"] for row in rows if row["name"] != "again"]
    assert all(later <= priorities[place] for place, later in enumerate(priorities[2:])), priorities
    for name, hours in (("ahead", 1), ("behind", -1)):
        # the clocks were wrong indeed, and both have worked
        (line, *_) = (line for line in workers.log(name).splitlines() if "completed" in line)
        written = dt.datetime.strptime(line[:19], "%Y-%m-%d %H:%M:%S").astimezone()
        assert abs(written - ended - dt.timedelta(hours=hours)) < dt.timedelta(minutes=10)


async def test_the_dead_are_found_by_one_whose_clock_is_behind(
    world: World, workers: Workers, with_strangers: Path
) -> None:
    waiting = await world.add("waiting", "waiting")
    workers.start("right", world.url, PYTHONPATH=str(with_strangers))
    row = await world.until(waiting, "running", within=60)
    workers.kill("right")
    async with world.connected() as connection:
        await connection.execute(
            "UPDATE strategies SET implementation = NULL, type = 'buy_and_hold'"
            " WHERE name = 'waiting'"
        )
    workers.start("wrong", world.url, **wrong_by(BEHIND))
    first = row["started_at"]
    row = await world.until(waiting, "completed", within=60)
    assert row["attempts"] == 2
    # not before two seconds of silence
    assert (row["started_at"] - first).total_seconds() >= 2
    assert workers.stop() == {"wrong": 0}
