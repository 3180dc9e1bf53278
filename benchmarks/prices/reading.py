"""200 symbols of twenty years into a panel: live, packed, from the cache, and what others read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.prices.made_up import batches
from benchmarks.prices.server import Server, execute
from benchmarks.prices.tables import middle, seconds, show
from benchmarks.prices.writers import our_bars
from etf_backtest.database.panel_cache import PanelCache, panel_key
from etf_backtest.database.price_store import load_series, price_state
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.market import PricePanel
from etf_backtest.services.price_panel import total_return_series

_REPEATS = 5
_QUERY = """
SELECT symbol, date, close::float8 AS close, adjusted_close::float8 AS adjusted_close,
       dividend_amount::float8 AS dividend_amount, split_ratio::float8 AS split_ratio
FROM market_data ORDER BY symbol, date
"""


async def _panel(url: DatabaseUrl, symbols: list[str]) -> PricePanel:
    stored = (await load_series(url, symbols)).series
    return PricePanel.from_series(total_return_series(symbol, stored) for symbol in symbols)


async def reading(server: Server, folder: Path, *, rows: int, rounds: int, peers: bool) -> None:
    """Measure and print."""
    url = await server.fresh()
    bars = list(batches(rows))
    await our_bars(url, bars)
    await execute(url, "VACUUM (ANALYZE) market_data", "CHECKPOINT")
    symbols = [symbol for some in bars for symbol in some.symbols]
    lines: list[tuple[str, float]] = []

    async def measure(name: str, work: Callable[[], Awaitable[object]]) -> None:
        await work()
        lines.append((name, middle([await seconds(work) for _ in range(rounds * _REPEATS)])))

    await measure("packed, into a PricePanel", lambda: _panel(url, symbols))
    await measure("packed, series only", lambda: load_series(url, symbols))
    panel = await _panel(url, symbols)
    await execute(url, "DELETE FROM packed_prices")
    await measure("live, into a PricePanel", lambda: _panel(url, symbols))
    await measure("live, series only", lambda: load_series(url, symbols))
    await _from_files(url, folder, symbols, panel, measure)
    if peers:
        for name, read in _PEERS.items():
            try:
                await measure(name, lambda read=read: asyncio.to_thread(read, url))  # type: ignore[misc]
            except ModuleNotFoundError as error:
                print(f"{name}: left out, {error}")
    await server.drop(url)
    sessions = panel.dates.size
    show(
        f"{len(symbols)} symbols x {sessions:,} sessions out of market_data",
        ("", "ms"),
        [(name, f"{took * 1000:,.1f}") for name, took in lines],
    )


async def _from_files(
    url: DatabaseUrl,
    folder: Path,
    symbols: list[str],
    panel: PricePanel,
    measure: Callable[[str, Callable[[], Awaitable[object]]], Awaitable[None]],
) -> None:
    cache = PanelCache(folder / "panels", 2**30)
    key = panel_key(await price_state(url, symbols), symbols)
    assert cache.put(key, panel)
    assert panel.quotes is not None
    arrays = [panel.prices, panel.quotes.closes, panel.quotes.dividends, panel.quotes.splits]
    for number, array in enumerate(arrays):
        np.save(folder / f"{number}.npy", array)

    async def cached() -> None:
        found = cache.get(key)
        assert found is not None

    async def asked_and_cached() -> None:
        state = await price_state(url, symbols)
        assert cache.get(panel_key(state, symbols)) is not None

    async def loaded() -> None:
        for number in range(len(arrays)):
            np.load(folder / f"{number}.npy")

    async def summed() -> None:
        found = cache.get(key)
        assert found is not None
        found.panel.prices.sum()

    await measure("np.load of the same arrays", loaded)
    await measure("cache: mapped and checked", cached)
    await measure("cache: mapped, checked, prices added up", summed)
    await measure("cache, with the state asked for first", asked_and_cached)


def _matrix(symbols: Any, closes: Any) -> np.ndarray[Any, Any]:
    count = np.unique(np.asarray(symbols)).size
    return np.asarray(closes, dtype=np.float64).reshape(count, -1).T.copy()


def _pandas(url: DatabaseUrl) -> object:
    import pandas as pd

    import_module("psycopg")
    address = "postgresql+psycopg" + url.render().removeprefix("postgresql")
    engine = import_module("sqlalchemy").create_engine(address)
    frame = pd.read_sql(_QUERY, engine)
    engine.dispose()
    return frame.pivot_table(index="date", columns="symbol", values="close").to_numpy()


def _adbc(url: DatabaseUrl) -> object:
    dbapi = import_module("adbc_driver_postgresql.dbapi")
    with dbapi.connect(url.render()) as connection, connection.cursor() as cursor:
        cursor.execute(_QUERY)
        table = cursor.fetch_arrow_table()
    return _matrix(table["symbol"].combine_chunks(), table["close"])


def _connectorx(url: DatabaseUrl) -> object:
    table = import_module("connectorx").read_sql(url.render(), _QUERY, return_type="arrow")
    return _matrix(table["symbol"].combine_chunks(), table["close"])


_PEERS: dict[str, Callable[[DatabaseUrl], object]] = {
    "ADBC, into a matrix of closes": _adbc,
    "ConnectorX, into a matrix of closes": _connectorx,
    "pandas.read_sql and pivot, closes": _pandas,
}
