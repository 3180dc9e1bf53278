"""Bars as PostgreSQL's binary COPY format, made of whole columns at once.

A row is a count of fields, and of each field its length in bytes and its value; -1 is NULL. Rows
are first laid out with everything at its longest, one record of a NumPy structure each, and what a
row does not have (bytes behind the end of its symbol, values that the source does not say) is then
left out of the whole at once. Numbers stay whole all the way: a `numeric` is digits to the base
10,000, which are remainders of what `Bars` holds. Format: PostgreSQL manual, "COPY", section
"Binary Format"; digits as `numeric_send` writes them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from etf_backtest.market.bars import SCALES, UNKNOWN, Bars, Whole
from etf_backtest.typing import BoolArray

COLUMNS: Final = ("id", "origin", "symbol", "date", *SCALES)
"""The fields of a row, in order; `origin` is a number that stands for the source."""
HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"

_EPOCH = np.datetime64("2000-01-01", "D")
_BASE = 10_000
_INTEGER_GROUPS = 2  # up to 99,999,999 before the point: more than any of the columns holds
_COUNTER_BITS = 26
_RANDOM_BITS = 48


@dataclass(slots=True)
class TimeOrderedIds:
    """Version 7 UUIDs that ascend from row to row and from batch to batch.

    48 bits are milliseconds, 26 count the rows of a batch, 48 are random (RFC 9562, section 5.7 and
    section 6.2, method 1): an index on them grows at its end.
    """

    _last: int = field(default=0)

    def take(self, count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """The high and the low halves of the next ids, of shape (count,) each."""
        from secrets import token_bytes

        if count >= 1 << _COUNTER_BITS:
            raise ValueError(f"{count} ids at once, expected fewer than {1 << _COUNTER_BITS}")
        # a batch has a millisecond of its own, if need be one that is still to come
        self._last = max(time.time_ns() // 1_000_000, self._last + 1)
        counter = np.arange(count, dtype=np.uint64)
        high = np.uint64(self._last << 16 | 0x7000) | counter >> np.uint64(_COUNTER_BITS - 12)
        low = counter & np.uint64((1 << _COUNTER_BITS - 12) - 1)
        noise = np.zeros((count, 8), dtype=np.uint8)
        noise[:, :6] = np.frombuffer(token_bytes(6 * count), dtype=np.uint8).reshape(count, 6)
        random = noise.view("<u8").reshape(count)
        return high, np.uint64(0b10 << 62) | low << np.uint64(_RANDOM_BITS) | random


def binary_rows(bars: Bars, ids: TimeOrderedIds, *, origin: int = 0) -> bytes:
    """Rows of `COLUMNS`, without header and trailer; ids ascend in the order of the rows.

    Parameters
    ----------
    bars : Bars
        Symbols without a NUL byte.
    ids : TimeOrderedIds
    origin : int
        Written to each row.
    """
    count = len(bars)
    if not count:
        return b""
    names = np.array([symbol.encode() for symbol in bars.symbols], dtype=np.bytes_)
    lengths = np.char.str_len(names)
    here = {name: bars.numbers(name) != UNKNOWN for name in SCALES}
    kept = {name for name, known in here.items() if known.any()}
    rows: NDArray[Any] = np.zeros(count, dtype=_layout(names.dtype.itemsize, kept))
    rows["fields"] = len(COLUMNS)
    rows["id length"] = 16
    rows["id high"], rows["id low"] = ids.take(count)
    rows["origin length"], rows["origin"] = 4, origin
    rows["symbol length"] = lengths[bars.codes]
    rows["symbol"] = names[bars.codes]
    rows["date length"] = 4
    rows["date"] = (bars.dates - _EPOCH).astype(np.int64)
    for name in SCALES:
        _write_number(rows, name, bars.numbers(name), here[name], with_value=name in kept)
    return _without_gaps(rows, lengths[bars.codes], {name: here[name] for name in kept})


def _layout(symbol: int, kept: set[str]) -> np.dtype[np.void]:
    """A row with everything at its longest, but without numbers that no row has."""
    parts: list[tuple[str, str] | tuple[str, str, int]] = [
        ("fields", ">i2"),
        *(("id length", ">i4"), ("id high", ">u8"), ("id low", ">u8")),
        *(("origin length", ">i4"), ("origin", ">i4")),
        *(("symbol length", ">i4"), ("symbol", f"S{symbol}")),
        *(("date length", ">i4"), ("date", ">i4")),
    ]
    for name, scale in SCALES.items():
        parts.append((f"{name} length", ">i4"))
        if name in kept and not scale:
            parts.append((name, ">i8"))
        elif name in kept:
            parts.append((f"{name} head", ">i2", 4))
            parts.append((name, ">i2", _groups(scale)))
    return np.dtype(parts)


def _groups(scale: int) -> int:
    return _INTEGER_GROUPS + -(-scale // 4)


def _write_number(
    rows: NDArray[Any], name: str, values: Whole, known: BoolArray, *, with_value: bool
) -> None:
    scale = SCALES[name]
    if not with_value:
        rows[f"{name} length"] = -1
        return
    size = 2 * (4 + _groups(scale)) if scale else 8
    rows[f"{name} length"] = np.where(known, size, -1)
    if not scale:
        rows[name] = values
        return
    # how many digits, the power of the first, the sign, and how many are shown behind the point
    negative = np.where(values < 0, 0x4000, 0)
    rows[f"{name} head"] = np.array((_groups(scale), _INTEGER_GROUPS - 1, 0, scale))
    rows[f"{name} head"][:, 2] = negative
    rest = np.abs(values)
    if short := -scale % 4:
        rest = rest * 10**short
    for group in range(_groups(scale) - 1, 0, -1):
        rest, digits = np.divmod(rest, _BASE)
        rows[name][:, group] = digits
    rows[name][:, 0] = rest


def _without_gaps(rows: NDArray[Any], symbols: Whole, known: dict[str, BoolArray]) -> bytes:
    """The rows' bytes, less those behind the end of a symbol and the values that are not there."""
    kind = rows.dtype
    assert kind.fields is not None  # noqa: S101  # it is a structure
    matrix = rows.view(np.uint8).reshape(rows.size, kind.itemsize)
    gaps = {name: mask for name, mask in known.items() if not mask.all()}
    width = kind["symbol"].itemsize
    if not gaps and (symbols == width).all():
        return matrix.tobytes()
    there = np.ones(matrix.shape, dtype=np.bool_)
    start = kind.fields["symbol"][1]
    there[:, start : start + width] = np.arange(width) < symbols[:, None]
    for name, mask in gaps.items():
        first = f"{name} head" if SCALES[name] else name
        start = kind.fields[first][1]
        stop = kind.fields[name][1] + kind[name].itemsize
        there[:, start:stop] = mask[:, None]
    return matrix[there].tobytes()
