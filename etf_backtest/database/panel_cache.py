"""Panels in files on this machine, mapped into memory: the second read of the same prices is free.

A file is named by the hash of everything that its panel is made of: the identity of each symbol's
last revision, what stands before young funds, and the version of this package. Prices that change
have another name, so a file is never stale, and nobody has to be told. A file is complete or not
there (it is renamed when it is whole and never written again), so any number of processes may use
a folder at once. One that was damaged later is noticed by its sum, removed and made again.

    8 bytes   b"ebpanel2"
    8 bytes   length of the header, 8 bytes its CRC-32 (little-endian, as all that follows)
    header    JSON: symbols, bases, splices, notes, shape, what is there, sum of the body
    body      from a multiple of 64 on: dates (int64), prices, closes, dividends, splits (float64)
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import mmap
import os
import tempfile
import time
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import NDArray

from etf_backtest.market import PriceBasis, PricePanel
from etf_backtest.market.frozen import restored
from etf_backtest.market.quotes import Quotes
from etf_backtest.market.splice import Splice
from etf_backtest.settings import private_folder
from etf_backtest.typing import JsonObject, JsonValue
from etf_backtest.version import VERSION

if TYPE_CHECKING:
    from etf_backtest.database.price_store import DataState

_MAGIC: Final = b"ebpanel2"
_PREFIX: Final = 24
_ALIGNED: Final = 64
_SUFFIX: Final = ".panel"
_ABANDONED: Final = 3600.0
"""Seconds after which an unfinished file is nobody's any more."""


@dataclass(frozen=True, slots=True)
class CachedPanel:
    """A panel, whose arrays are those of the file, and what was put beside it."""

    panel: PricePanel
    notes: JsonValue


@dataclass(frozen=True, slots=True)
class PanelCache:
    """Panels in a folder.

    Attributes
    ----------
    folder : Path
        Made when it is needed.
    most_bytes : int
        What all files together may take; those that were used longest ago are removed. With 0
        nothing is kept.
    """

    folder: Path
    most_bytes: int

    def get(self, key: str) -> CachedPanel | None:
        """The panel of a key; None where there is none, or one that was damaged."""
        path = self._path(key)
        if not self.most_bytes:
            return None
        try:
            # a pipe that somebody put there is not waited for
            number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(number, "rb") as file:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):  # not there, not ours to read, empty
            return None
        try:
            found = _read(content)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            found = None  # its sum is right, and it is still none of ours
        with suppress(OSError):
            # which of them was used last; a damaged one only stands in the way
            os.utime(path) if found is not None else path.unlink()
        return found

    def put(self, key: str, panel: PricePanel, notes: JsonValue = None) -> bool:
        """Keep a panel, if there is room; whether it is there now."""
        parts = _written(panel, notes)
        size = sum(len(part) for part in parts)
        if size > self.most_bytes:
            return False
        try:
            private_folder(self.folder)
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".unfinished")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.writelines(parts)
                Path(name).replace(self._path(key))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            self._make_room(self._path(key))
        except OSError:  # no room, or not ours to write: then it is computed again next time
            return False
        return True

    def clear(self) -> None:
        """Remove every panel."""
        for path in self.folder.glob("*" + _SUFFIX):
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / (key + _SUFFIX)

    def _make_room(self, newest: Path) -> None:
        """Remove what was used longest ago until the rest fits."""
        now, files = time.time(), []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):  # another process is making room, too
                about = path.stat()
                if path.suffix == ".unfinished" and now - about.st_mtime > _ABANDONED:
                    path.unlink()
                elif path.suffix == _SUFFIX:
                    files.append((path == newest, about.st_mtime_ns, about.st_size, path))
        total = sum(size for *_, size, _path in files)
        for _newest, _used, size, path in sorted(files):
            if total <= self.most_bytes:
                return
            with suppress(OSError):  # not a file, or not ours: the others are
                path.unlink(missing_ok=True)
            total -= size


def panel_key(state: DataState, symbols: Sequence[str], about: JsonValue = None) -> str:
    """The name of the panel of these symbols in this state.

    Parameters
    ----------
    state : DataState
        With the states of all symbols that the panel is made of, proxies, too.
    symbols : sequence of str
        In the order of the columns.
    about : JSON, optional
        Whatever else the panel depends on: proxies, options.
    """
    made_of: JsonObject = {
        "version": VERSION,
        "symbols": list(symbols),
        "revisions": {symbol: each.id for symbol, each in sorted(state.symbols.items())},
        "about": about,
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def _written(panel: PricePanel, notes: JsonValue) -> list[bytes | memoryview]:
    """The file of a panel, in parts."""
    quotes = panel.quotes
    arrays: list[NDArray[np.generic]] = [panel.dates.astype(np.int64), panel.prices]
    if quotes is not None:
        arrays += [quotes.closes, quotes.dividends, quotes.splits]
    body = [np.ascontiguousarray(array) for array in arrays]
    header = json.dumps(
        {
            "symbols": list(panel.symbols),
            "basis": [str(basis) for basis in panel.basis],
            "splices": [splice_json(splice) for splice in panel.splices],
            "notes": notes,
            "sessions": panel.dates.size,
            "quotes": quotes is not None,
            "sum": _sum(array.view(np.uint64) for array in body),
        }
    ).encode()
    header += b" " * (-(_PREFIX + len(header)) % _ALIGNED)
    prefix = _MAGIC + np.array([len(header), zlib.crc32(header)], "<u8").tobytes()
    return [prefix, header, *(array.reshape(-1).view(np.uint8).data for array in body)]


def _read(content: mmap.mmap) -> CachedPanel | None:
    """What `_written` wrote; None if this is anything else."""
    if len(content) < _PREFIX or content[: len(_MAGIC)] != _MAGIC:
        return None
    length, check = (int(number) for number in np.frombuffer(content, "<u8", 2, len(_MAGIC)))
    text = content[_PREFIX : _PREFIX + length]
    if len(text) != length or zlib.crc32(text) != check:
        return None
    header = json.loads(text)
    sessions, symbols = header["sessions"], tuple(header["symbols"])
    cells, tables = sessions * len(symbols), 4 if header["quotes"] else 1
    if len(content) != _PREFIX + length + 8 * (sessions + tables * cells):
        return None
    body = np.frombuffer(content, np.uint64, offset=_PREFIX + length)
    if _sum([body]) != header["sum"]:
        return None
    dates = body[:sessions].view("datetime64[D]")
    prices, *quoted = body[sessions:].view(np.float64).reshape(tables, sessions, len(symbols))
    panel = restored(
        PricePanel,
        dates,
        symbols,
        prices,
        tuple(PriceBasis(basis) for basis in header["basis"]),
        restored(Quotes, *quoted) if quoted else None,
        tuple(_splice(splice) for splice in header["splices"]),
    )
    return CachedPanel(panel, header["notes"])


def _sum(arrays: Iterable[NDArray[np.uint64]]) -> int:
    """All words added up, without what runs over 64 bits."""
    return sum(int(np.add.reduce(array, axis=None)) for array in arrays) & 0xFFFF_FFFF_FFFF_FFFF


def splice_json(splice: Splice) -> JsonObject:
    """A splice, ready for JSON."""
    return {
        "symbol": splice.symbol,
        "proxy": splice.proxy,
        "date": splice.date.isoformat(),
        "annual_fee": splice.annual_fee,
        "earlier": None if splice.earlier is None else splice_json(splice.earlier),
        "own_basis": None if splice.own_basis is None else str(splice.own_basis),
    }


def _splice(saved: JsonObject) -> Splice:
    earlier = cast("JsonObject | None", saved["earlier"])
    own_basis = saved["own_basis"]
    return Splice(
        symbol=str(saved["symbol"]),
        proxy=str(saved["proxy"]),
        date=dt.date.fromisoformat(str(saved["date"])),
        annual_fee=float(cast("float", saved["annual_fee"])),
        earlier=None if earlier is None else _splice(earlier),
        own_basis=None if own_basis is None else PriceBasis(str(own_basis)),
    )
