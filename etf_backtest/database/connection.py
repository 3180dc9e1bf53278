"""The typed client on the WASM query engine, and how to get one that is connected."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from etf_backtest.database.client import Prisma
from etf_backtest.database.engine import WasmEngineMixin
from etf_backtest.database.panel_cache import PanelCache
from etf_backtest.database.postgres import ensure_database
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.settings import Settings, load_settings


class Database(WasmEngineMixin, Prisma):
    """The generated client: `await db.backtest.find_many(include={"metrics": True})`."""

    panels: PanelCache | None = None
    """Where panels of its prices are kept on this machine; None: nowhere."""
    settings: Settings | None = None
    """Those that it was connected with: who acts, limits; None where a client was made by hand."""

    @property
    def url(self) -> DatabaseUrl:
        """The database this client was made for."""
        datasource = self._datasource
        assert datasource is not None  # noqa: S101  # connect() always gives one
        return DatabaseUrl.parse(datasource["url"])


@asynccontextmanager
async def connect(
    settings: Settings | None = None,
    *,
    log_queries: bool = False,
    tell: Callable[[str], None] | None = None,
) -> AsyncIterator[Database]:
    """Open the database: the one of DATABASE_URL, or the embedded one, started if need be.

    Parameters
    ----------
    settings : Settings, optional
        Defaults to those of the environment and `.env`.
    log_queries : bool
        Log every SQL statement to stderr.
    tell : callable, optional
        Hears of it when the database of DATABASE_URL was missing and has been created.

    Yields
    ------
    Database
        The generated, fully typed client; disconnected at the end.
    """
    settings = settings or load_settings()
    url = await ensure_database(settings, tell=tell)
    database = Database(use_dotenv=False, log_queries=log_queries, datasource={"url": url.render()})
    database.panels = PanelCache(settings.cache_dir / "panels", settings.cache_size)
    database.settings = settings
    await database.connect()
    try:
        yield database
    finally:
        await database.disconnect()
