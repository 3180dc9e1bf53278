"""Running pg_dump and pg_restore: what they say when they fail, and an end to them in any case."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from etf_backtest.errors import EtfBacktestError

BUFFER: Final = 2**20
STOP_SECONDS: Final = 5.0


@asynccontextmanager
async def running(
    program: Path, arguments: Sequence[str | Path], environment: Mapping[str, str]
) -> AsyncIterator[Process]:
    """The program while it runs; what it writes is for nobody else to read."""
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        env=environment,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        limit=BUFFER,
        umask=0o077,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            await _stop(process)


async def ended(
    program: Path, arguments: Sequence[str | Path], environment: Mapping[str, str]
) -> str | None:
    """Run a program to its end; None if it did well, else what it said."""
    async with running(program, arguments, environment) as process:
        _, said = await process.communicate()
    return None if process.returncode == 0 else reason(said, process.returncode)


async def output(
    program: Path, arguments: Sequence[str | Path], environment: Mapping[str, str]
) -> tuple[bytes, str | None]:
    """What a program writes; and what it said, if it failed."""
    async with running(program, arguments, environment) as process:
        written, said = await process.communicate()
    return written, None if process.returncode == 0 else reason(said, process.returncode)


def reason(said: bytes, code: int | None) -> str:
    """The first thing that it said, without its own name; else its exit code."""
    lines = said.decode(errors="replace").splitlines()
    texts = [line.partition(": ")[2].removeprefix("error: ") or line for line in lines if line]
    wanted = [text for text in texts if not text.startswith(("warning:", "hint:"))]
    return "; ".join(wanted[:2]) or f"it ended with exit code {code}"


def first_line(error: BaseException) -> str:
    """What the server said, without its details, which may quote rows."""
    return (str(error) or type(error).__name__).partition("\n")[0]


def before(error: BaseException) -> EtfBacktestError | None:
    """The error of ours that another one came after, and hid."""
    earlier = error.__context__
    while earlier is not None and not isinstance(earlier, EtfBacktestError):
        earlier = earlier.__context__
    return earlier


async def _stop(process: Process) -> None:
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
