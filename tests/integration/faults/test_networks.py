"""Connections that are cut in the middle of a statement, and networks that swallow everything."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.integration.faults.conftest import QUICK, AtWork
from tests.integration.faults.network import network
from tests.integration.faults.world import World

CLAIM, PRICES, RESULT = b"attempt_id = gen_random_uuid()", b"market_data", b'"fingerprint": '
"""What stands in the messages by which a row is claimed, read for, and stored."""


@pytest.mark.parametrize(
    ("words", "sent", "attempts"),
    [
        pytest.param(CLAIM, 0, 1, id="claim-lost"),
        # nobody knows of the first attempt, so there is a second
        pytest.param(CLAIM, 1, 2, id="claim-unheard"),
        pytest.param(PRICES, 1, 2, id="prices-unheard"),
        # what was computed is stored again, without another attempt
        pytest.param(RESULT, 0, 1, id="result-lost"),
        pytest.param(RESULT, 0.5, 1, id="half-a-result"),
        pytest.param(RESULT, 1, 1, id="result-unheard"),
    ],
)
async def test_cut_in_the_middle_of_a_statement(
    world: World, at_work: AtWork, words: bytes, sent: float, attempts: int
) -> None:
    with network(world.url) as way:
        cut = way.cut_at(words, sent=sent)
        async with at_work(way.url):
            backtest_id = await world.add("cut")
            row = await world.until(backtest_id, "completed", "failed")
            # the next is not worse for it
            following = await world.until(await world.add("next"), "completed", "failed")
    assert cut.is_set()
    assert (row["status"], row["attempts"], row["error_message"]) == ("completed", attempts, None)
    assert (following["status"], following["attempts"]) == ("completed", 1)
    verdict = await world.verdict()
    assert verdict.endings == {"completed": (2, 2)}
    assert (verdict.metrics, verdict.mismatched, verdict.jobs_left) == (2, 0, 0)


async def test_silence_for_longer_than_the_lease(
    world: World, at_work: AtWork, with_strangers: Path, user_home: Path
) -> None:
    silence = 3 * QUICK["stalled_after"]
    with network(world.url) as way:
        async with at_work(way.url):
            backtest_id = await world.add("silent", "waiting")
            await world.until(backtest_id, "running")
            while not (user_home / "waits").exists():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            way.swallow(silence)
            async with at_work(world.url):
                await world.until_true(
                    "attempts = 2 FROM backtests WHERE id = $1::uuid", backtest_id, within=silence
                )
                # both have it, and may end now: the one whose claim is later stores it
                (user_home / "go").touch()
                row = await world.until(backtest_id, "completed", "failed")
                await asyncio.sleep(silence)
            # whose network was away takes part again
            following = await world.until(await world.add("next"), "completed", "failed")
    assert (row["status"], row["attempts"]) == ("completed", 2)
    assert following["status"] == "completed"
    verdict = await world.verdict()
    assert verdict.endings == {"completed": (2, 2)}
    assert (verdict.metrics, verdict.mismatched, verdict.jobs_left) == (2, 0, 0)
