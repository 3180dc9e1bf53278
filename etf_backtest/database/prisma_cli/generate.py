"""Generate the typed client, whole or not at all.

prisma-client-py writes file by file into the folder that is imported. Here it writes into a folder
beside it, which takes the other's place when it is complete: a schema that cannot be generated, a
full disk or Ctrl-C leave the old client as it was, and nobody imports half of a new one.
"""

from __future__ import annotations

import compileall
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from etf_backtest.database.prisma_cli.output import Output
from etf_backtest.database.prisma_cli.process import Prisma
from etf_backtest.database.prisma_cli.project import Project
from etf_backtest.database.prisma_cli.versions import check_versions
from etf_backtest.errors import GenerateError
from etf_backtest.settings import Settings

_OUTPUT: Final = re.compile(
    r'(?P<before>\bgenerator\s+\w+\s*\{[^}]*?\boutput\s*=\s*)"(?P<path>[^"]+)"'
)


async def generate(
    settings: Settings, *, directory: Path | None = None, output: Output | None = None
) -> int:
    """Generate the client that schema.prisma describes, and compile it.

    Parameters
    ----------
    settings : Settings
        Say where Node may keep compiled code.
    directory : Path, optional
        Where to look for the project; defaults to the working directory.
    output : Output, optional
        Where Prisma's words go; defaults to stdout and stderr.

    Returns
    -------
    int
        Prisma's exit code. Unless it is 0, the client is the one there was before.

    Raises
    ------
    VersionMismatchError
        The pinned versions differ: what would be generated would not run.
    GenerateError
        The schema names no output, or the generated code does not compile.
    """
    output = output or Output()
    project = Project.find(directory)
    check_versions(project)
    with _workshop(project) as workshop:
        named = replace(
            output,
            stdout=lambda text: output.stdout(workshop.final(text)),
            stderr=lambda text: output.stderr(workshop.final(text)),
        )
        prisma = Prisma(project, settings, output=named)
        run = await prisma.run("generate", "--no-hints", "--schema", workshop.schema)
        if run.exit_code == 0:
            workshop.finish()
            workshop.deliver()
    return run.exit_code


@dataclass(frozen=True, slots=True)
class _Workshop:
    """The folder beside the client, in which the new one is made."""

    project: Project
    text: str
    """The schema."""
    client: Path
    folder: Path

    @property
    def schema(self) -> Path:
        return self.folder / "schema.prisma"

    @property
    def new(self) -> Path:
        return self.folder / "new"

    def final(self, text: str) -> str:
        """Paths as they will be, instead of those in here."""
        root = self.project.root
        for here, there in ((self.new, self.client), (self.schema, self.project.schema)):
            text = text.replace(str(here), str(there))
            text = text.replace(os.path.relpath(here, root), os.path.relpath(there, root))
        return text

    def finish(self) -> None:
        """Make the generated code what it would be, had it been generated in its place."""
        main = self.new / "client.py"
        main.write_text(self.final(main.read_text(encoding="utf-8")), encoding="utf-8")
        (self.new / "schema.prisma").write_text(self.text, encoding="utf-8")
        # the first import must not have to compile; tracebacks name the final place
        compiled = compileall.compile_dir(
            self.new, quiet=2, stripdir=str(self.new), prependdir=str(self.client)
        )
        if not compiled:
            raise GenerateError(
                f"the client generated from {self.project.schema} does not compile",
                remedy="look for names in it that Python or prisma-client-py reserves",
            )

    def deliver(self) -> None:
        """Put the new client where the old one is."""
        old = self.folder / "old"
        if self.client.exists():
            self.client.rename(old)
        try:
            self.new.rename(self.client)
        except OSError:
            if old.exists():
                old.rename(self.client)
            raise


@contextmanager
def _workshop(project: Project) -> Iterator[_Workshop]:
    """Open one workshop at a time, and leave nothing of it."""
    text = project.schema.read_text(encoding="utf-8")
    named = _OUTPUT.search(text)
    if named is None:
        raise GenerateError(
            f"no generator in {project.schema} names its output",
            remedy='write output = "../etf_backtest/database/client" into it',
        )
    client = Path(os.path.normpath(project.schema.parent / named["path"]))
    client.parent.mkdir(parents=True, exist_ok=True)
    # the lock is on the folder itself and ends with the process
    handle = os.open(client.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        folder = Path(tempfile.mkdtemp(prefix=f".{client.name}-", dir=client.parent))
        try:
            workshop = _Workshop(project, text, client, folder)
            workshop.schema.write_text(
                _OUTPUT.sub(r'\g<before>"./new"', text, count=1), encoding="utf-8"
            )
            yield workshop
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)
