"""One database for all of it: hostile input stores nothing, or is told by its name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from etf_backtest.settings import Settings
from tests.acceptance.cli.conftest import RunCli, run_here
from tests.fixtures.cluster import Cluster
from tests.fixtures.own_settings import settings_of
from tests.fixtures.postgres import Servers

NAME = "hostile"


@pytest.fixture(scope="module")
def hostile_url(postgres: Cluster, _servers: Servers) -> Iterator[str]:
    """A migrated database for the tests of a module."""
    postgres.execute(f"CREATE DATABASE {NAME} TEMPLATE {_servers.template(postgres)}")
    yield postgres.url(NAME)
    postgres.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


@pytest.fixture
def cli(hostile_url: str, user_home: Path) -> RunCli:
    """The command line on it, in this process."""
    return partial(run_here, url=hostile_url)


@pytest.fixture
def settings(hostile_url: str, user_home: Path) -> Settings:
    """Settings of the library on it."""
    return settings_of(hostile_url, user_home)


def the_line(err: str) -> str:
    """The one line that says what is wrong: printable, short, and no internal error."""
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert line.isprintable()
    assert len(line) < 5_000
    assert "internal error" not in line
    return line
