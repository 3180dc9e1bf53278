"""A worker whose URL may not do what a worker does."""

from __future__ import annotations

import pytest

from etf_backtest.database.queue import install_queue
from etf_backtest.database.roles import RoleKind
from tests.acceptance.cli.conftest import run_here
from tests.fixtures.cluster import run_apart
from tests.integration.security.database_roles import Roles


@pytest.mark.parametrize("once", [("--once",), ()])
def test_a_worker_that_may_only_read_says_what_it_needs(
    roles: Roles, once: tuple[str, ...]
) -> None:
    run_apart(install_queue(roles.url))
    roles.grant(RoleKind.READONLY)
    said = run_here("worker", *once, code=1, url=roles.url_of(roles.name("readonly"))).err
    assert "error: the database does not let its URL's user do this: " in said
    assert "etf-backtest db grant (docs/security.md)" in said
