"""First loads, unchanged data again, and mixtures of new, changed and unchanged rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.prices import writers
from benchmarks.prices.made_up import adjusted_anew, batches, write_csv
from benchmarks.prices.server import Server, ask, execute
from benchmarks.prices.tables import middle, seconds, show
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.market.bars import Bars

_VERSIONS = "SELECT md5(string_agg(ctid::text || xmin::text, '' ORDER BY ctid)) FROM market_data"


async def loading(server: Server, folder: Path, *, rows: int, rounds: int, peers: bool) -> None:
    """Measure in turns, so that a slow moment hits all of them, and print."""
    file = folder / "prices.csv"
    write_csv(file, batches(rows))
    bars = list(batches(rows))
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        await _first_loads(server, file, bars, times)
        await _mixtures(server, folder, bars, times)
    _show(f"{rows:,} rows into market_data", rows, times, times)
    if peers:
        others: dict[str, list[float]] = {}
        await _peers(server, folder, rows, others)
        _show("The same rows, by others", rows, others, times)


def _show(
    title: str, rows: int, times: dict[str, list[float]], beside: dict[str, list[float]]
) -> None:
    yardstick = middle(beside[r"psql \copy"])
    table = [
        (
            name,
            f"{middle(took):.2f}",
            f"{rows / middle(took):,.0f}",
            f"{yardstick / middle(took):.2f}",
            " ".join(f"{each:.2f}" for each in took),
        )
        for name, took in times.items()
    ]
    head = ("", "s", "rows/s", r"speed of psql \copy", "all")
    show(title, head, table)


async def _first_loads(
    server: Server, file: Path, bars: list[Bars], times: dict[str, list[float]]
) -> None:
    def note(name: str, took: float) -> None:
        times.setdefault(name, []).append(took)

    url = await server.fresh()
    note(r"psql \copy", await seconds(lambda: writers.psql_copy(url, file)))
    await server.drop(url)
    bare = await server.fresh()
    note("import, of bars in memory", await seconds(lambda: writers.our_bars(bare, bars)))
    await server.drop(bare)
    ours = await server.fresh()
    note("import, of the file", await seconds(lambda: writers.our_import(ours, file)))
    before = await ask(ours, _VERSIONS)
    note("import again, unchanged", await seconds(lambda: writers.our_import(ours, file)))
    if before != await ask(ours, _VERSIONS):
        raise AssertionError("unchanged rows were written again")
    await server.drop(ours)


async def _mixtures(
    server: Server, folder: Path, bars: list[Bars], times: dict[str, list[float]]
) -> None:
    """Half of the sessions are stored; of the stored ones a part has changed."""
    half = [some.take(np.arange(len(some)) % 2 == 0) for some in bars]
    for percent in (5, 25, 50):
        name = f"50 % new, {percent} % changed, {50 - percent} % the same"
        stop = [round(len(some) * percent / 50) for some in bars]
        changed = [adjusted_anew(some, slice(end)) for some, end in zip(bars, stop, strict=True)]
        file = _file(folder, f"changed{percent}", changed)
        url = await _holding(server, half)
        took = await seconds(lambda url=url, file=file: writers.our_import(url, file))  # type: ignore[misc]
        times.setdefault(f"import: {name}", []).append(took)
        await server.drop(url)


async def _holding(server: Server, bars: list[Bars]) -> DatabaseUrl:
    url = await server.fresh()
    await writers.our_bars(url, bars)
    await execute(server.url, "CHECKPOINT")
    return url


async def _peers(server: Server, folder: Path, rows: int, times: dict[str, list[float]]) -> None:
    for name, (write, part) in writers.PEERS.items():
        file = _file(folder, f"part{part}", batches(rows // part))
        url = await server.fresh()
        try:
            took = await seconds(lambda write=write, url=url, file=file: write(url, file))  # type: ignore[misc]
        except ModuleNotFoundError as error:
            print(f"{name}: left out, {error}")
        else:
            times[name] = [took * part]
        await server.drop(url)


def _file(folder: Path, name: str, bars: Iterable[Bars]) -> Path:
    path = folder / f"{name}.csv"
    if not path.exists():
        write_csv(path, iter(bars))
    return path
