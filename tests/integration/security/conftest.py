"""Roles for a test's own database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.cluster import Cluster
from tests.integration.security.database_roles import Roles, roles_of


@pytest.fixture
def roles(postgres: Cluster, queue_url: str) -> Iterator[Roles]:
    """For a database that has every migration, and the queue."""
    with roles_of(postgres, queue_url) as made:
        yield made
