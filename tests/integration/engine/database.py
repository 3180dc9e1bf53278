"""The client that the engine's tests use, and rows to begin with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from etf_backtest.database.client import Prisma
from etf_backtest.database.client.models import Portfolio, User
from etf_backtest.database.engine import WasmEngineMixin

if TYPE_CHECKING:
    from etf_backtest.database.engine._engine import WasmEngine


class Database(WasmEngineMixin, Prisma):
    """Nothing but the generated client and the mixin."""


def new_client(url: str, **options: Any) -> Database:
    """A client that is not connected."""
    return Database(use_dotenv=False, datasource={"url": url}, **options)


@asynccontextmanager
async def connected(url: str, *parameters: str, **options: Any) -> AsyncIterator[Database]:
    """A connected client; `parameters` are added to the URL."""
    client = new_client(with_parameters(url, *parameters), **options)
    await client.connect()
    try:
        yield client
    finally:
        if client.is_connected():
            await client.disconnect(timeout=timedelta(seconds=2))


def with_parameters(url: str, *parameters: str) -> str:
    """Add connection parameters such as `connection_limit=1`."""
    return url if not parameters else f"{url}{'&' if '?' in url else '?'}{'&'.join(parameters)}"


def engine_of(client: Prisma) -> WasmEngine:
    """The engine below a connected client."""
    return cast("WasmEngine", client._engine)


def engine_pid(client: Prisma) -> int:
    """The process id of the client's engine."""
    pid = engine_of(client).process_id
    assert pid is not None
    return pid


async def a_user(client: Prisma, email: str = "ada@example.com") -> User:
    """Create a user."""
    return await client.user.create({"email": email, "passwordHash": "not a hash"})


async def a_portfolio(client: Prisma, name: str = "All weather") -> Portfolio:
    """Create a user with a portfolio."""
    user = await a_user(client, f"{name.replace(' ', '.').lower()}@example.com")
    return await client.portfolio.create({"name": name, "user": {"connect": {"id": user.id}}})
