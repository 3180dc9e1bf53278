"""Workers as processes, and what may happen to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

MARK = "FAULTS_OF"


@dataclass
class Workers:
    """`etf-backtest worker` so many times; each that dies is replaced when one asks for it."""

    folder: Path
    options: tuple[str, ...] = ()
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _stopped: list[threading.Timer] = field(default_factory=list)

    def start(self, name: str, url: str, **environ: str) -> None:
        """Start one under a name of ours."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "etf_backtest", "worker", *self.options],
                env={**os.environ, "DATABASE_URL": url, MARK: self.mark, **environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """What the kernel does when memory is gone."""
        process = self.running.pop(name)
        process.kill()
        process.wait(10)

    def kill_child(self, name: str, what: str) -> bool:
        """Kill a child of a worker whose command line has `what` in it; whether there was one."""
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.running[name].pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if any(what in part for part in child.cmdline()):
                        child.kill()
                        return True
        return False

    def freeze(self, name: str, seconds: float) -> None:
        """Let a worker stand still, so that others take it for dead, and then go on."""
        process = self.running[name]
        process.send_signal(signal.SIGSTOP)
        timer = threading.Timer(seconds, process.send_signal, [signal.SIGCONT])
        self._stopped.append(timer)
        timer.start()

    def stop(self, within: float = 40) -> dict[str, int]:
        """Ask all of them to stop; their exit codes."""
        for timer in self._stopped:
            timer.join()
        deadline = time.monotonic() + within
        for name, process in self.running.items():
            # asked any sooner, Python ends without a word
            while not self.has_begun(name) and time.monotonic() < deadline:
                time.sleep(0.05)
            process.terminate()
        codes = {}
        for name, process in self.running.items():
            codes[name] = process.wait(max(0.1, deadline - time.monotonic()))
        self.running.clear()
        return codes

    def has_begun(self, name: str) -> bool:
        """Whether the worker of this name has its connection, and hears signals."""
        begun = f"worker {self.running[name].pid} on"
        return self.running[name].poll() is not None or begun in self.log(name)

    def log(self, name: str) -> str:
        """All that the workers of this name have said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def logs(self) -> str:
        """The last that each has said."""
        return "".join(
            f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}"
            for log in sorted(self.folder.glob("*.log"))
        )

    def left(self) -> list[str]:
        """Command lines of processes that any of them has left behind."""
        return [" ".join(process.cmdline()) for process in self._marked()]

    def end(self) -> None:
        """Kill whatever is left, so that a test that fails leaves nothing behind."""
        for timer in self._stopped:
            timer.cancel()
        for process in self._marked():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for popen in self.running.values():
            popen.wait(10)

    def _marked(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                is_zombie = process.status() == psutil.STATUS_ZOMBIE
                if process.environ().get(MARK) == self.mark and not is_zombie:
                    yield process
