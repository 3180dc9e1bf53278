"""Run the pinned Prisma CLI: its words and exit code kept, its noise left out.

The database's URL, which holds a password, travels in the environment: anybody may read a
process's arguments. prisma.config.ts takes it from there. What schema.prisma sees as DATABASE_URL
is the same without its password, because the CLI hands that on: to the client that it generates,
and (`migrate resolve`) to a program, as an argument.

Nothing is downloaded: where the CLI looks for native engines it finds a stub.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from etf_backtest.database.node import compile_cache, node_program
from etf_backtest.database.prisma_cli.output import SILENT, NoiseFilter, Output, Write
from etf_backtest.database.prisma_cli.project import Project
from etf_backtest.database.prisma_cli.rights import missing_right
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import DatabaseUrlError
from etf_backtest.settings import Settings

ENGINE_STUB: Final = Path(__file__).with_name("engine_stub.cjs")

# `migrate resolve` asks the schema engine whether it can connect; only the exit code counts
DO_NOTHING: Final = shutil.which("true") or "/bin/true"

# generate, validate and format never connect, but want `env("DATABASE_URL")` to be something
NO_DATABASE: Final = "postgresql://nobody@localhost/none"

# Somebody's settings for another Prisma project, or for debugging it, would change what happens
# here (and DEBUG prints connection settings). The one that stays is a person's consent to what an
# assistant asks the CLI to destroy.
_NOT_INHERITED: Final = ("PRISMA_", "DEBUG", "FORCE_COLOR", "NO_COLOR")
_INHERITED_PRISMA: Final = "PRISMA_USER_CONSENT_FOR_DANGEROUS_AI_ACTION"

URL_VARIABLE: Final = "ETF_BACKTEST_PRISMA_URL"
"""Where prisma.config.ts looks first for the database."""

_LONGEST_LINE: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class PrismaRun:
    """How a run of the Prisma CLI ended, and what it said, noise left out."""

    exit_code: int
    stdout: str
    stderr: str
    trace: str = ""
    """Where in the schema engine an error came from, which is noise but for names in it."""


@dataclass(frozen=True, slots=True)
class Prisma:
    """The Prisma CLI on one project, and on one database where the command needs one."""

    project: Project
    settings: Settings
    url: str | None = field(default=None, repr=False)
    output: Output = field(default_factory=Output)

    @classmethod
    def on(
        cls,
        settings: Settings,
        url: str | None,
        *,
        directory: Path | None,
        output: Output | None,
    ) -> Prisma:
        """The CLI on the project around `directory`.

        Raises
        ------
        DatabaseUrlError
            The URL leads to pgbouncer: the CLI's lock is a session's, and would be left on a
            connection that others get.
        """
        if url is not None and "pgbouncer=true" in url:
            raise DatabaseUrlError(
                "the URL",
                "its pgbouncer=true leads to a pooler, and migrations go to the server itself",
                remedy="give DATABASE_URL the server's own host and port for this command, "
                "without pgbouncer=true",
            )
        return cls(Project.find(directory), settings, url, output or Output())

    def silent(self) -> Prisma:
        """The same, without a word."""
        return replace(self, output=SILENT)

    async def run(
        self,
        *arguments: str | Path,
        script: str | None = None,
        seeds: bool = False,
        hidden: tuple[str, ...] = (),
    ) -> PrismaRun:
        """Run `prisma <arguments>` in the project's folder.

        Parameters
        ----------
        *arguments : str or Path
            Of the Prisma CLI. Never a URL.
        script : str, optional
            What the CLI reads from standard input, which is empty otherwise: nothing asks back.
        seeds : bool
            Whether the command runs the seed, which connects by DATABASE_URL.
        hidden : tuple of str
            Beginnings of lines to leave out.

        Raises
        ------
        NodeMissingError, PrismaNotInstalledError
            Node or the npm packages are missing.
        """
        process = await asyncio.create_subprocess_exec(
            node_program(),
            self.project.prisma,
            *arguments,
            cwd=self.project.root,
            env=self._environment(seeds=seeds),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
        )
        noise = NoiseFilter(hidden)
        try:
            _, stdout, stderr = await asyncio.gather(
                _feed(process.stdin, script or ""),
                _relay(process.stdout, self.output.stdout, NoiseFilter(hidden)),
                _relay(process.stderr, self.output.stderr, noise),
            )
            code = await process.wait()
        finally:
            if process.returncode is None:
                # cancelled, as by Ctrl-C: it must not go on working on the database unseen
                process.terminate()
                await process.wait()
        if code != 0 and self.url is not None and (right := missing_right(stderr, self.url)):
            self.output.say(right)
            stderr += f"{right}\n"
        exit_code = code if code >= 0 else 128 - code
        return PrismaRun(exit_code, stdout, stderr, "\n".join(noise.trace))

    def _environment(self, *, seeds: bool) -> Mapping[str, str]:
        # what is passed on unread is not a setting of ours: PATH, HOME, proxies, locale
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name == _INHERITED_PRISMA or not name.startswith(_NOT_INHERITED)
        }
        # the generator (prisma-client-py) and the seed (python3) are looked up there
        programs = dict.fromkeys(
            (
                str(Path(sys.executable).parent),
                sysconfig.get_path("scripts"),
                os.environ.get("PATH"),
            )
        )
        shown = self.url if seeds else _without_password(self.url)
        return inherited | {
            "DATABASE_URL": shown or NO_DATABASE,
            **({} if self.url is None else {URL_VARIABLE: self.url}),
            "PATH": os.pathsep.join(filter(None, programs)),
            "CHECKPOINT_DISABLE": "1",
            "PRISMA_HIDE_UPDATE_MESSAGE": "1",
            "PRISMA_QUERY_ENGINE_LIBRARY": str(ENGINE_STUB),
            "PRISMA_QUERY_ENGINE_BINARY": str(ENGINE_STUB),
            "PRISMA_SCHEMA_ENGINE_BINARY": DO_NOTHING,
            **compile_cache(self.settings.cache_dir / "node"),
            "FORCE_COLOR" if self.output.color else "NO_COLOR": "1",
        }


def _without_password(url: str | None) -> str | None:
    if url is None:
        return None
    database = DatabaseUrl.parse(url)
    parameters = tuple(pair for pair in database.parameters if pair[0] != "sslpassword")
    return replace(database, password=None, parameters=parameters).render()


async def _feed(stdin: asyncio.StreamWriter | None, script: str) -> None:
    assert stdin is not None  # noqa: S101  # a pipe was asked for
    stdin.write(script.encode())
    try:
        await stdin.drain()
    except ConnectionError:
        return  # it ended without reading; its words and exit code say why
    stdin.close()


async def _relay(stream: asyncio.StreamReader | None, write: Write, noise: NoiseFilter) -> str:
    assert stream is not None  # noqa: S101  # a pipe was asked for
    said = []
    async for raw in stream:
        if shown := noise(raw.decode(errors="replace")):
            write(shown)
            said.append(shown)
    return "".join(said)
