"""Queued backtests beside the same work called directly, on one server in one run.

    python -m benchmarks.queue [PART ...] [--url postgresql://...] [--jobs 400] [--rows 1000000]

PART is one or more of rate, latency, readers, growth; all of them by default. It prints Markdown.
The databases it makes, on the server of the settings or of --url, are removed at the end.
"""

from __future__ import annotations

import argparse
import asyncio

from benchmarks.alone import load
from benchmarks.prices.server import ask, scratch
from benchmarks.queue.growth import growth
from benchmarks.queue.latency import latency
from benchmarks.queue.rate import rate
from benchmarks.queue.readers import readers
from etf_backtest.database.postgres import ensure_database
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.settings import load_settings

PARTS = ("rate", "latency", "readers", "growth")


async def run(arguments: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    given = arguments.url
    url = DatabaseUrl.parse(given) if given else await ensure_database(load_settings())
    parts = arguments.parts or PARTS
    async with scratch(url) as server:
        (version,) = await ask(url, "SHOW server_version")
        print(f"PostgreSQL {version[0]}, {load()}")
        if "rate" in parts:
            await rate(server, jobs=arguments.jobs)
        if "latency" in parts:
            await latency(server, jobs=arguments.jobs)
        if "readers" in parts:
            await readers(server)
        if "growth" in parts:
            await growth(server, jobs=arguments.jobs, rows=arguments.rows)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    parser.add_argument("--url", help="a PostgreSQL database, by a superuser")
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--rows", type=int, default=1_000_000)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
