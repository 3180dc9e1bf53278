"""A copy of the project to change at will, and what Prisma says about it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from etf_backtest.settings import Settings
from tests.fixtures.cluster import Cluster
from tests.integration.migrations.heard import Heard

COPIED = (
    "prisma",
    "prisma.config.ts",
    "package.json",
    "pyproject.toml",
    "etf_backtest/database/engine/js",
)


@pytest.fixture(scope="session")
def released(repository: Path) -> list[str]:
    """Names of the migrations of the checkout, in the order in which they are applied."""
    folders = (repository / "prisma" / "migrations").glob("*/migration.sql")
    return sorted(script.parent.name for script in folders)


@pytest.fixture
def project(repository: Path, tmp_path: Path) -> Path:
    """The root of a copy, with the real node_modules, and made the current directory of nobody."""
    root = tmp_path / "project"
    for name in COPIED:
        source, target = repository / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    (root / "node_modules").symlink_to(repository / "node_modules")
    return root


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: Node keeps compiled code there."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def settings(tmp_path: Path, cache_dir: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=cache_dir)


@pytest.fixture
def heard(postgres: Cluster) -> Iterator[Heard]:
    """What was said; at the end, that no password was."""
    heard = Heard()
    yield heard
    assert postgres.password not in heard.everything
