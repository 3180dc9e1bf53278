"""One migrated database for all the tests here that undo what they do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from tests.fixtures.cluster import Cluster
from tests.fixtures.postgres import Servers
from tests.integration.schema.rows import Connection

NAME = "schema_tests"


@pytest.fixture(scope="session")
def shared_database(postgres: Cluster, _servers: Servers) -> Iterator[str]:
    """URL of a migrated database that no test leaves a row in."""
    postgres.execute(f"CREATE DATABASE {NAME} TEMPLATE {_servers.template(postgres)}")
    yield postgres.url(NAME)
    postgres.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


@pytest.fixture
async def connection(shared_database: str) -> AsyncIterator[Connection]:
    """A connection in a transaction that is rolled back."""
    connection = await asyncpg.connect(shared_database)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()
