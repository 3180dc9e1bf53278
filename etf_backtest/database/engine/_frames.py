"""The frames between Python and the engine; `js/frames.mjs` is the other side of the agreement."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum


class Operation(IntEnum):
    """What a request asks for (`frames.mjs` has the same list)."""

    CONNECT = 0
    QUERY = 1
    START = 2
    COMMIT = 3
    ROLLBACK = 4
    METRICS = 5


class Status(IntEnum):
    """What a frame from the child is."""

    OK = 0
    ERROR = 1
    EVENT = 2


def request_frame(
    number: int, operation: Operation, payload: bytes = b"", transaction: str = ""
) -> bytes:
    """Write a request as one frame."""
    tx = transaction.encode("latin-1", errors="replace")[:255]
    header = struct.pack(">IIBB", 6 + len(tx) + len(payload), number, operation, len(tx))
    return b"".join((header, tx, payload))


class ReplyReader:
    """Cut what comes from the engine into frames."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Take in bytes, give out (request's number, status, payload) of every complete frame."""
        received = self._received
        received += data
        while len(received) >= 4:
            end = 4 + int.from_bytes(received[:4])
            if len(received) < end:
                break
            number, status = int.from_bytes(received[4:8]), received[8]
            payload = bytes(received[9:end])
            # before anybody sees the frame: if that fails, it must not come a second time
            del received[:end]
            yield number, status, payload
