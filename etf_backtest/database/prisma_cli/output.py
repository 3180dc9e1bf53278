"""Where the Prisma CLI's lines go, and which of them are noise."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_ANSI: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

# Said every time, whatever happens; between the first and the last line of a block all is noise.
_NOISE: Final = (
    "Loaded Prisma config from ",
    "Prisma config detected, skipping environment variable loading.",
)
_NOISE_BLOCKS: Final = {
    "WARNING: Your schema specifies the following datasource properties": (
        "We recommend you to remove those properties"
    ),
}
# Which functions of the schema engine an error went through, innermost first:
#    0: schema_engine_wasm::wasm::engine::ApplyMigrations
#            with migration_name="20250126000000_init"
#              at schema-engine/schema-engine-wasm/src/wasm/engine.rs:167
_FRAME: Final = re.compile(r"\d+: [a-z]\w*::\w+\S*(?: \w+)*$")
_OF_THE_FRAME: Final = re.compile(r"with \w+=|at \S+\.rs:\d+$")

Write = Callable[[str], object]


def _to_stdout(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _to_stderr(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class Output:
    """Where lines go, as soon as they are there."""

    stdout: Write = _to_stdout
    stderr: Write = _to_stderr
    color: bool = False
    """Ask Prisma for colours."""

    def say(self, line: str) -> None:
        """Write a line of our own, as narration."""
        self.stderr(f"{line}\n")


SILENT: Final = Output(stdout=lambda _: None, stderr=lambda _: None)


@dataclass(slots=True)
class NoiseFilter:
    """Takes lines, passes on those that mean something, without the blank lines around noise."""

    also: tuple[str, ...] = ()
    """Lines to leave out this time, by their beginning."""
    trace: list[str] = field(default_factory=list)
    """Lines of a trace of the schema engine, left out: nobody but its authors can do with them."""
    _until: str | None = None
    _blank: list[str] = field(default_factory=list)
    _swallow_blank: bool = True
    _in_trace: bool = False

    def __call__(self, line: str) -> str:
        """What to show now: nothing, the line, or the line after blank ones held back."""
        text = _ANSI.sub("", line).strip()
        if self._until is not None:
            if text.startswith(self._until):
                self._until = None
            return ""
        if self._is_trace(text):
            self.trace.append(text)
            return ""
        if not text:
            if not self._swallow_blank:
                self._blank.append(line)
            return ""
        self._until = next(
            (end for begin, end in _NOISE_BLOCKS.items() if text.startswith(begin)), None
        )
        if self._until is not None or text.startswith((*_NOISE, *self.also)):
            self._swallow_blank = self._swallow_blank or bool(self._blank)
            return ""
        shown = "".join((*self._blank, line))
        self._blank.clear()
        self._swallow_blank = False
        return shown

    def _is_trace(self, text: str) -> bool:
        self._in_trace = bool(_FRAME.match(text) or (self._in_trace and _OF_THE_FRAME.match(text)))
        return self._in_trace
