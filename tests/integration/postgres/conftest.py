"""Data directories for embedded servers, and Python processes that use them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from etf_backtest.database import postgres
from etf_backtest.settings import Settings
from tests.fixtures.environment import end_server


def settings_for(data_dir: Path) -> Settings:
    """Settings as `load_settings` makes them, without an environment."""
    return Settings(data_dir=data_dir, cache_dir=data_dir.parent / "cache")


@pytest.fixture(scope="session")
def _made_once(_homes: Path) -> Path:
    """A data directory with a stopped server: initdb takes a second, a copy does not."""
    data_dir = _homes / "made-once"
    server = postgres.start(settings_for(data_dir))
    postgres.stop(settings_for(data_dir))
    with (server.cluster / "postgresql.conf").open("a") as configuration:
        configuration.write("fsync = off\n")  # tests crash processes, not the machine
    return data_dir


@pytest.fixture
def new_settings(user_home: Path) -> Settings:
    """Settings whose data directory is not there yet."""
    return settings_for(user_home / "data")


@pytest.fixture
def settings(user_home: Path, _made_once: Path) -> Settings:
    """Settings whose data directory has a cluster that is stopped."""
    subprocess.run(["cp", "-a", _made_once, user_home / "data"], check=True)
    return settings_for(user_home / "data")


@pytest.fixture(scope="session")
def running_settings(_homes: Path, _made_once: Path) -> Iterator[Settings]:
    """Settings of a server that runs, for tests that leave it running and as it is."""
    data_dir = _homes / "running"
    subprocess.run(["cp", "-a", _made_once, data_dir], check=True)
    server = postgres.start(settings_for(data_dir))
    yield settings_for(data_dir)
    end_server(server.cluster)


@pytest.fixture
def running(running_settings: Settings) -> postgres.Server:
    """The server of `running_settings`."""
    return postgres.start(running_settings)
