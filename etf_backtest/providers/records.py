"""Bytes of a CSV file into records, block by block: where each begins, and how many cells it has.

Lines are counted as an editor counts them: LF, CRLF and CR end one, in quotes, too.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from etf_backtest.errors import LayoutError
from etf_backtest.market.bars import Whole
from etf_backtest.typing import IndexArray

BLOCK = 4 * 1024 * 1024
LONGEST_RECORD = 1024 * 1024
"""Bytes of a record that has line ends in quotes; beyond, its quote is taken for a stray one."""
LONGEST_LINE = 16 * 1024 * 1024

_CELL = rb'(?>"[^"]*+(?:""[^"]*+)*+"|[^",\n]*+)'
_RECORD = re.compile(rb"(?>" + _CELL + rb"(?:," + _CELL + rb")*+)\n")
_PART = re.compile(rb"(?>(?:" + _CELL + rb",)*+)(?:\"[^\"]*+(?:\"\"[^\"]*+)*+\"?|[^\",\n]*+)\Z")
_QUOTED = re.compile(rb'"[^"]*"')
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Whole records, one after the other.

    Attributes
    ----------
    data : bytes
        UTF-8, lines ended by LF.
    starts, ends : ndarray of intp, shape (records,)
        Where a record begins, and the LF that ends it.
    cells : ndarray of intp, shape (records,)
        How many cells it has; 0 where its quotes are not those of CSV.
    rows : ndarray of int64, shape (records,)
        The line on which it begins, from 1.
    quoted : bool
        Whether there is a quote.
    unended : bool
        Whether its last line was the file's last, and had no end.
    """

    data: bytes
    starts: IndexArray
    ends: IndexArray
    cells: IndexArray
    rows: Whole
    quoted: bool
    unended: bool

    def __len__(self) -> int:
        return self.starts.size

    def text(self, record: int) -> str:
        """A record as it stands."""
        return self.data[self.starts[record] : self.ends[record]].decode()


def record_blocks(read: Callable[[int], bytes], *, size: int = BLOCK) -> Iterator[Block]:
    """Yield the records of a stream of bytes in blocks of about `size` bytes.

    Parameters
    ----------
    read : function of int to bytes
        Gives the next bytes: as many as asked for except at the end.

    Raises
    ------
    LayoutError
        It is not UTF-8, or has NUL bytes (naming the byte and the row), or no line ends.
    """
    checked = _Checked(read)
    rest, row = b"", 1
    final = False
    while not final:
        # as much again as there is of a long line, or all of it would be looked at too often
        chunk, final = checked.read(max(size, len(rest)))
        data = rest + chunk
        unended = final and bool(data) and not data.endswith(b"\n")
        if unended:
            data += b"\n"
        starts, ends, cells, cut = _records(data, final=final)
        if cut:
            lines = np.flatnonzero(np.frombuffer(data, np.uint8, cut) == ord("\n"))
            rows = row + np.searchsorted(lines, starts).astype(np.int64)
            yield Block(data[:cut], starts, ends, cells, rows, b'"' in data, unended)
            row += lines.size
        rest = data[cut:]
        if len(rest) > LONGEST_LINE:
            raise LayoutError(
                f"row {row} is longer than {LONGEST_LINE // 2**20} MB",
                remedy="a table of prices has an end of line after each session",
            )


class _Checked:
    """Bytes in UTF-8 without a mark at the beginning, their lines ended by LF."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._bytes = 0
        self._lines = 0
        self._held = b""

    def read(self, size: int) -> tuple[bytes, bool]:
        """The next bytes, and whether they are the last."""
        chunk = self._read(size)
        final = len(chunk) < size
        if not self._bytes:
            mark = next((name for mark, name in _MARKS if chunk.startswith(mark)), None)
            if mark is not None:
                raise LayoutError(f"is {mark}, not UTF-8", remedy="save it as UTF-8 and try again")
        self._check(chunk, final=final)
        if not self._bytes:
            self._bytes, chunk = self._bytes + len(chunk), chunk.removeprefix(codecs.BOM_UTF8)
        else:
            self._bytes += len(chunk)
        chunk = self._held + chunk
        self._held = b""
        if not final and chunk.endswith(b"\r"):  # an LF may follow
            chunk, self._held = chunk[:-1], b"\r"
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._lines += chunk.count(b"\n")
        return chunk, final

    def _check(self, chunk: bytes, *, final: bool) -> None:
        zero = chunk.find(b"\0")
        if zero >= 0:
            raise LayoutError(
                f"has a NUL byte (byte {self._bytes + zero + 1:,}, row {self._row(chunk, zero)})",
                remedy="it is not CSV, or UTF-16, or was not written to its end",
            )
        before = self._decoder.getstate()[0]
        if chunk.isascii() and not before:
            return
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            place = error.start - len(before)
            number, row = self._bytes + place + 1, self._row(chunk, max(place, 0))
            raise LayoutError(
                f"is not UTF-8 (byte {number:,} is 0x{error.object[error.start]:02X}, row {row})",
                remedy="save it as UTF-8 and try again",
            ) from error

    def _row(self, chunk: bytes, place: int) -> int:
        part = self._held + chunk[:place]
        return 1 + self._lines + part.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")


def _records(data: bytes, *, final: bool) -> tuple[IndexArray, IndexArray, IndexArray, int]:
    """Starts, ends and cells of the whole records in `data`, and where the rest begins."""
    if b'"' not in data:
        cut = data.rfind(b"\n") + 1
        buffer = np.frombuffer(data, np.uint8, cut)
        ends = np.flatnonzero(buffer == ord("\n"))
        return *_counted(ends, np.flatnonzero(buffer == ord(","))), cut
    buffer = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(buffer == ord('"'))
    ends = _outside(np.flatnonzero(buffer == ord("\n")), quotes)
    cut = int(ends[-1]) + 1 if ends.size else 0
    too_long = len(data) - cut > LONGEST_RECORD
    if (final and cut < len(data)) or too_long or not _well_placed(buffer, quotes[quotes < cut]):
        return _one_by_one(data, final=final)
    commas = _outside(np.flatnonzero(buffer[:cut] == ord(",")), quotes)
    return *_counted(ends, commas), cut


def _counted(ends: IndexArray, commas: IndexArray) -> tuple[IndexArray, IndexArray, IndexArray]:
    starts = np.concatenate(([0], ends[:-1] + 1)) if ends.size else ends
    before = np.searchsorted(commas, ends)
    return starts, ends, np.diff(before, prepend=0) + 1


def _outside(places: IndexArray, quotes: IndexArray) -> IndexArray:
    """Those of the places that an even number of quotes comes before."""
    outside: IndexArray = places[np.searchsorted(quotes, places) % 2 == 0]
    return outside


def _well_placed(buffer: np.ndarray[tuple[int], np.dtype[np.uint8]], quotes: IndexArray) -> bool:
    """Whether each quote begins a cell, ends one, or is one of two for one."""
    opening, closing = quotes[::2], quotes[1::2]
    if opening.size != closing.size:
        return False
    before = buffer[np.maximum(opening - 1, 0)]
    begins = (opening == 0) | (before == ord(",")) | (before == ord("\n"))
    begins[1:] |= opening[1:] == closing[:-1] + 1
    after = buffer[closing + 1]  # an end of line outside quotes comes after the last
    finishes = (after == ord(",")) | (after == ord("\n")) | (after == ord('"'))
    return bool(np.all(begins) and np.all(finishes))


def _one_by_one(data: bytes, *, final: bool) -> tuple[IndexArray, IndexArray, IndexArray, int]:
    """The same where a quote stands wrong: only the line on which it does is no record."""
    starts, ends, cells = [], [], []
    place = 0
    while place < len(data):
        found = _RECORD.match(data, place)
        if found is not None:
            end = found.end() - 1
            count = _QUOTED.sub(b"", data[place:end]).count(b",") + 1
        else:
            if not final and len(data) - place <= LONGEST_RECORD and _PART.match(data, place):
                break
            end = data.find(b"\n", place)
            count = 0
            if end < 0:
                break
        starts.append(place)
        ends.append(end)
        cells.append(count)
        place = end + 1
    return (
        np.array(starts, dtype=np.intp),
        np.array(ends, dtype=np.intp),
        np.array(cells, dtype=np.intp),
        place,
    )
