"""The seed: complete, repeatable, and careful with what users changed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from etf_backtest.database.connection import connect
from etf_backtest.database.models import StrategyType, to_json
from etf_backtest.database.prisma_cli import Output, seed
from etf_backtest.settings import Settings
from etf_backtest.strategies import STRATEGIES, build_strategy

TEN = {"SPY", "QQQ", "VTI", "IWM", "VEA", "VWO", "AGG", "TLT", "GLD", "VNQ"}
SAMPLE = {"MTUM", "QUAL", "SIZE", "USMV", "VLUE"}


async def run_seed(settings: Settings, repository: Path) -> str:
    """The real `prisma db seed`; returns what it said."""
    said: list[str] = []
    output = Output(stdout=said.append, stderr=said.append)
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    assert await seed(settings, url, directory=repository, output=output) == 0
    return "".join(said)


@pytest.mark.each_postgres
async def test_seed_again_changes_nothing_and_keeps_edits(
    settings: Settings, repository: Path
) -> None:
    expected = f"seeded {len(STRATEGIES)} strategies and 15 ETFs; what was there"
    assert expected in await run_seed(settings, repository)
    async with connect(settings) as db:
        funds = await db.etfinfo.find_many()
        assert {fund.symbol for fund in funds} == TEN | SAMPLE
        assert all(fund.asOfDate and fund.inceptionDate for fund in funds)
        spy = next(fund for fund in funds if fund.symbol == "SPY")
        assert spy.expenseRatio == Decimal("0.000945")
        assert spy.inceptionDate is not None
        assert spy.inceptionDate.date() == dt.date(1993, 1, 22)
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
        assert await db.etfinfo.count() == 15
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
    assert f"seeded {added} strategies and 15 ETFs; 1 strategies got the schema" in said
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


@pytest.mark.parametrize("symbol", sorted(TEN | SAMPLE))
def test_facts_are_plausible(symbol: str, repository: Path) -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("seed", repository / "prisma" / "seed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fund = next(fund for fund in module.FUNDS if fund.symbol == symbol)
    assert Decimal("0.02") <= Decimal(fund.expense_percent) <= Decimal("0.5")
    inception = dt.date.fromisoformat(fund.inception)
    assert dt.date(1993, 1, 1) < inception < module.AS_OF
    assert inception.weekday() < 5
