"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.engine.database import Database, connected


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[Database]:
    """A client of a new database that has all migrations and no rows."""
    async with connected(database_url) as database:
        yield database
