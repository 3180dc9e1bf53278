"""A TCP relay before PostgreSQL that can be cut, or swallow what is sent."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

HEARS_LAST = 0.3
"""Seconds that a server gets to carry out a statement, before its connection is reset."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends a reset, as when a machine is gone."""


@dataclass
class Trap:
    """Words to wait for, how much of the message with them is let through, and whether it was."""

    words: bytes
    sent: float
    sprung: threading.Event = field(default_factory=threading.Event)


class Network:
    """The way from some workers to the server."""

    def __init__(self, url: str) -> None:
        server = urlsplit(url)
        assert server.port is not None
        self._port = server.port
        self._loop = asyncio.new_event_loop()
        self._trap: Trap | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        self.url = url.replace(f":{server.port}/", f":{self.port}/")

    def cut(self) -> None:
        """Reset every connection, in the middle of whatever it carries."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    def swallow(self, seconds: float) -> None:
        """Carry nothing for a while, without a word to either side."""

        async def swallow() -> None:
            self._flows.clear()
            self._loop.call_later(seconds, self._flows.set)

        asyncio.run_coroutine_threadsafe(swallow(), self._loop).result(10)

    def cut_at(self, words: bytes, *, sent: float) -> threading.Event:
        """Reset the connection on which the next message to the server with these words goes.

        Parameters
        ----------
        sent : float
            How much of it gets there: nothing (0) to all (1). With all of it the server does what
            it is told, and nobody hears of that.

        Returns
        -------
        threading.Event
            Set when that has happened.
        """
        self._trap = Trap(words, sent)
        return self._trap.sprung

    def close(self) -> None:
        """End it, and every connection."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listener = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        listener.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _cut(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream, onward = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, onward}
        try:
            await asyncio.gather(
                self._carry(reader, onward, answers=writer), self._carry(upstream, writer)
            )
        finally:
            self._writers -= {writer, onward}
            writer.transport.abort()
            onward.transport.abort()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        answers: asyncio.StreamWriter | None = None,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._flows.wait()
                if answers is not None and self._trap is not None and self._trap.words in data:
                    await self._spring(self._trap, data, onward=writer, answers=answers)
                    break
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def _spring(
        self,
        trap: Trap,
        data: bytes,
        *,
        onward: asyncio.StreamWriter,
        answers: asyncio.StreamWriter,
    ) -> None:
        self._trap = None
        # no answer gets back from here on
        _reset(answers)
        onward.write(data[: int(len(data) * trap.sent)])
        await onward.drain()
        await asyncio.sleep(HEARS_LAST)
        _reset(onward)
        trap.sprung.set()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


@contextmanager
def network(url: str) -> Iterator[Network]:
    """A relay to the server of `url`."""
    way = Network(url)
    try:
        yield way
    finally:
        way.close()
