"""The engine's child process: its life, and the frames that go to it and come back.

One socket pair carries the frames, both ways (the child's end is its standard input), a pipe
carries whatever the child prints. Both are read by callbacks of the running event loop, without
asyncio's transports: these belong to one loop for good and complain when they are collected.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from etf_backtest.database.engine._command import EngineCommand
from etf_backtest.database.engine._frames import Operation, ReplyReader, Status, request_frame

log = logging.getLogger(__name__)

CHUNK = 1 << 18
STOP_WITHIN = 1.5
"""Seconds that the child may take to roll back and exit, before it is killed."""


class EngineStoppedError(Exception):
    """The child process has ended; `sent` tells whether the request may have been carried out."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class EngineReplyError(Exception):
    """The engine's answer is an error; `payload` is its JSON."""

    def __init__(self, payload: bytes) -> None:
        super().__init__("the engine's answer is an error")
        self.payload = payload


class WrongLoopError(Exception):
    """The process is in use by another event loop that is running."""


class EngineProcess:
    """A running engine.

    Parameters
    ----------
    command : EngineCommand
    on_event : callable
        Gets the payload of every frame that answers no request.

    Raises
    ------
    OSError
        Node cannot be started.
    """

    def __init__(self, command: EngineCommand, on_event: Callable[[bytes], None]) -> None:
        self._on_event = on_event
        self._owner = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._next_id = 0
        self._replies = ReplyReader()
        self._unsent: deque[memoryview] = deque()
        self._said: deque[str] = deque(maxlen=20)
        self.alive = True
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        self._stderr, their_stderr = os.pipe()
        os.set_blocking(self._stderr, False)
        try:
            self._child = subprocess.Popen(  # noqa: S603  # our own script
                command.argv(),
                stdin=theirs.fileno(),
                stdout=their_stderr,
                stderr=their_stderr,
                env=command.environ(),
                # Ctrl-C is for Python, which then stops the engine
                start_new_session=True,
            )
        except BaseException:
            self._socket.close()
            os.close(self._stderr)
            raise
        finally:
            theirs.close()
            os.close(their_stderr)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def request(
        self, operation: Operation, payload: bytes = b"", transaction: str = ""
    ) -> asyncio.Future[bytes]:
        """Send a request; the future gets the reply's payload.

        The future fails with `EngineReplyError` or `EngineStoppedError`.

        Raises
        ------
        EngineStoppedError
            The child is gone, and nothing was sent.
        WrongLoopError
            Another running event loop uses this process.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._attach(loop)
        self._next_id = number = self._next_id % 0xFFFFFFFF + 1
        self._send(request_frame(number, operation, payload, transaction))
        future: asyncio.Future[bytes] = loop.create_future()
        self._waiting[number] = future
        return future

    def _attach(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self.alive:
            raise EngineStoppedError(self._epitaph(), sent=False)
        if os.getpid() != self._owner:
            raise WrongLoopError("connected in the process that this one was forked from")
        before = self._loop
        if before is not None:
            if before.is_running():
                raise WrongLoopError("in use by another event loop that is running")
            if not before.is_closed():
                self._detach()
            # nobody can wait for these any more
            self._waiting = {
                number: future
                for number, future in self._waiting.items()
                if not future.get_loop().is_closed()
            }
        self._loop = loop
        loop.add_reader(self._socket, self._on_readable)
        loop.add_reader(self._stderr, self._on_stderr)

    def _detach(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            loop.remove_reader(self._stderr)

    def _send(self, frame: bytes) -> None:
        if not self.alive:
            raise EngineStoppedError(self._epitaph(), sent=False)
        if self._unsent:
            self._unsent.append(memoryview(frame))
            return
        try:
            sent = self._socket.send(frame)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._on_end()
            raise EngineStoppedError(self._epitaph(), sent=False) from None
        if sent < len(frame):
            self._unsent.append(memoryview(frame)[sent:])
            if self._loop is not None:
                self._loop.add_writer(self._socket, self._on_writable)

    def _on_writable(self) -> None:
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent[0])
                rest = self._unsent[0][sent:]
                if rest:
                    self._unsent[0] = rest
                else:
                    self._unsent.popleft()
        except BlockingIOError:
            return
        except OSError:
            self._on_end()
            return
        if self._loop is not None:
            self._loop.remove_writer(self._socket)

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._on_end()
            return
        for number, status, payload in self._replies.feed(data):
            self._on_reply(number, status, payload)

    def _on_reply(self, number: int, status: int, payload: bytes) -> None:
        if status == Status.EVENT:
            # a call of its own: if it fails, the replies behind it still arrive
            if self._loop is not None:
                self._loop.call_soon(self._on_event, payload)
            return
        future = self._waiting.pop(number, None)
        # whoever asked may have been cancelled
        if future is None or future.done() or future.get_loop().is_closed():
            return
        if status == Status.OK:
            future.set_result(payload)
        else:
            future.set_exception(EngineReplyError(payload))

    def _on_stderr(self) -> None:
        try:
            data = os.read(self._stderr, CHUNK)
        except BlockingIOError:
            return
        if not data and self._loop is not None:
            self._loop.remove_reader(self._stderr)
        for line in data.decode(errors="replace").splitlines():
            self._said.append(line)
            log.warning("query engine: %s", line)

    def _on_end(self) -> None:
        """The child has closed its end: it is dead, or about to be."""
        if not self.alive:
            return
        self._reap(time.monotonic() + STOP_WITHIN)
        with suppress(OSError):
            self._on_stderr()
        self._close_descriptors()
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done() and not future.get_loop().is_closed():
                future.set_exception(EngineStoppedError(self._epitaph(), sent=True))

    def _epitaph(self) -> str:
        code = self._child.returncode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        said = "; ".join(line for line in self._said if line.strip())
        return f"the query engine has stopped ({how}{': ' + said if said else ''})"

    def _close_descriptors(self) -> None:
        self._detach()
        self.alive = False
        self._socket.close()
        os.close(self._stderr)

    def _reap(self, deadline: float) -> None:
        """Wait for the child's end, and bring it about at `deadline`."""
        try:
            self._child.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def close(self, timeout: float | None = None) -> None:
        """Stop the child and wait for it: at most `timeout` seconds until it is killed."""
        if not self.alive:
            return
        if os.getpid() != self._owner:
            # a fork's copy: the engine belongs to the process that started it
            self._child.returncode = 0
            self.alive = False
            self._socket.close()
            return
        deadline = time.monotonic() + (STOP_WITHIN if timeout is None else timeout)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._reap(deadline)
        self._on_end()

    async def aclose(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # as in close
        """Do what `close` does without holding up the event loop."""
        if self.alive and os.getpid() == self._owner:
            deadline = time.monotonic() + (STOP_WITHIN if timeout is None else timeout)
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
            pause = 0.001
            while self._child.poll() is None and time.monotonic() < deadline:
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.02)
            self._reap(deadline)
        self.close(timeout=0)

    def kill(self) -> None:
        """End the child at once."""
        if self.alive:
            self._child.kill()
            self.close()
