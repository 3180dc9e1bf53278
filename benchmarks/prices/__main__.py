"""Prices into the database and out again, beside what others do, on one server in one run.

    python -m benchmarks.prices [PART ...] [--url postgresql://...] [--rows 1000000] [--rounds 3]

PART is one or more of load, read, keys, growth; all of them by default. It prints Markdown. The
databases it makes, on the server of the settings or of --url, are removed at the end. What of the
dependency group `bench` is not installed is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from benchmarks.prices.growth import growth
from benchmarks.prices.keys import keys
from benchmarks.prices.loading import loading
from benchmarks.prices.reading import reading
from benchmarks.prices.server import ask, scratch
from etf_backtest.database.postgres import ensure_database
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.settings import load_settings

PARTS = ("load", "read", "keys", "growth")


async def run(arguments: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    given = arguments.url
    url = DatabaseUrl.parse(given) if given else await ensure_database(load_settings())
    parts = arguments.parts or PARTS
    with tempfile.TemporaryDirectory() as name:
        async with scratch(url) as server:
            (version,) = await ask(url, "SHOW server_version")
            print(f"PostgreSQL {version[0]}, {arguments.rows:,} rows, {arguments.rounds} rounds")
            options = {"rows": arguments.rows, "rounds": arguments.rounds}
            if "load" in parts:
                await loading(server, Path(name), peers=not arguments.alone, **options)
            if "read" in parts:
                await reading(server, Path(name), peers=not arguments.alone, **options)
            if "keys" in parts:
                await keys(server, **options)
            if "growth" in parts:
                await growth(server, rows=arguments.rows)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    parser.add_argument("--url", help="a PostgreSQL database, by a superuser")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="without the other libraries")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
