"""A TCP relay before PostgreSQL that holds up requests to cancel a statement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CANCEL_REQUEST = bytes([0, 0, 0, 16, 4, 210, 22, 46])
"""Its length and its code: https://www.postgresql.org/docs/current/protocol-message-formats.html"""


@dataclass
class Relay:
    """What went through, in order: `cancel` and `rollback`."""

    url: str
    seen: list[str] = field(default_factory=list)


@asynccontextmanager
async def relay(url: str, *, cancel_after: float) -> AsyncIterator[Relay]:
    """Relay to the server of `url`; a CancelRequest gets there `cancel_after` seconds late."""
    server = urlsplit(url)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        upstream, onward = await asyncio.open_connection(server.hostname, server.port)
        try:
            with suppress(ConnectionError):
                await asyncio.gather(to_server(reader, onward), to_client(upstream, writer))
        finally:
            writer.close()
            onward.close()

    async def to_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            if data.startswith(CANCEL_REQUEST):
                await asyncio.sleep(cancel_after)
                through.seen.append("cancel")
            if b"ROLLBACK\0" in data:
                through.seen.append("rollback")
            writer.write(data)
        writer.close()

    async def to_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1")
    port = listener.sockets[0].getsockname()[1]
    through = Relay(url.replace(f":{server.port}/", f":{port}/"))
    try:
        yield through
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
