"""The rows in an archive as pg_restore writes them: COPY statements, each with its rows.

They are read here, and not by pg_restore itself on a connection of its own, so that all of a
restore is one transaction, with any server: pg_restore 17 and newer sets a parameter that older
servers do not know, and would either fail or go on after every error.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

BLOCK: Final = 2**18
END: Final = b"\n\\.\n"
_NAME: Final = r'(?:"(?:[^"]|"")*"|[^\s",.()]+)'
_COPY: Final = re.compile(
    rf"COPY (?P<schema>{_NAME})\.(?P<table>{_NAME}) (?:\((?P<columns>.*)\))? ?FROM stdin;"
)
_COLUMN: Final = re.compile(_NAME)


class CutOffError(Exception):
    """The script ended in the middle of a table."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The rows of one table follow."""

    schema: str
    table: str
    columns: tuple[str, ...]


class DataScript:
    """A script of rows, read once from its beginning to its end."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream
        self._held = b""

    async def steps(self) -> AsyncIterator[Copy | str]:
        """Each COPY, whose rows have to be taken by `rows` then, and each other statement."""
        statement = ""
        while line := await self._line():
            text = line.decode().rstrip("\n")
            if not statement and (not text or text.startswith(("--", "\\"))):
                continue
            statement += f"{text}\n"
            if copy := _COPY.fullmatch(text):
                statement = ""
                columns = _COLUMN.findall(copy["columns"] or "")
                yield Copy(
                    _plain(copy["schema"]), _plain(copy["table"]), tuple(map(_plain, columns))
                )
            elif text.endswith(";"):
                yield statement
                statement = ""

    async def rows(self) -> AsyncIterator[bytes]:
        """The rows after a COPY, in blocks of any length.

        Raises
        ------
        CutOffError
            Their end is not there.
        """
        # as if the line before ended here, so that the end is found where there is no row
        held, first = b"\n" + self._held, 1
        self._held = b""
        while (end := held.find(END)) < 0:
            block = await self._stream.read(BLOCK)
            if not block:
                raise CutOffError
            keep = max(len(held) - len(END) + 1, first)
            if keep > first:
                yield held[first:keep]
                held, first = held[keep:], 0
            held += block
        if end + 1 > first:
            yield held[first : end + 1]
        self._held = held[end + len(END) :]

    async def _line(self) -> bytes:
        while (end := self._held.find(b"\n")) < 0:
            block = await self._stream.read(BLOCK)
            if not block:
                rest, self._held = self._held, b""
                return rest
            self._held += block
        line, self._held = self._held[: end + 1], self._held[end + 1 :]
        return line


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
