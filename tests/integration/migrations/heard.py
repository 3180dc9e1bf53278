"""Keeps what a command says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TypedDict

from etf_backtest.database.prisma_cli import Output


class Arguments(TypedDict):
    """What every function of prisma_cli takes."""

    directory: Path
    output: Output


class Heard:
    """An output that remembers; `take()` gives what came since the last time."""

    def __init__(self) -> None:
        self.everything = ""
        self._new = ""
        self.last_word = time.monotonic()
        self.output = Output(stdout=self._hear, stderr=self._hear)

    def _hear(self, text: str) -> None:
        self.everything += text
        self._new += text
        self.last_word = time.monotonic()

    def take(self) -> str:
        new, self._new = self._new, ""
        return new

    def on(self, project: Path) -> Arguments:
        """The arguments that make a command work on `project` and speak to us."""
        return Arguments(directory=project, output=self.output)
