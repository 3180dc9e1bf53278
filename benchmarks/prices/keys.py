"""What the UUID key costs on this table, and what brings it down."""

from __future__ import annotations

import io
from dataclasses import dataclass

import asyncpg

from benchmarks.prices.made_up import batches
from benchmarks.prices.server import Server, ask, execute
from benchmarks.prices.tables import middle, seconds, show
from etf_backtest.database.price_binary import COLUMNS, HEADER, TRAILER, TimeOrderedIds, binary_rows
from etf_backtest.database.price_merge import STAGING
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.market.bars import SCALES

_FIELDS = ", ".join(("symbol", "date", *SCALES))
_COPY = "CREATE TABLE prices (LIKE market_data INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
_DEFAULTS = "ALTER TABLE prices ALTER revision SET DEFAULT 1, ALTER source SET DEFAULT 'x'"
_NO_ID = "ALTER TABLE prices DROP COLUMN id"
_SERIES = "CREATE UNIQUE INDEX ON prices (symbol, date)"
_KEY = "ALTER TABLE prices ADD PRIMARY KEY (id)"
_RANDOM = "ALTER TABLE prices ALTER id SET DEFAULT gen_random_uuid()"
_ORDERED = "ALTER TABLE prices ALTER id SET DEFAULT uuidv7()"
_INSERT = f"INSERT INTO prices ({_FIELDS}) SELECT {_FIELDS} FROM staged"
_WITH_ID = f"INSERT INTO prices (id, {_FIELDS}) SELECT id, {_FIELDS} FROM staged"
_SIZES = """
SELECT sum(pg_table_size(oid)) AS rows, sum(pg_indexes_size(oid)) AS indexes
FROM pg_class WHERE relkind = 'r' AND relname ~ '^(prices|p[0-9])$'
"""


@dataclass(frozen=True, slots=True)
class Variant:
    """A table, and how it is filled."""

    name: str
    before: tuple[str, ...]
    insert: str = _WITH_ID
    after: tuple[str, ...] = ()
    since: int = 0
    """The first major version of PostgreSQL that has it."""


_BOTH = (_COPY, _DEFAULTS, _SERIES, _KEY)
_VARIANTS = (
    Variant("no UUID: key (symbol, date)", (_COPY, _NO_ID, _DEFAULTS, _SERIES), _INSERT),
    Variant("gen_random_uuid()", (*_BOTH, _RANDOM), _INSERT),
    Variant("uuidv7()", (*_BOTH, _ORDERED), _INSERT, since=18),
    Variant("made here, version 7, in order of symbol and date (ours)", _BOTH),
    Variant("made here, random", _BOTH, _WITH_ID.replace("SELECT id", "SELECT random_id")),
    Variant("ours, rows by date", _BOTH, _WITH_ID + " ORDER BY date, symbol"),
    Variant("ours, rows in random order", _BOTH, _WITH_ID + " ORDER BY random_id"),
    Variant(
        "ours, fillfactor of the table 80",
        (_COPY + " WITH (fillfactor = 80)", *_BOTH[1:]),
    ),
    Variant(
        "ours, fillfactor of the indexes 100",
        (
            *_BOTH[:2],
            _SERIES + " WITH (fillfactor = 100)",
            "ALTER TABLE prices ADD PRIMARY KEY (id) WITH (fillfactor = 100)",
        ),
    ),
    Variant("ours, indexes built after the load", _BOTH[:2], after=(_SERIES, _KEY)),
    Variant(
        "ours, 8 partitions by hash of the symbol, key (id, symbol)",
        (
            _COPY + " PARTITION BY HASH (symbol)",
            *(
                f"CREATE TABLE p{n} PARTITION OF prices FOR VALUES WITH (MODULUS 8, REMAINDER {n})"
                for n in range(8)
            ),
            *(_DEFAULTS, _SERIES, "ALTER TABLE prices ADD PRIMARY KEY (id, symbol)"),
        ),
    ),
)


async def _stage(url: DatabaseUrl, rows: int) -> None:
    """The rows in a table without indexes, with ids of ours and random ones."""
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    table = STAGING.partition(";")[0]
    table = table.replace("TEMPORARY TABLE staged_prices", "UNLOGGED TABLE staged")
    await connection.execute(table.replace("ON COMMIT DROP", ""))
    ids = TimeOrderedIds()
    for bars in batches(rows):
        content = io.BytesIO(HEADER + binary_rows(bars, ids) + TRAILER)
        await connection.copy_to_table("staged", source=content, format="binary", columns=COLUMNS)
    await connection.execute("ALTER TABLE staged ADD random_id uuid DEFAULT gen_random_uuid()")
    await connection.execute("ANALYZE staged")
    await connection.close()


async def keys(server: Server, *, rows: int, rounds: int) -> None:
    """Measure and print."""
    url = await server.fresh()
    await _stage(url, rows)
    (version,) = await ask(url, "SELECT current_setting('server_version_num')::int / 10000")
    times: dict[str, list[float]] = {}
    sizes: dict[str, asyncpg.Record] = {}
    for _ in range(rounds):
        for variant in _VARIANTS:
            if version[0] < variant.since:
                continue
            await execute(url, "DROP TABLE IF EXISTS prices", *variant.before, "CHECKPOINT")
            steps = ("SET work_mem = '64MB'", variant.insert, *variant.after)
            took = await seconds(lambda steps=steps: execute(url, *steps))  # type: ignore[misc]
            times.setdefault(variant.name, []).append(took)
            (sizes[variant.name],) = await ask(url, _SIZES)
    await _makers(url, rows)
    first = next(iter(times.values()))
    table = [
        (
            name,
            f"{middle(took):.2f}",
            f"{middle(took) / middle(first):.2f}",
            f"{int(sizes[name]['rows']) / 2**20:.0f}",
            f"{int(sizes[name]['indexes']) / 2**20:.0f}",
        )
        for name, took in times.items()
    ]
    show(
        f"INSERT of {rows:,} staged rows, without triggers",
        ("", "s", "x no UUID", "table MB", "indexes MB"),
        table,
    )
    await server.drop(url)


async def _makers(url: DatabaseUrl, rows: int) -> None:
    """What it takes to make as many ids, and nothing else."""
    (version,) = await ask(url, "SELECT current_setting('server_version_num')::int / 10000")
    lines = []
    for name, since in (("gen_random_uuid", 0), ("uuidv7", 18)):
        if version[0] >= since:
            query = f"SELECT count({name}()) FROM generate_series(1, {rows})"
            lines.append((f"{name}() on the server", await seconds(lambda q=query: ask(url, q))))  # type: ignore[misc]

    async def ours() -> None:
        TimeOrderedIds().take(rows)

    lines.append(("version 7, made with NumPy", await seconds(ours)))
    show(f"{rows:,} ids", ("", "s"), [(name, f"{took:.3f}") for name, took in lines])
