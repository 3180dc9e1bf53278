"""One installation of Studio for the whole test run, and a browser."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from etf_backtest.database.studio import StudioServer, install, studio
from tests.fixtures.cluster import Cluster

INSTALL_CHROMIUM = "no chromium: apt-get update && apt-get install -y chromium"
TIMEOUT_MILLISECONDS = 10_000
CHROMIUM_OPTIONS = (
    "--no-sandbox",  # it does not start as root with one
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def studio_cache(pytestconfig: pytest.Config) -> Path:
    """A cache directory in which Studio is installed: really, by npm, in the first run."""
    assert pytestconfig.cache is not None
    cache = pytestconfig.cache.mkdir("studio")
    current = install(cache)
    for path in cache.glob("studio-*"):
        if not path.name.startswith(current.name) and path.is_dir():
            shutil.rmtree(path)
    return cache


@pytest.fixture(scope="module")
def maintenance_studio(postgres: Cluster, studio_cache: Path) -> Iterator[StudioServer]:
    """Studio on a database that nobody changes."""
    with studio(postgres.url(), cache_dir=studio_cache) as server:
        yield server


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A tab of a new Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip(INSTALL_CHROMIUM)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch_persistent_context(
            tmp_path / "chromium",
            executable_path=chromium,
            headless=True,
            args=CHROMIUM_OPTIONS,
            viewport={"width": 1900, "height": 800},
        )
        browser.set_default_timeout(TIMEOUT_MILLISECONDS)
        yield browser.pages[0]
        await browser.close()
