"""The seed: complete, repeatable, and careful with what users changed."""

from __future__ import annotations

import datetime as dt
import io
import re
import runpy
from contextlib import redirect_stdout
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from etf_backtest.database.connection import connect
from etf_backtest.database.models import ETFStatus, StrategyType, to_json
from etf_backtest.database.prisma_cli import Output, seed
from etf_backtest.providers.fund_file import read_funds
from etf_backtest.services.etf_facts import facts_on
from etf_backtest.services.etfs import list_etfs
from etf_backtest.settings import Settings
from etf_backtest.strategies import STRATEGIES, build_strategy

COUNT = 58
FIRST = """\
SPY|SPDR S&P 500 ETF Trust|0.0945|Large Blend|1993-01-22|NYSE Arca
QQQ|Invesco QQQ Trust|0.20|Large Growth|1999-03-10|Nasdaq
VTI|Vanguard Total Stock Market ETF|0.03|Large Blend|2001-05-24|NYSE Arca
IWM|iShares Russell 2000 ETF|0.19|Small Blend|2000-05-22|NYSE Arca
VEA|Vanguard FTSE Developed Markets ETF|0.06|Foreign Large Blend|2007-07-20|NYSE Arca
VWO|Vanguard FTSE Emerging Markets ETF|0.08|Diversified Emerging Markets|2005-03-04|NYSE Arca
AGG|iShares Core U.S. Aggregate Bond ETF|0.03|Intermediate Core Bond|2003-09-22|NYSE Arca
TLT|iShares 20+ Year Treasury Bond ETF|0.15|Long Government|2002-07-22|Nasdaq
GLD|SPDR Gold Shares|0.40|Commodities Focused|2004-11-18|NYSE Arca
VNQ|Vanguard Real Estate ETF|0.13|Real Estate|2004-09-23|NYSE Arca
MTUM|iShares MSCI USA Momentum Factor ETF|0.15|Large Growth|2013-04-16|Cboe BZX
QUAL|iShares MSCI USA Quality Factor ETF|0.15|Large Blend|2013-07-16|Cboe BZX
SIZE|iShares MSCI USA Size Factor ETF|0.15|Mid-Cap Blend|2013-04-16|NYSE Arca
USMV|iShares MSCI USA Min Vol Factor ETF|0.15|Large Blend|2011-10-18|Cboe BZX
VLUE|iShares MSCI USA Value Factor ETF|0.15|Large Value|2013-04-16|Cboe BZX
"""
"""The funds of the first release, as it seeded them; the expense ratio in percent."""


def day(text: str) -> dt.datetime:
    """Midnight of a date, as the client gives a column of dates."""
    return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(tzinfo=dt.UTC))


async def seed_by_prisma(settings: Settings, repository: Path) -> str:
    """The real `prisma db seed`; returns what it said."""
    said: list[str] = []
    output = Output(stdout=said.append, stderr=said.append)
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    assert await seed(settings, url, directory=repository, output=output) == 0
    return "".join(said)


async def run_seed(settings: Settings, repository: Path) -> str:
    """The script that it runs, without Prisma and two processes around it."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    script = runpy.run_path(str(repository / "prisma" / "seed.py"))
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.setenv("DATABASE_URL", url)
        await script["main"]()
    return said.getvalue()


@pytest.mark.each_postgres
async def test_seed_again_changes_nothing_and_keeps_edits(
    settings: Settings, repository: Path
) -> None:
    expected = f"seeded {len(STRATEGIES)} strategies and {COUNT} ETFs; what was there"
    assert expected in await seed_by_prisma(settings, repository)
    async with connect(settings) as db:
        funds = await db.etfinfo.find_many()
        by_symbol = {fund.symbol: fund for fund in funds}
        for line in FIRST.splitlines():
            symbol, name, percent, category, inception, exchange = line.split("|")
            fund = by_symbol[symbol]
            assert (fund.name, fund.category, fund.exchange) == (name, category, exchange)
            assert fund.benchmarkIndex
            assert fund.expenseRatio == Decimal(percent) / 100
            assert fund.inceptionDate == day(inception)
            assert fund.asOfDate == day("2024-12-31")
        stored = await db.strategy.find_many(where={"isSystem": True})
        assert {str(row.type): row.name for row in stored} == {
            name: name.replace("_", "-") for name in STRATEGIES
        }
        for strategy in stored:
            kind = STRATEGIES[str(strategy.type)]
            schema: Any = strategy.parametersSchema
            parameters: Any = strategy.parameters
            assert schema == kind.Parameters.model_json_schema()
            assert parameters == kind.Parameters().model_dump(mode="json")
            assert strategy.implementation is None
            built = build_strategy(
                str(strategy.type), dict(strategy.parameters), {"MTUM": 0.5, "USMV": 0.5}
            )
            assert type(built) is STRATEGIES[str(strategy.type)]
        await db.etfinfo.update(where={"symbol": "SPY"}, data={"name": "my own words"})
        await db.strategy.update_many(
            where={"name": "momentum", "isSystem": True},
            data={"parameters": to_json({"look_back": 126})},
        )
        await db.etfinfo.delete(where={"symbol": "GLD"})
    assert "seeded 0 strategies and 1 ETFs" in await run_seed(settings, repository)
    async with connect(settings) as db:
        edited = await db.etfinfo.find_unique_or_raise(where={"symbol": "SPY"})
        assert edited.name == "my own words"
        momentum = await db.strategy.find_first_or_raise(where={"name": "momentum"})
        assert dict(momentum.parameters) == {"look_back": 126}
        assert await db.etfinfo.count() == COUNT
        assert await db.strategy.count() == len(STRATEGIES)


async def test_rows_of_the_first_release_get_the_schema_and_nothing_else(
    settings: Settings, repository: Path
) -> None:
    async with connect(settings) as db:
        old = await db.strategy.create(
            {
                "name": "momentum",
                "type": StrategyType.momentum,
                "description": "as it was",
                "parameters": to_json({"look_back": 100}),
                "isSystem": True,
            }
        )
        own = await db.user.create({"email": "ada@example.org", "passwordHash": "!"})
        mine = await db.strategy.create(
            {"name": "mine", "type": StrategyType.momentum, "userId": own.id}
        )
    said = await run_seed(settings, repository)
    added = len(STRATEGIES) - 1
    assert f"seeded {added} strategies and {COUNT} ETFs; 1 strategies got the schema" in said
    async with connect(settings) as db:
        new = await db.strategy.find_unique_or_raise(where={"id": old.id})
        schema: Any = new.parametersSchema
        assert schema == STRATEGIES["momentum"].Parameters.model_json_schema()
        ignored = {"parametersSchema", "updatedAt"}
        assert new.model_dump(exclude=ignored) == old.model_dump(exclude=ignored)
        # a user's row is the user's
        untouched = await db.strategy.find_unique_or_raise(where={"id": mine.id})
        assert untouched.parametersSchema is None
    assert "seeded 0 strategies and 0 ETFs; what was there" in await run_seed(settings, repository)


async def test_delisted_funds_and_what_changed_have_their_days(
    settings: Settings, repository: Path
) -> None:
    await run_seed(settings, repository)
    async with connect(settings) as db:
        alive = await list_etfs(db, alive_on=dt.date(2018, 2, 15), status="delisted")
        # those whose inception is known
        assert [fund.info.symbol for fund in alive.funds] == ["ERUS", "TVIX", "XIV"]
        erus = await db.etfinfo.find_unique_or_raise(where={"symbol": "ERUS"})
        assert (erus.status, erus.delistedDate) == (ETFStatus.delisted, day("2022-03-04"))
        assert (erus.lastPrice, erus.lastPriceDate) == (Decimal("8.06"), day("2022-03-03"))
        for date, percent in (("2012-04-25", 6), ("2012-04-26", 5), ("2024-04-26", 3)):
            facts = await facts_on(db, "VOO", dt.date.fromisoformat(date))
            assert facts.expense_ratio is not None
            assert facts.expense_ratio.value == Decimal(percent) / 10_000


def test_every_row_has_a_source_with_a_date(repository: Path) -> None:
    file = read_funds(repository / "prisma" / "funds.csv")
    assert not file.warnings
    undated = {"Macroption", "ETF Research Center", "prospectus and fact sheet of the issuer"}
    first = {line.split("|")[0] for line in FIRST.splitlines()}
    for row in file.rows:
        assert row.source is not None
        has_date = re.search(r"\b(19|20)\d\d(-\d\d)?(-\d\d)?\b", row.source.split("http")[0])
        assert has_date or any(row.source.startswith(name) for name in undated), row.source
        no_document = row.symbol in first and row.valid_from == dt.date(2024, 12, 31)
        assert ("http" in row.source) is not no_document


@pytest.mark.parametrize("line", FIRST.splitlines())
def test_facts_are_plausible(line: str) -> None:
    percent, inception = line.split("|")[2], dt.date.fromisoformat(line.split("|")[4])
    assert Decimal("0.02") <= Decimal(percent) <= Decimal("0.5")
    assert dt.date(1993, 1, 1) < inception < dt.date(2024, 12, 31)
    assert inception.weekday() < 5
