"""Children that compute strangers' strategies: whatever these do costs their own run."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from etf_backtest import PricePanel, Rules, simulate
from etf_backtest.database.price_store import DataState
from etf_backtest.errors import ComputationError
from etf_backtest.services.jobs.computation import RunQuestion, StrategyRecord, SymbolsQuestion
from etf_backtest.services.jobs.computing import ComputingChildren
from etf_backtest.services.price_panel import LoadedPrices
from etf_backtest.strategies import build_strategy

ALLOCATIONS = {"AAA": 0.6, "BBB": 0.3}
DAYS = pd.bdate_range("2024-01-01", periods=40)
WALK = np.exp(np.random.default_rng(1).normal(0, 0.01, (40, 2)).cumsum(axis=0))
PANEL = PricePanel.from_frame(pd.DataFrame(100 * WALK, index=DAYS, columns=["AAA", "BBB"]))


def run_of(strategy: str) -> RunQuestion:
    return RunQuestion(
        "7b0e6c0e-0000-4000-8000-000000000001",
        StrategyRecord(strategy, {}, ALLOCATIONS),
        Rules(),
        None,
        0.0,
        LoadedPrices(PANEL, (), DataState(7, {})),
        dt.date(2024, 1, 1),
        DAYS[-1].date(),
    )


@pytest.fixture
async def children(with_strangers: Path) -> AsyncIterator[ComputingChildren]:
    children = ComputingChildren()
    yield children
    await children.end()


async def reason_of(children: ComputingChildren, strategy: str) -> str:
    async with children.borrow() as child:
        with pytest.raises(ComputationError) as error:
            await child.ask(run_of(strategy))
    return str(error.value)


async def test_it_computes_what_we_compute(children: ComputingChildren) -> None:
    async with children.borrow() as child:
        answer = await child.ask(run_of("buy_and_hold"))
    direct = simulate(PANEL, build_strategy("buy_and_hold", {}, ALLOCATIONS), Rules())
    results = json.loads(answer.results)
    assert results["fingerprint"] == direct.fingerprint
    assert results["equity"] == direct.equity.tolist()
    assert results["prices"] == {"revision": 7, "symbols": {}}
    assert answer.said["metrics"]["sessions"] == 40


async def test_strangers_hurt_nobody_but_themselves(children: ComputingChildren) -> None:
    async with children.borrow() as child:
        # what is printed is in no frame, and nothing can be read
        fair = await child.ask(run_of("buy_and_hold"))
        printed = await child.ask(run_of("printing"))
        assert json.loads(printed.results)["equity"] == json.loads(fair.results)["equity"]
        answer = await child.ask(SymbolsQuestion(StrategyRecord("waiting", {}, ALLOCATIONS)))
        assert answer.said == {"symbols": ["AAA", "BBB"]}
        first = child.pid
    assert await reason_of(children, "raising") == r"KeyError: 'no such\nthing'"
    assert await reason_of(children, "leaving") == "SystemExit: enough"
    assert await reason_of(children, "nosy") == "ValueError: found []"
    assert (await reason_of(children, "hungry")) == "there was not enough memory to compute it"
    assert "there is no strategy 'absent'" in await reason_of(children, "absent")
    async with children.borrow() as child:
        assert child.pid == first  # all of this was one process
    assert await reason_of(children, "dying") == (
        "its computation died (exit code 3: about to die)"
    )
    crashed = await reason_of(children, "crashing")
    assert crashed.startswith("its computation died (signal 11, SIGSEGV")
    assert await reason_of(children, "forging") == ("its strategy writes where only the engine may")
    async with children.borrow() as child:
        again = await child.ask(run_of("buy_and_hold"))
        assert child.pid != first
        assert again.results == fair.results


async def test_what_fails_beside_a_child_does_not_cost_it(children: ComputingChildren) -> None:
    async with children.borrow() as child:
        first = child.pid

    async def without_prices() -> None:
        async with children.borrow() as child:
            await child.ask(run_of("buy_and_hold"))
            raise LookupError

    with pytest.raises(LookupError):
        await without_prices()
    async with children.borrow() as child:
        assert child.pid == first
        assert (await child.ask(run_of("buy_and_hold"))).said["metrics"]["sessions"] == 40


@pytest.mark.parametrize("strategy", ["looping", "sleepless"])
async def test_a_loop_without_end_is_killed(children: ComputingChildren, strategy: str) -> None:
    async with children.borrow() as child:
        process = psutil.Process(child.pid)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.8), children.borrow() as child:
            await child.ask(run_of(strategy))
    _, alive = await asyncio.to_thread(psutil.wait_procs, [process], 5)
    assert alive == []


PARENT = """
import asyncio, sys
sys.path[:0] = sys.argv[1:]
from etf_backtest.services.jobs.computing import ComputingChildren
from tests.integration.worker.test_computing import run_of

async def main():
    async with ComputingChildren().borrow() as child:
        print(child.pid, flush=True)
        await child.ask(run_of("looping"))

asyncio.run(main())
"""


def test_nothing_is_left_of_a_worker_that_was_killed(
    with_strangers: Path, repository: Path
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(with_strangers), str(repository)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    process = psutil.Process(child)
    while not Path("loops").exists() and parent.poll() is None:
        time.sleep(0.02)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    gone, alive = psutil.wait_procs([process], timeout=5)
    assert (len(gone), alive) == (1, [])


async def test_memory_can_be_limited(with_strangers: Path) -> None:
    children = ComputingChildren(memory=1 << 30)
    try:
        async with children.borrow() as child:
            limit = psutil.Process(child.pid)
            await child.ask(run_of("buy_and_hold"))
            assert limit.rlimit(psutil.RLIMIT_AS) == (1 << 30, 1 << 30)
    finally:
        await children.end()
