"""What a file is that is no text, told by its first bytes: it is named and never opened.

Least of all a pickle: reading one runs the code in it.
"""

from __future__ import annotations

import re

LOOKED_AT = 512
"""Bytes that are enough to tell."""
GZIP = b"\x1f\x8b"

_MARKS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"BZh": "packed by bzip2",
    b"\xfd7zXZ\x00": "packed by xz",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"%PDF": "a PDF",
    b"ARROW1": "an Arrow or Feather file",
    b"FEA1": "a Feather file",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"SQLite format 3": "an SQLite database",
    b"\x7fELF": "a program",
    b"MZ\x90": "a program",
}
_PICKLE = re.compile(
    rb"\x80[\x02-\x05]|\([ld]p?\d*\n|\(?c[\w.]+\n[\w.]+\n(?:\(|[pgq\x85-\x87])", re.ASCII
)
"""Its newer protocols by their first byte, the old ones of plain text by how they begin."""
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<!doctype|<html|<head|<\?xml)", re.IGNORECASE)


def foreign(start: bytes) -> str | None:
    """What the file is whose first bytes these are; None where it may be text or gzip.

    Parameters
    ----------
    start : bytes
        Its first `LOOKED_AT` bytes.
    """
    for mark, what in _MARKS.items():
        if start.startswith(mark):
            return what
    if _PICKLE.match(start):
        return "a Python pickle, which is never read: it could run anything"
    return "a web page or XML" if _PAGE.match(start) else None
