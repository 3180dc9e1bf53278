"""Prisma Studio in a real browser, on rows that the generated client wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect

from etf_backtest.database.client import Json
from etf_backtest.database.client.enums import StrategyType, SubscriptionTier
from etf_backtest.database.client.models import Portfolio
from etf_backtest.database.connection import Database
from etf_backtest.database.studio import studio


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[Database]:
    database = Database(use_dotenv=False, datasource={"url": database_url})
    await database.connect()
    yield database
    await database.disconnect()


@pytest.fixture
async def portfolio(client: Database) -> Portfolio:
    user = await client.user.create(data={"email": "ann@example.org", "passwordHash": "-"})
    return await client.portfolio.create(
        data={
            "user": {"connect": {"id": user.id}},
            "name": "Core",
            "description": "Bonds and shares",
            "initialCapital": Decimal("12345.67"),
        }
    )


async def open_table(page: Page, table: str) -> None:
    tables = page.get_by_role("navigation", name="Tables")
    await tables.get_by_role("link", name=table, exact=True).click()


async def expect_cells(page: Page, *values: str) -> None:
    for value in values:
        await expect(page.get_by_role("cell", name=value, exact=True)).to_be_visible()


async def edit_cell(page: Page, *, before: str, after: str) -> None:
    await page.get_by_role("cell", name=before, exact=True).dblclick()
    await page.keyboard.press("Control+A")
    await page.keyboard.type(after)
    await page.keyboard.press("Enter")


async def save(page: Page) -> None:
    await page.get_by_role("button", name="Save 1 row").click()
    await page.get_by_role("button", name="yes, write to db").click()


@pytest.mark.each_postgres
async def test_a_row_of_the_client_is_read_and_edited_on_the_page(
    page: Page, client: Database, portfolio: Portfolio, database_url: str, studio_cache: Path
) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    with studio(database_url, cache_dir=studio_cache) as server:
        await page.goto(server.url)
        await open_table(page, "portfolios")
        # uuid, varchar, text, numeric, boolean, and the time in UTC to the millisecond
        created = portfolio.createdAt.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        await expect_cells(
            page, portfolio.id, "Core", "USD", "Bonds and shares", "12345.67", "false"
        )
        await expect(page.get_by_role("cell", name=created, exact=True).first).to_be_visible()

        await edit_cell(page, before="Bonds and shares", after="Sixty forty")
        await edit_cell(page, before="12345.67", after="9999999999.99")
        await save(page)
        await expect(page.get_by_role("button", name="Save 1 row")).to_be_hidden()

    edited = await client.portfolio.find_unique_or_raise(where={"id": portfolio.id})
    assert edited.description == "Sixty forty"
    assert edited.initialCapital == Decimal("9999999999.99")
    assert (edited.name, edited.createdAt) == (portfolio.name, portfolio.createdAt)

    # the token is gone from the address bar, and nothing was asked of anybody else
    assert page.url.startswith(f"http://127.0.0.1:{server.port}/#")
    assert {urlsplit(url).netloc for url in requested} == {f"127.0.0.1:{server.port}"}
    assert failures == []
    # what the policy stopped is Studio's question for updates, and nothing that the page needs
    stopped = [text for text in said if "Content Security Policy" in text]
    assert stopped
    assert all("https://checkpoint.prisma.io/" in text for text in stopped)


async def test_enums_and_json_are_read_and_edited(
    page: Page, client: Database, portfolio: Portfolio, database_url: str, studio_cache: Path
) -> None:
    await client.strategy.create(
        data={
            "name": "Twelve months",
            "type": StrategyType.momentum,
            "isSystem": True,
            "parameters": Json.keys(lookback=252),
        }
    )
    with studio(database_url, cache_dir=studio_cache) as server:
        await page.goto(server.url)
        await open_table(page, "strategies")
        await expect_cells(page, "momentum", '{ "lookback": 252 }')
        await open_table(page, "users")
        await page.get_by_role("cell", name="free", exact=True).dblclick()
        await page.get_by_role("dialog").get_by_role("button", name="premium").click()
        await page.keyboard.press("Enter")
        await save(page)
        await expect(page.get_by_role("button", name="Save 1 row")).to_be_hidden()
    user = await client.user.find_unique_or_raise(where={"id": portfolio.userId})
    assert user.subscriptionTier == SubscriptionTier.premium


async def test_a_rule_of_the_database_holds_on_the_page(
    page: Page, client: Database, portfolio: Portfolio, database_url: str, studio_cache: Path
) -> None:
    with studio(database_url, cache_dir=studio_cache) as server:
        await page.goto(server.url)
        await open_table(page, "portfolios")
        await edit_cell(page, before="12345.67", after="-1")
        await save(page)
        await expect(page.get_by_text('"update" operation failed')).to_be_visible()
    kept = await client.portfolio.find_unique_or_raise(where={"id": portfolio.id})
    assert kept.initialCapital == Decimal("12345.67")


async def test_a_link_on_another_site_opens_studio_but_a_frame_does_not(
    page: Page, database_url: str, studio_cache: Path
) -> None:
    # terminals in a browser are such sites; a strict cookie does not follow their redirects
    with studio(database_url, cache_dir=studio_cache) as server:
        async with page.expect_event("framenavigated"):
            await page.set_content(f'<iframe src="{server.url}"></iframe>')
        assert page.frames[1].url == "chrome-error://chromewebdata/"
        await page.set_content(f'<a href="{server.single_use_url}">open</a>')
        await page.get_by_role("link", name="open").click()
        await open_table(page, "portfolios")
        await expect(page.get_by_text("initial_capital")).to_be_visible()
