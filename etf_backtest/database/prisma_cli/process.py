"""Run the pinned Prisma CLI: its words and exit code kept, its noise left out.

The database's URL, which holds a password, travels in the environment: anybody may read a
process's arguments. Nothing is downloaded: where the CLI looks for native engines it finds a stub.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from etf_backtest.database.prisma_cli.project import Project, node_program
from etf_backtest.settings import Settings

ENGINE_STUB: Final = Path(__file__).with_name("engine_stub.cjs")

# generate, validate and format never connect, but want `env("DATABASE_URL")` to be something
NO_DATABASE: Final = "postgresql://nobody@localhost/none"

# Somebody's settings for another Prisma project, or for debugging it, would change what happens
# here (and DEBUG prints connection settings). The one that stays is a person's consent to what an
# assistant asks the CLI to destroy.
_INHERITED_PRISMA: Final = "PRISMA_USER_CONSENT_FOR_DANGEROUS_AI_ACTION"

_LONGEST_LINE: Final = 64 * 2**20
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


@dataclass(frozen=True, slots=True)
class PrismaRun:
    """How a run of the Prisma CLI ended, and what it said, noise left out."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(slots=True)
class NoiseFilter:
    """Takes lines, passes on those that mean something, without the blank lines around noise."""

    also: tuple[str, ...] = ()
    """Lines to leave out this time, by their beginning."""
    _until: str | None = None
    _blank: list[str] = field(default_factory=list)
    _swallow_blank: bool = True

    def __call__(self, line: str) -> str:
        """What to show now: nothing, the line, or the line after blank ones held back."""
        text = _ANSI.sub("", line).strip()
        if self._until is not None:
            if text.startswith(self._until):
                self._until = None
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


async def run_prisma(
    project: Project,
    settings: Settings,
    *arguments: str | Path,
    url: str | None = None,
    script: str | None = None,
    output: Output,
    hidden: tuple[str, ...] = (),
) -> PrismaRun:
    """Run `prisma <arguments>` in the project's folder.

    Parameters
    ----------
    project : Project
        What to work on.
    settings : Settings
        Say where Node may keep compiled code.
    *arguments : str or Path
        Of the Prisma CLI. Never a URL.
    url : str, optional
        The database; without it the command cannot connect.
    script : str, optional
        What the CLI reads from standard input; it is empty otherwise, so nothing ever asks back.
    output : Output
        Where lines go.
    hidden : tuple of str
        Beginnings of lines to leave out.

    Raises
    ------
    PrismaNotInstalledError
        Node or the npm packages are missing.
    """
    process = await asyncio.create_subprocess_exec(
        node_program(),
        project.prisma,
        *arguments,
        cwd=project.root,
        env=_environment(settings, url or NO_DATABASE, color=output.color),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
    )
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin is not None  # noqa: S101  # PIPE gives all three
    assert stdout is not None  # noqa: S101
    assert stderr is not None  # noqa: S101
    try:
        _, said, narrated = await asyncio.gather(
            _feed(stdin, script or ""),
            _relay(stdout, output.stdout, NoiseFilter(hidden)),
            _relay(stderr, output.stderr, NoiseFilter(hidden)),
        )
        code = await process.wait()
    finally:
        if process.returncode is None:
            # cancelled, as by Ctrl-C: do not leave it working on the database behind our back
            process.terminate()
            await process.wait()
    return PrismaRun(code if code >= 0 else 128 - code, said, narrated)


async def _feed(stdin: asyncio.StreamWriter, script: str) -> None:
    stdin.write(script.encode())
    try:
        await stdin.drain()
    except ConnectionError:
        return  # it ended without reading; its words and exit code say why
    stdin.close()


async def _relay(stream: asyncio.StreamReader, write: Write, noise: NoiseFilter) -> str:
    said = []
    async for raw in stream:
        if shown := noise(raw.decode(errors="replace")):
            write(shown)
            said.append(shown)
    return "".join(said)


def _environment(settings: Settings, url: str, *, color: bool) -> Mapping[str, str]:
    # what is passed on unread is not a setting of ours: PATH, HOME, proxies, locale
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name == _INHERITED_PRISMA
        or not (name.startswith("PRISMA_") or name in ("DEBUG", "FORCE_COLOR", "NO_COLOR"))
    }
    # the generator (prisma-client-py) and the seed (python3) are looked up there
    programs = dict.fromkeys(
        (str(Path(sys.executable).parent), sysconfig.get_path("scripts"), os.environ.get("PATH"))
    )
    return inherited | {
        "DATABASE_URL": url,
        "PATH": os.pathsep.join(filter(None, programs)),
        "CHECKPOINT_DISABLE": "1",
        "PRISMA_HIDE_UPDATE_MESSAGE": "1",
        "PRISMA_QUERY_ENGINE_LIBRARY": str(ENGINE_STUB),
        "PRISMA_QUERY_ENGINE_BINARY": str(ENGINE_STUB),
        "PRISMA_SCHEMA_ENGINE_BINARY": str(ENGINE_STUB),
        "NODE_COMPILE_CACHE": str(settings.cache_dir / "node"),
        "FORCE_COLOR" if color else "NO_COLOR": "1",
    }
