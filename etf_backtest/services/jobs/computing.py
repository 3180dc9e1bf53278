"""Child processes that compute, one for each job at a time; they can be killed."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from etf_backtest.errors import ComputationDiedError, ComputationError
from etf_backtest.errors.wording import one_line, shortened
from etf_backtest.services.jobs.computation import LENGTH, LONGEST_ANSWER, Question

log = logging.getLogger(__name__)

_START: Final = """
import json, sys
memory, path = sys.argv[1:]
sys.path[:] = json.loads(path)
from etf_backtest.services.jobs.computing_child import main
main(json.loads(memory))
"""
_CHUNK: Final = 1 << 20
_LINES_KEPT, _LINES_LOGGED = 5, 100
_LEAVE_WITHIN: Final = 2.0
"""Seconds from the end of its input until a child that has not ended is killed."""
_PRIVATE: Final = ("DATABASE_URL", "SHADOW_DATABASE_URL")
_PRIVATE_BEGINNINGS: Final = ("PG", "ETF_BACKTEST_")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a child has said: its JSON, and the text of the results behind it."""

    said: Mapping[str, Any]
    results: bytes


class ComputingChild:
    """A running child process; start one with `start_child`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: deque[str] = deque(maxlen=_LINES_KEPT)
        self._lines_left = _LINES_LOGGED
        self._listening = asyncio.create_task(self._listen())
        self._is_killed = False
        self._is_asked = False

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked something."""
        return self._process.returncode is None and not self._is_killed

    @property
    def is_at_work(self) -> bool:
        """Whether it is alive and owes an answer."""
        return self._is_asked and self.is_alive

    async def ask(self, question: Question) -> Answer:
        """Have a question answered; whoever is cancelled in here should kill the child.

        Raises
        ------
        ComputationError
            The answer is an error, or the child has died (`ComputationDiedError`).
        """
        self._said.clear()
        self._lines_left = _LINES_LOGGED
        body = pickle.dumps(question, protocol=5)
        streams = self._process.stdin, self._process.stdout
        assert streams[0] is not None and streams[1] is not None  # noqa: S101, PT018  # are pipes
        self._is_asked = True
        try:
            streams[0].write(LENGTH.pack(len(body)))
            streams[0].write(body)
            await streams[0].drain()
            (size,) = LENGTH.unpack(await streams[1].readexactly(LENGTH.size))
            if size > LONGEST_ANSWER:
                self.kill()
                raise ComputationError(f"its result takes {size:,} bytes, more than can be stored")
            head, _, results = (await streams[1].readexactly(size)).partition(b"\n")
        except (OSError, asyncio.IncompleteReadError):
            raise await self._death() from None
        self._is_asked = False
        try:
            said = json.loads(head)
        except ValueError:
            self.kill()
            raise ComputationError("its strategy writes where only the engine may") from None
        if "error" in said:
            raise ComputationError(str(said["error"]))
        return Answer(said, results)

    async def _death(self) -> ComputationDiedError:
        code = await self._process.wait()
        self.kill()  # what it has started may live on, and holds our pipe
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._listening), 0.2)
        how = f"signal {-code}, {_signal(-code)}" if code < 0 else f"exit code {code}"
        said = shortened(one_line("; ".join(self._said)), 500)
        return ComputationDiedError(f"{how}{': ' + said if said else ''}")

    async def _listen(self) -> None:
        """Keep the last lines that it prints, and log the first ones of each question."""
        stream = self._process.stderr
        assert stream is not None  # noqa: S101  # is a pipe
        rest = b""
        while data := await stream.read(_CHUNK):
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[-_CHUNK:]
            for line in [*lines, *([rest] if stream.at_eof() else [])]:
                if text := shortened(one_line(line[:2000].decode(errors="replace")), 500):
                    self._note(text)

    def _note(self, line: str) -> None:
        self._said.append(line)
        if self._lines_left > 0:
            self._lines_left -= 1
            log.info("process %d says: %s", self.pid, line)

    def kill(self) -> None:
        """End it at once, and whatever it has started."""
        self._is_killed = True
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Close its input, which ends it, and wait for that."""
        if self.is_alive and self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_LEAVE_WITHIN):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        finally:
            self._listening.cancel()


async def start_child(memory: int | None = None) -> ComputingChild:
    """Start a child process that knows where to import from what this one does.

    Parameters
    ----------
    memory : int, optional
        Bytes of address space that it may take.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _START,
        json.dumps(memory),
        json.dumps(_import_path()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_CHUNK,
        env=_environment(),
        # Ctrl-C is for the worker; and it can be killed with all that it has started
        start_new_session=True,
    )
    return ComputingChild(process)


def _import_path() -> list[str]:
    """Ours: what the worker can import, a child can."""
    return [str(Path(each).absolute()) for each in sys.path]


def _environment() -> dict[str, str]:
    """Ours, without what leads into the database."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in _PRIVATE and not name.startswith(_PRIVATE_BEGINNINGS)
    }


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


class ComputingChildren:
    """Children that are idle, and those at work: as many as there ever were jobs at once."""

    def __init__(self, *, memory: int | None = None) -> None:
        self._memory = memory
        self._idle: list[ComputingChild] = []
        self._busy: set[ComputingChild] = set()

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[ComputingChild]:
        """A child for one job; it is killed where the job ends before it has answered."""
        child = self._idle.pop() if self._idle else await start_child(self._memory)
        if not child.is_alive:
            await child.end()
            child = await start_child(self._memory)
        self._busy.add(child)
        try:
            yield child
        finally:
            if child.is_at_work:
                child.kill()
            self._busy.discard(child)
            self._idle.append(child)

    def kill(self) -> None:
        """End all of them at once."""
        for child in (*self._idle, *self._busy):
            child.kill()

    async def end(self) -> None:
        """End all of them."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(child.end() for child in idle))
