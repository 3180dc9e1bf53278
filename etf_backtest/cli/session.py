"""What every command of one invocation shares: the global flags, the settings, the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.url import DatabaseUrl
    from etf_backtest.settings import Settings

T = TypeVar("T")


@dataclass(slots=True)
class GlobalFlags:
    """Flags that are accepted anywhere on the command line."""

    debug: bool = False
    log_queries: bool = False
    user: str | None = None
    """Who acts, before the one of the settings."""


flags = GlobalFlags()
"""Set once by `main`, before any command runs."""


def settings() -> Settings:
    """The settings of the environment and `.env`; who acts may be named on the command line."""
    from etf_backtest.settings import load_settings

    found = load_settings()
    return found if flags.user is None else found.model_copy(update={"user": flags.user})


def run(work: Coroutine[None, None, T]) -> T:
    """Run a coroutine to its end, on an event loop of its own."""
    import asyncio  # late: it costs a third of what `--help` takes

    return asyncio.run(work)


def with_database(use: Callable[[Database], Awaitable[T]]) -> T:
    """Run `use` on a connected client and disconnect."""

    async def connected() -> T:
        from etf_backtest.cli.console import narrate
        from etf_backtest.database.connection import connect

        async with connect(settings(), log_queries=flags.log_queries, tell=narrate) as db:
            return await use(db)

    return run(connected())


def with_url(use: Callable[[DatabaseUrl], Awaitable[T]]) -> T:
    """Run `use` on the URL of a database that answers, without the query engine."""

    async def resolved() -> T:
        from etf_backtest.cli.console import narrate
        from etf_backtest.database.postgres import ensure_database

        return await use(await ensure_database(settings(), tell=narrate))

    return run(resolved())
