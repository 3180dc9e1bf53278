"""Keeps what a command says."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from etf_backtest.database.prisma_cli import Output


class Arguments(TypedDict):
    """What every function of prisma_cli takes."""

    directory: Path
    output: Output


class Heard:
    """An output that remembers; `take()` gives what came since the last time.

    The two streams of a process are two pipes: which of two lines was written first is not known
    when one came through each. So what went to stdout is given first, then what went to stderr.
    """

    def __init__(self) -> None:
        self.everything = ""
        self._stdout: list[str] = []
        self._stderr: list[str] = []
        self.last_word = time.monotonic()
        self.output = Output(stdout=self._hear_on(self._stdout), stderr=self._hear_on(self._stderr))

    def _hear_on(self, stream: list[str]) -> Callable[[str], None]:
        def hear(text: str) -> None:
            self.everything += text
            stream.append(text)
            self.last_word = time.monotonic()

        return hear

    def take(self) -> str:
        new = "".join((*self._stdout, *self._stderr))
        self._stdout.clear()
        self._stderr.clear()
        return new

    def on(self, project: Path) -> Arguments:
        """The arguments that make a command work on `project` and speak to us."""
        return Arguments(directory=project, output=self.output)
