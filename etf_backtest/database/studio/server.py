"""Run Prisma Studio behind its gate: one Node process, one port on loopback, one user."""

from __future__ import annotations

import json
import secrets
import subprocess
import threading
import webbrowser
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, ValidationError

from etf_backtest.database.node import node_program
from etf_backtest.database.studio.installation import Progress, install
from etf_backtest.database.studio.target import StudioTarget, translate
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import StudioDatabaseError, StudioPortError, StudioStoppedError

GATE = Path(__file__).with_name("gate.mjs")
DEFAULT_PORT = 5555
START_SECONDS = 60.0
STOP_SECONDS = 2.0
KEPT_LINES = 20
TEXT_BROWSERS = frozenset({"elinks", "links", "lynx", "w3m", "www-browser"})


class _Answer(BaseModel):
    """The one line that the gate writes: a port, or what went wrong."""

    model_config = ConfigDict(frozen=True)

    port: int | None = None
    error: str | None = None
    code: str | None = None
    message: str = ""


class _LastLines:
    """The end of what a process says, without secrets."""

    def __init__(self, stream: IO[str], secrets_: tuple[str, ...]) -> None:
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._secrets = secrets_
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            for secret in self._secrets:
                line = line.replace(secret, "***")
            if line.strip():
                self._lines.append(line.rstrip())

    def once_ended(self) -> tuple[str, ...]:
        self._thread.join(STOP_SECONDS)
        return tuple(self._lines)


class StudioServer:
    """A running Studio."""

    def __init__(
        self, process: subprocess.Popen[str], lines: _LastLines, port: int, token: str, once: str
    ) -> None:
        self._process = process
        self._lines = lines
        self.port = port
        self.url = f"http://127.0.0.1:{port}/?token={token}"
        """The address to open; whoever has it can read and write the database."""
        self.single_use_url = f"http://127.0.0.1:{port}/?token={once}"
        """The same for one visit, for a browser's command line, which other users can see."""

    @property
    def pid(self) -> int:
        """The process to blame."""
        return self._process.pid

    def wait(self) -> None:
        """Wait for the end, which only comes by an error or an exception in this thread.

        Raises
        ------
        StudioStoppedError
            With the last lines that Studio wrote.
        """
        exit_code = self._process.wait()
        raise StudioStoppedError(exit_code, self._lines.once_ended())


def serve(
    url: DatabaseUrl | str,
    *,
    cache_dir: Path,
    port: int = DEFAULT_PORT,
    open_browser: bool = True,
    on_ready: Callable[[StudioServer], None],
    on_progress: Progress | None = None,
) -> None:
    """Serve Studio until Ctrl-C; for the command line.

    Parameters are those of `studio`; `on_ready` is told when the page can be opened.
    """
    with studio(url, cache_dir=cache_dir, port=port, on_progress=on_progress) as server:
        try:
            on_ready(server)
            if open_browser:
                _open_browser(server.single_use_url)
            server.wait()
        except KeyboardInterrupt:
            return


def _open_browser(url: str) -> None:
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    # without a display Python offers these; they run no scripts and take over the terminal
    if browser.name not in TEXT_BROWSERS:
        browser.open(url)


@contextmanager
def studio(
    url: DatabaseUrl | str,
    *,
    cache_dir: Path,
    port: int = 0,
    on_progress: Progress | None = None,
) -> Iterator[StudioServer]:
    """Run Studio on the database at `url` as long as the context is open.

    Parameters
    ----------
    url : DatabaseUrl or str
        Over TCP or a unix socket (`?host=/directory`).
    cache_dir : Path
        Where Studio is installed, once.
    port : int
        On 127.0.0.1; 0 takes any that is free.
    on_progress : callable, optional
        Is told, in a line each, what the installation does.

    Raises
    ------
    DatabaseUrlError, StudioUrlError, StudioInstallError, StudioPortError, StudioDatabaseError,
    StudioStoppedError
        Before anything is served; each says what to do.
    """
    target = translate(DatabaseUrl.parse(url) if isinstance(url, str) else url)
    directory = install(cache_dir, on_progress=on_progress)
    process = subprocess.Popen(  # noqa: S603 - paths of installed packages
        [node_program(), GATE],
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        # Ctrl-C is for us; the gate ends when its stdin does, whatever becomes of us
        start_new_session=True,
    )
    try:
        yield _start(process, target, directory, port)
    finally:
        _stop(process)


def _start(
    process: subprocess.Popen[str], target: StudioTarget, directory: Path, port: int
) -> StudioServer:
    assert process.stdin is not None  # noqa: S101 - for the type checker: all three are pipes
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    token, once = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    lines = _LastLines(process.stderr, (*target.secrets, token, once))
    settings = {
        "directory": str(directory),
        "port": port,
        "token": token,
        "once": once,
        "database": {
            "url": target.url,
            "environment": target.environment,
            "certificates": None if target.certificates is None else str(target.certificates),
        },
    }
    # the line never comes when the gate hangs: then the timer ends it, and with it the reading
    timer = threading.Timer(START_SECONDS, process.kill)
    timer.daemon = True
    timer.start()
    try:
        process.stdin.write(json.dumps(settings) + "\n")
        process.stdin.flush()
        answer = _Answer.model_validate_json(process.stdout.readline())
    except (BrokenPipeError, ValidationError):
        process.kill()
        raise StudioStoppedError(
            process.wait(),
            lines.once_ended(),
            remedy=f"start it again; if that does not help, delete {directory}",
        ) from None
    finally:
        timer.cancel()
    match answer:
        case _Answer(port=int() as actual):
            return StudioServer(process, lines, actual, token, once)
        case _Answer(error="port"):
            taken = answer.code == "EADDRINUSE"
            raise StudioPortError(port, "another program has it" if taken else answer.message)
        case _:
            reason = answer.message or str(answer.code)
            raise StudioDatabaseError(target.name, code=answer.code, reason=reason)


def _stop(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except BrokenPipeError:
                continue
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stderr is not None:
        process.stderr.close()
