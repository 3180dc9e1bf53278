"""Rows in a script of pg_restore, wherever a read may break them apart."""

from __future__ import annotations

import asyncio

import pytest

from etf_backtest.database.backup import script as module
from etf_backtest.database.backup.script import Copy, CutOffError, DataScript

SCRIPT = b"""--
-- PostgreSQL database dump
--
\\restrict abc

SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);

COPY public.empty (id) FROM stdin;
\\.


COPY "My ""ETF"" funds".users (id, "first name", "a,b""c") FROM stdin;
1\t\\\\.\t\\N
\\\\.\tx\\ny\t\\.2
\\.

COPY public.nothing  FROM stdin;
\\.

SELECT pg_catalog.setval('public.a_seq', 7, true);
\\unrestrict abc
"""


async def read(*blocks: bytes) -> list[object]:
    stream = asyncio.StreamReader()
    for block in blocks:
        stream.feed_data(block)
    stream.feed_eof()
    found: list[object] = []
    script = DataScript(stream)
    async for step in script.steps():
        found.append(step)
        if isinstance(step, Copy):
            found.append(b"".join([block async for block in script.rows()]))
    return found


EXPECTED = [
    "SET client_encoding = 'UTF8';\n",
    "SELECT pg_catalog.set_config('search_path', '', false);\n",
    Copy("public", "empty", ("id",)),
    b"",
    Copy('My "ETF" funds', "users", ("id", "first name", 'a,b"c')),
    b"1\t\\\\.\t\\N\n\\\\.\tx\\ny\t\\.2\n",
    Copy("public", "nothing", ()),
    b"",
    "SELECT pg_catalog.setval('public.a_seq', 7, true);\n",
]


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, 64, 10_000])
async def test_the_same_whatever_a_read_brings(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", length)
    assert await read(SCRIPT) == EXPECTED


async def test_an_end_that_is_not_there() -> None:
    with pytest.raises(CutOffError):
        await read(SCRIPT[: SCRIPT.index(b"\\.\n\nCOPY public.nothing")])
